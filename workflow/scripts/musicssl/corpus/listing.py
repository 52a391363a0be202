"""The tables of a corpus: files that are used, and files that were set aside and why.

CSV as in RFC 4180, so that names with commas, quotes and line breaks survive. File names are POSIX paths relative to
the corpus root, or begin with the name of a further root.
"""

from __future__ import annotations

import csv
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..artefacts import atomic
from ..config.recipes import Corpus
from ..runtime import UserError

logger = logging.getLogger(__name__)


class AudioFile(NamedTuple):
    """A usable file, the shard that decodes it and the split it belongs to."""

    file: str
    duration_s: float
    sample_rate_hz: int
    channels: int
    shard: int
    split: str


class Rejected(NamedTuple):
    """A file set aside: ``reason`` is one word to count by, ``detail`` says what was found."""

    file: str
    reason: str
    detail: str


def locate(recipe: Corpus, file: str) -> Path:
    """Return where a listed file lies."""
    first, _, rest = file.partition("/")
    return Path(recipe.more_roots[first], rest) if rest and first in recipe.more_roots else Path(recipe.root, file)


def write_files(path: str | Path, files: Iterable[AudioFile]) -> None:
    """Write the table of usable files."""
    _write(path, AudioFile._fields, (f._replace(duration_s=round(f.duration_s, 6)) for f in files))


def write_rejected(path: str | Path, rejected: Iterable[Rejected]) -> None:
    """Write the quarantine."""
    _write(path, Rejected._fields, rejected)


def read_files(path: str | Path) -> list[AudioFile]:
    """Read the table of usable files."""
    return [
        AudioFile(file, float(duration), int(rate), int(channels), int(shard), split)
        for file, duration, rate, channels, shard, split in _read(path, AudioFile._fields)
    ]


def read_rejected(path: str | Path) -> list[Rejected]:
    """Read the quarantine."""
    return [Rejected(*row) for row in _read(path, Rejected._fields)]


def enforce_usable(num_usable: int, rejected: Sequence[Rejected], least: float, root: str, table: str | Path) -> float:
    """Return the usable fraction of all audio files.

    Args:
        num_usable: files that give clips.
        rejected: every file set aside.
        least: smallest tolerated fraction.
        root: of the corpus, for the message.
        table: where ``rejected`` was written, for the message.

    Raises:
        UserError: the fraction is below ``least``, or no file is left.
    """
    total = num_usable + len(rejected)
    fraction = num_usable / total if total else 0.0
    if num_usable and fraction >= least:
        return fraction
    for row in rejected:  # the table is lost when Snakemake clears up after the failed job, the log stays
        logger.error("set aside: %s: %s (%s)", *row)
    reasons = ", ".join(f"{count} {reason}" for reason, count in Counter(r.reason for r in rejected).most_common())
    raise UserError(
        f"{root}: found {num_usable} usable of {total} audio files ({fraction:.1%}; {reasons}), "
        f"expected at least {least:.1%}; mend or remove the files listed in {Path(table).name} and in the log, "
        "or lower min_usable_fraction of the corpus"
    )


def _write(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with atomic(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(rows)


def _read(path: str | Path, columns: Sequence[str]) -> list[list[str]]:
    with open(path, encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    if tuple(header) != tuple(columns):
        raise UserError(f"{path}: found columns {header}, expected {list(columns)}; delete it and rerun")
    return rows
