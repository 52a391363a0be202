"""The recordings of a dataset: every audio file that some target may use, with its length and the digest of its bytes.

What is listed depends on the audio files alone, not on annotations, and the order is that of the paths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path as File

from ..runtime import UserError
from .tables import CURE, read_table, write_table

VERSION = 1


@dataclass(frozen=True, slots=True)
class Recording:
    """One audio file.

    Attributes:
        path: relative to the dataset's root, POSIX.
        duration_s: as its header says; 0 where it says nothing that can be read.
        sha256: of the file's bytes, in hexadecimal.
    """

    path: str
    duration_s: float
    sha256: str


COLUMNS = tuple(field.name for field in fields(Recording))


def path(dataset: str) -> str:
    """Return the list's place below the results."""
    return f"datasets/{dataset}/recordings.csv"


def write(table: str | File, recordings: Sequence[Recording]) -> None:
    """Write the list, whole or not at all."""
    write_table(table, COLUMNS, map(astuple, recordings))


def read(table: str | File) -> list[Recording]:
    """Read the list back.

    Raises:
        UserError: it is missing or damaged, or not in the order of its paths.
    """
    found: list[Recording] = []
    for row, (name, duration, digest) in read_table(table, COLUMNS):
        try:
            found.append(Recording(name, float(duration), digest))
        except ValueError:
            raise UserError(f"{table}: row {row}: found a length of {duration!r}, expected seconds; {CURE}") from None
        if len(found) > 1 and not found[-2].path < name:
            raise UserError(f"{table}: row {row}: {name!r} stands after {found[-2].path!r}; {CURE}")
    return found
