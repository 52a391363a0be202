"""Versions of the code that decides results: ``VERSION = n`` beside the code, read here without importing it.

Whoever changes what a file computes raises its number; every recipe that the file decides then has another digest.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from .inherit import ConfigError

PACKAGE = Path(__file__).parents[1]
LINE = re.compile(r"^VERSION = (\d+)(?:  #.*)?$", re.MULTILINE)
DECIDED_BY: dict[str, tuple[str, ...]] = {  # noun, or noun/kind, to the files whose VERSION stands in its recipes
    "corpora": ("corpus/scan.py", "corpus/crop.py", "signal/decode.py"),
    "features/mfcc": ("signal/mfcc.py", "targets/features.py"),
    "features/chroma": ("signal/harmonic.py", "targets/features.py"),
    "features/cqt": ("signal/constant_q.py", "targets/features.py"),
    "features/combined": ("signal/mfcc.py", "signal/harmonic.py", "signal/constant_q.py", "targets/features.py"),
    "features/layer": ("models/encoders.py", "targets/features.py"),
    "labels": ("targets/kmeans/lloyd.py", "targets/assign.py"),
    "models/hubert": ("training/trainer.py",),
    "models/data2vec": ("training/trainer.py",),
    "models/untrained": ("models/encoders.py",),
    "models/released": ("models/released.py",),
    "models/mfcc-floor": ("signal/mfcc.py",),
    "miniature": ("miniature/__init__.py",),
    "datasets": ("datasets/listing.py",),
    "views": ("tasks/views.py",),
    "tasks": ("tasks/prepare.py",),  # and the dataset's adapter
    "states": ("probing/embed.py", "models/view.py", "signal/decode.py"),
    "probes": ("probing/fit.py",),
    "scores": ("probing/score.py", "probing/metrics.py"),
    "branches": ("reporting/tables.py",),
    "studies": ("reporting/tables.py",),
}


@lru_cache
def version(file: str) -> int:
    """Return the number that stands as ``VERSION = n`` in a file of the library.

    Args:
        file: path below the library's folder, such as ``signal/mfcc.py``.

    Raises:
        ConfigError: there is no such file, or it has no such line.
    """
    path = PACKAGE / file
    found = LINE.search(path.read_text(encoding="utf-8")) if path.is_file() else None
    if found is None:
        raise ConfigError([f"{path}: found no line `VERSION = 1`, expected one; restore the file as in the repository"])
    return int(found[1])


def versions(noun: str, kind: str = "") -> dict[str, int]:
    """Return the versions that decide an entry, by file; none for entries that no code decides."""
    files = DECIDED_BY.get(f"{noun}/{kind}", DECIDED_BY.get(noun, ()))
    return {file: version(file) for file in files}
