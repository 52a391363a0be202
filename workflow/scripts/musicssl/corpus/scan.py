"""List a corpus: find audio files, check each by its header, set bad ones aside, hold out some, share out the rest.

Everything depends on names, sizes and contents alone, never on the order a file system lists them in.
"""

from __future__ import annotations

import hashlib
import heapq
import logging
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import soundfile

from ..artefacts.listing import AudioFile, Rejected
from ..artefacts.store import content_of
from ..config.recipes import Corpus
from ..runtime import UserError, progress
from ..signal.decode import UNKNOWN_FRAMES, DecodeError, mono_blocks, require_whole
from .usable import locate

VERSION = 1
READABLE = {".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp2", ".mp3", ".oga", ".ogg", ".opus"}
READABLE |= {".rf64", ".snd", ".w64", ".wav", ".wave"}
UNREADABLE = {".aac", ".ape", ".m4a", ".mpc", ".wma", ".wv"}  # not by libsndfile: set aside in sight, not passed over
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
    """Return sorted names of all files with an audio suffix under all roots, and the folders that cannot be listed."""
    names, rejected = [], []
    for prefix, root in (("", recipe.root), *((f"{name}/", path) for name, path in recipe.more_roots.items())):
        found, closed = find_audio(Path(root))
        if not found and not closed:
            kinds = " ".join(sorted(READABLE))
            raise UserError(f"{root}: found no audio files, expected some of {kinds}; set root of the corpus")
        names += [prefix + name for name in found]
        rejected += [replace(row, file=prefix + row.file) for row in closed]
    return sorted(names), rejected


def find_audio(root: Path) -> tuple[list[str], list[Rejected]]:
    """Return sorted relative POSIX paths of files with an audio suffix, and the folders that cannot be listed.

    Links to folders are followed, each folder once.

    Raises:
        UserError: ``root`` is missing or no folder.
    """
    if not root.is_dir():
        found = "a file" if root.exists() else "nothing"
        raise UserError(f"{root}: found {found}, expected a folder of audio; set root of the corpus or put audio there")
    closed: list[OSError] = []
    names: list[str] = []
    seen: set[str] = set()
    for folder, subfolders, files in os.walk(root, onerror=closed.append, followlinks=True):
        subfolders.sort()
        if (real := os.path.realpath(folder)) in seen:
            subfolders.clear()
            continue
        seen.add(real)
        inside = Path(folder).relative_to(root)
        names += [
            (inside / name).as_posix() for name in files if os.path.splitext(name)[1].lower() in READABLE | UNREADABLE
        ]
    problems = [
        Rejected(printable(os.path.relpath(e.filename, root)), "unreadable", f"folder: {e.strerror}") for e in closed
    ]
    return sorted(names), problems


def printable(name: str) -> str:
    r"""Return a file name with bytes that are no UTF-8 written as ``\xNN``."""
    return os.fsencode(name).decode(errors="backslashreplace")


def inspect(find: Callable[[str], Path], name: str, *, min_file_s: float) -> AudioFile | Rejected:
    """Return what the header of one file says, or why the file cannot be used."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return Rejected(printable(name), "name", "not UTF-8; rename the file")
    path = find(name)
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            return Rejected(name, "unreadable", "not a regular file")
        path.open("rb").close()
    except OSError as error:
        return Rejected(name, "unreadable", str(error.strerror))
    if not info.st_size:
        return Rejected(name, "empty", "0 bytes")
    try:
        return _inspect_header(name, soundfile.info(str(path), verbose=True), path, min_file_s)
    except soundfile.LibsndfileError as error:
        return Rejected(name, "not-audio", f"decoder: {error.error_string}")
    except DecodeError as error:
        return Rejected(name, error.reason, str(error))


def _inspect_header(name: str, header: Any, path: Path, min_file_s: float) -> AudioFile | Rejected:
    require_whole(header)
    frames = header.frames
    if frames >= UNKNOWN_FRAMES:
        frames = sum(map(len, mono_blocks(path)))
    duration_s = frames / header.samplerate
    if duration_s < min_file_s:
        return Rejected(name, "short", f"{duration_s:.3f} s, expected at least {min_file_s:g} s")
    return AudioFile(name, duration_s, header.samplerate, header.channels, 0, "train", content_of(path).sha256)


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
