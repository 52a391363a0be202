"""List a corpus: find audio files, check each by its container, set bad ones aside, hold out some, share out the rest.

Everything depends on names, sizes and contents alone, never on the order a file system lists them in.
"""

from __future__ import annotations

import hashlib
import heapq
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..artefacts.listing import AudioFile, Rejected
from ..artefacts.store import content_of
from ..config.recipes import Corpus
from ..runtime import UserError, progress
from ..signal.decode import DecodeError, duration_s, examine
from ..signal.files import READABLE, audio_below, tell_passed
from .usable import locate

VERSION = 2
logger = logging.getLogger(__name__)


def scan(recipe: Corpus, num_threads: int) -> tuple[list[AudioFile], list[Rejected]]:
    """Return the usable files of the corpus' roots with shard and split, and those set aside, both in order of name.

    Raises:
        UserError: a root is missing, no folder, or holds no audio files.
    """
    names, rejected = _find_all(recipe)
    find = partial(locate, recipe)
    usable: list[AudioFile] = []
    with ThreadPoolExecutor(num_threads) as pool:
        for row in progress(pool.map(partial(inspect, find, min_file_s=recipe.min_file_s), names), len(names), "files"):
            if isinstance(row, AudioFile):
                usable.append(row)
            else:
                rejected.append(row)
    copies = duplicates(usable)
    rejected += [Rejected(copy, "duplicate", f"same bytes as {first}") for copy, first in copies.items()]
    usable = [f for f in usable if f.file not in copies]
    held_out = hold_out([f.file for f in usable], recipe.valid_fraction, recipe.seed)
    shards = share_out({f.file: f.duration_s for f in usable}, recipe.num_shards)
    usable = [replace(f, shard=shards[f.file], split="valid" if f.file in held_out else "train") for f in usable]
    hours = sum(f.duration_s for f in usable) / 3600
    logger.info("%d usable files, %.2f h, %d held out; %d set aside", len(usable), hours, len(held_out), len(rejected))
    return usable, sorted(rejected)


def _find_all(recipe: Corpus) -> tuple[list[str], list[Rejected]]:
    """Return sorted names of all files with an audio suffix under all roots, and the folders that cannot be listed.

    Raises:
        UserError: a root is missing, no folder, or holds no audio files.
    """
    names, rejected = [], []
    for prefix, root in (("", recipe.root), *((f"{name}/", path) for name, path in recipe.more_roots.items())):
        if not Path(root).is_dir():
            there = "a file" if Path(root).exists() else "nothing"
            raise UserError(
                f"{root}: found {there}, expected a folder of audio; set root of the corpus or put audio there"
            )
        found = audio_below(root)
        tell_passed(root, found)
        if not found.names and not found.closed:
            kinds = " ".join(sorted(READABLE))
            raise UserError(f"{root}: found no audio files, expected some of {kinds}; set root of the corpus")
        names += [prefix + name for name in found.names]
        rejected += [Rejected(printable(prefix + name), "unreadable", f"folder: {why}") for name, why in found.closed]
    return sorted(names), rejected


def printable(name: str) -> str:
    r"""Return a file name with bytes that are no UTF-8 written as ``\xNN``."""
    return os.fsencode(name).decode(errors="backslashreplace")


def inspect(find: Callable[[str], Path], name: str, *, min_file_s: float) -> AudioFile | Rejected:
    """Return what the container of one file says and the hash of its bytes, or why the file cannot be used."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return Rejected(printable(name), "name", "not UTF-8; rename the file")
    path = find(name)
    try:
        sound = examine(path)
        seconds = duration_s(sound)
        sha256 = content_of(path).sha256
    except DecodeError as error:
        return Rejected(name, error.reason, str(error))
    except OSError as error:
        return Rejected(name, "unreadable", str(error.strerror))
    if seconds < min_file_s:
        return Rejected(name, "short", f"{seconds:.3f} s, expected at least {min_file_s:g} s")
    return AudioFile(name, seconds, sound.sample_rate_hz, sound.channels, 0, "train", sha256)


def duplicates(files: Iterable[AudioFile]) -> dict[str, str]:
    """Return the files whose bytes equal those of an earlier one, each with that first file."""
    first: dict[str, str] = {}
    return {file.file: first[file.sha256] for file in files if first.setdefault(file.sha256, file.file) != file.file}


def hold_out(names: Sequence[str], fraction: float, seed: int) -> set[str]:
    """Return the files of the validation split: about ``fraction`` of them, never none and never all of two or more.

    A file's lot depends on ``seed`` and its name only, so added files move no other file across.
    """
    if len(names) < 2:
        return set()
    lots = {name: int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8]) / 2**64 for name in names}
    drawn = sorted(names, key=lots.__getitem__)
    count = sum(lot < fraction for lot in lots.values())
    return set(drawn[: min(max(count, 1), len(names) - 1)])


def share_out(durations_s: dict[str, float], num_shards: int) -> dict[str, int]:
    """Return a shard for each file: the longest file first, always to the shard with least audio."""
    loads = [(0.0, shard) for shard in range(num_shards)]
    shards = {}
    for name in sorted(durations_s, key=lambda name: (-durations_s[name], name)):
        load, shard = heapq.heappop(loads)
        shards[name] = shard
        heapq.heappush(loads, (load + durations_s[name], shard))
    return shards
