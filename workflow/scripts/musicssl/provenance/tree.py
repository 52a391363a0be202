"""A results folder as artefacts: every header, the files it lists, and the root of the whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..artefacts.header import NAME, Header, read_header

ASIDE = ("ledger", "logs", "benchmarks", "data")
"""Folders of a results tree that hold no artefacts."""
RESUME = "resume"


class Artefact(NamedTuple):
    """One header and where it lies."""

    path: Path
    header: Header

    @property
    def files(self) -> dict[Path, str]:
        """The SHA-256 of each file, by path."""
        return {self.path.parent / name: content.sha256 for name, content in self.header.contents.items()}


def header_paths(results: Path) -> Iterator[Path]:
    """Yield the paths of all headers, in order."""
    for path in sorted(results.rglob(f"*{NAME}")):
        inside = path.relative_to(results).parts
        if inside[0] not in ASIDE and RESUME not in inside and (path.name == NAME or path.name.endswith(f".{NAME}")):
            yield path


def artefacts(results: Path) -> Iterator[Artefact]:
    """Yield every artefact; raises UserError at a damaged header."""
    for path in header_paths(results):
        yield Artefact(path, read_header(path))


def root(results: Path) -> str:
    """Return the SHA-256 over all artefacts' content digests by path: equal exactly for identical trees."""
    lines = [
        f"{path.relative_to(results).as_posix()} {sha256}"
        for artefact in artefacts(results)
        for path, sha256 in artefact.files.items()
    ]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
