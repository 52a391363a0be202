"""Synthetic music in the layouts of the real data sets, so that the whole workflow runs where there is no data.

Nothing is downloaded: instruments, songs and annotations come from numpy and a seed, and equal seeds give equal
bytes. The adapters of :mod:`musicssl.datasets` read these folders and the real ones alike.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..config.recipes import Miniature
from ..runtime import UserError
from . import emomusic, giantsteps, gtzan, jamendo, magnatagatune, nsynth, vocalset
from .corpus import write_corpus

VERSION = 1
WRITERS: dict[str, Callable[[Path, Miniature], None]] = {
    "nsynth": nsynth.write,
    "giantsteps": giantsteps.write,
    "gtzan": gtzan.write,
    "magnatagatune": magnatagatune.write,
    "mtg-jamendo": jamendo.write,
    "emomusic": emomusic.write,
    "vocalset": vocalset.write,
}
__all__ = ["WRITERS", "write_corpus", "write_dataset"]


def write_dataset(name: str, root: Path, miniature: Miniature) -> None:
    """Write one data set under ``root``, whole or not at all; the list ``written.json`` comes last.

    Args:
        name: one of :data:`WRITERS`.
        root: the folder of this data set.
        miniature: seed, and the numbers of train, validation and test items by data set.

    Raises:
        UserError: nobody can synthesise ``name``, its counts are missing, or ``root`` holds other files.
    """
    if name not in WRITERS:
        raise UserError(f"miniature: found data set {name!r}, expected one of {', '.join(WRITERS)}; mend its name")
    if name not in miniature.items:
        raise UserError(f"miniature.items: found no {name!r}, expected train, valid and test counts; add {name}: [..]")
    WRITERS[name](root, miniature)
