"""The datasets of the 13 music tasks: one module each, all with the same names.

``recordings(root)`` lists every audio file that some target may use, from the folders alone; ``read(root, target,
options)`` reads items with a target, one a recording, as a user has the dataset after download. ``TARGETS`` (target ->
kind), ``DEFAULTS`` (options of the published protocol), ``EXPECTED`` (published sizes), ``CITATION``, ``LICENCE``,
``SOURCE`` and ``LAYOUT`` say what it is; ``VERSION`` is raised when other items come out.
"""

from __future__ import annotations

import importlib
from typing import Any

from ..runtime import UserError

__all__ = ["DATASETS", "adapter"]
DATASETS = ("emomusic", "giantsteps", "gtzan", "magnatagatune", "mtg-jamendo", "nsynth", "vocalset")


def adapter(dataset: str) -> Any:
    """Return the module that reads ``dataset``.

    Raises:
        UserError: there is none of that name.
    """
    if dataset not in DATASETS:
        raise UserError(f"dataset: found {dataset!r}, expected one of {', '.join(DATASETS)}")
    return importlib.import_module(f".{dataset.replace('-', '_')}", __name__)
