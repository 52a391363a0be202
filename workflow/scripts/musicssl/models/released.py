"""Encoders somebody else trained: a Hugging Face folder, a fairseq checkpoint, or a name on the hub."""

from __future__ import annotations

from pathlib import Path

from ..config.recipes import Released
from ..runtime import UserError
from .encoders import Encoder
from .export import open_pretrained
from .fairseq import read_fairseq

VERSION = 1


def released_encoder(recipe: Released) -> Encoder:
    """Open a released encoder, in evaluation mode.

    Raises:
        UserError: the source is not there, not reachable, or not such an encoder.
    """
    path = Path(recipe.source).expanduser()
    if path.is_file():
        return read_fairseq(path, recipe.paradigm)
    if not path.is_dir() and (path.is_absolute() or recipe.source.count("/") > 1 or path.suffix == ".pt"):
        raise UserError(
            f"source: {path} not found, expected a Hugging Face folder, a fairseq .pt file or a hub name; "
            "correct the model's source"
        )
    try:
        return open_pretrained(str(path) if path.is_dir() else recipe.source, recipe.paradigm, recipe.revision)
    except OSError as error:
        raise UserError(
            f"source: {recipe.source} is no complete folder here and the Hugging Face hub did not give it "
            f"({str(error).splitlines()[0]}); connect once, or download it and set source to the folder"
        ) from error
