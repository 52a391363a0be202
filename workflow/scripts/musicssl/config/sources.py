"""Content digests of weights that lie on this machine."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path


def weight_files(source: str) -> list[Path]:
    """Return the files of a local folder or file of weights, in order; none for a name on the hub."""
    path = Path(source).expanduser()
    if path.is_file():
        return [path]
    if not path.is_dir():
        return []
    return sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))


def content_digest(source: str) -> str:
    """Return ten digits of the SHA-256 of local weights: names and bytes of all files; empty where there are none."""
    parts = [f"{file.name} {_digest(str(file), *_stamp(file))}" for file in weight_files(source)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:10] if parts else ""


def _stamp(file: Path) -> tuple[int, ...]:
    found = os.stat(file)
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@lru_cache(maxsize=256)
def _digest(file: str, *_: int) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
