"""From a recipe to the objective that trains it."""

from __future__ import annotations

from collections.abc import Sequence

from ..config.recipes import CqtFeatures, Data2vec, Hubert
from .data2vec import Data2vecObjective
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
