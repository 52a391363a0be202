"""The audio files below a folder, the same for corpora and tasks.

Links are followed, each folder once. What macOS leaves beside files on foreign disks (``._x.wav``, ``__MACOSX``) is no
file. Files with other suffixes are passed over, counted and named.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

READABLE = {".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp2", ".mp3", ".oga", ".ogg", ".opus"}
READABLE |= {".rf64", ".snd", ".w64", ".wav", ".wave"}
FFMPEG = {".3gp", ".aac", ".ac3", ".alac", ".amr", ".ape", ".dsf", ".m4a", ".m4b", ".mka", ".mp4", ".mpc", ".tak"}
FFMPEG |= {".tta", ".webm", ".wma", ".wv"}
GHOST_FOLDER, GHOST = "__MACOSX", "._"
MAX_NAMED = 8
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """What lies below a folder.

    Attributes:
        names: of audio files, relative to the folder, with ``/``, sorted.
        closed: folders that cannot be listed and why, relative to the folder, sorted.
        passed: files of other kinds by suffix in lower case.
    """

    names: list[str]
    closed: list[tuple[str, str]]
    passed: dict[str, int]


def audio_below(root: str | Path, deep: bool = True) -> Found:
    """Return the files with an audio suffix below a folder, its subfolders included where ``deep``."""
    root = os.fspath(root)
    errors: list[OSError] = []
    names: list[str] = []
    seen: set[str] = set()
    passed: Counter[str] = Counter()
    for folder, subfolders, files in os.walk(root, onerror=errors.append, followlinks=True):
        subfolders[:] = sorted(name for name in subfolders if deep and name != GHOST_FOLDER)
        if (real := os.path.realpath(folder)) in seen:
            subfolders.clear()
            continue
        seen.add(real)
        inside = "" if folder == root else os.path.relpath(folder, root) + "/"
        for name in files:
            suffix = os.path.splitext(name)[1].lower()
            if name.startswith(GHOST):
                continue
            if suffix in READABLE or suffix in FFMPEG:
                names.append(inside + name)
            else:
                passed[suffix] += 1
    closed = sorted((os.path.relpath(error.filename, root), str(error.strerror)) for error in errors)
    return Found(sorted(names), closed, dict(passed))


def tell_passed(root: str | Path, found: Found) -> None:
    """Log how many files were passed over for their suffix, the most frequent suffixes first."""
    if not found.passed:
        return
    ranked = sorted(found.passed.items(), key=lambda item: (-item[1], item[0]))
    kinds = [f"{count} {suffix or 'without a suffix'}" for suffix, count in ranked[:MAX_NAMED]]
    more = [f"{len(ranked) - MAX_NAMED} other suffixes"] if len(ranked) > MAX_NAMED else []
    logger.info("%s: passed over %d files: %s", root, sum(found.passed.values()), ", ".join(kinds + more))
