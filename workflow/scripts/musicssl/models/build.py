"""From a recipe to the objective that trains it, or to the encoder that it starts with."""

from __future__ import annotations

from collections.abc import Sequence

from ..config.recipes import CqtFeatures, Data2vec, Hubert, Untrained
from ..runtime import seed_everything
from .data2vec import Data2vecObjective
from .encoders import Encoder, empty_encoder, initialize
from .hubert import HubertObjective
from .objective import Objective


def build_objective(
    recipe: Hubert | Data2vec, num_clusters: int | Sequence[int] | None, spectrum: CqtFeatures | None = None
) -> Objective:
    """Return the objective of a recipe, initialized from torch's global generator.

    Args:
        recipe: what to train.
        num_clusters: size of the codebook, or of each label set's, for HuBERT; else None.
        spectrum: the constant-Q spectrum that a HuBERT predicts beside, if any.
    """
    if isinstance(recipe, Data2vec):
        return Data2vecObjective(recipe)
    assert num_clusters is not None
    return HubertObjective(recipe, num_clusters, spectrum)


def untrained_encoder(recipe: Untrained) -> Encoder:
    """Return an encoder with the weights that training of the same seed starts from, in evaluation mode."""
    seed_everything(recipe.seed)
    encoder = empty_encoder(recipe.paradigm, recipe.architecture)
    initialize(encoder)
    return encoder.train(False)
