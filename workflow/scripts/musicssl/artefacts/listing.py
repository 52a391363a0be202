"""The tables of a corpus: files that are used, and files that were set aside and why.

CSV as in RFC 4180, so that names with commas, quotes and line breaks survive. File names are POSIX paths relative to
the corpus root, or begin with the name of a further root.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

from ..runtime import UserError
from .plain import CURE
from .store import writing

VERSION = 1
SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, order=True)
class AudioFile:
    """A usable file, the shard that decodes it and the split it belongs to.

    Attributes:
        file: its name.
        duration_s: counted, or as its header tells.
        sample_rate_hz: as decoded.
        channels: as decoded.
        shard: from 0.
        split: ``train`` or ``valid``.
        sha256: of its bytes, hexadecimal: another file under the same name is another row.
    """

    file: str
    duration_s: float
    sample_rate_hz: int
    channels: int
    shard: int
    split: str
    sha256: str


@dataclass(frozen=True, order=True)
class Rejected:
    """A file set aside: ``reason`` is one word to count by, ``detail`` says what was found."""

    file: str
    reason: str
    detail: str


def write_files(path: str | Path, files: Iterable[AudioFile]) -> None:
    """Write the table of usable files, durations to the microsecond."""
    rows = (astuple(replace(file, duration_s=round(file.duration_s, 6))) for file in files)
    _write(path, _columns(AudioFile), rows)


def write_rejected(path: str | Path, rejected: Iterable[Rejected]) -> None:
    """Write the quarantine."""
    _write(path, _columns(Rejected), map(astuple, rejected))


def read_files(path: str | Path) -> list[AudioFile]:
    """Read the table of usable files.

    Raises:
        UserError: it is missing, cut short, or holds other columns or values than it was written with.
    """
    return [_audio_file(path, row, cells) for row, cells in _read(path, _columns(AudioFile))]


def read_rejected(path: str | Path) -> list[Rejected]:
    """Read the quarantine.

    Raises:
        UserError: as for :func:`read_files`.
    """
    return [Rejected(*cells) for _, cells in _read(path, _columns(Rejected))]


def _columns(cls: type[AudioFile] | type[Rejected]) -> list[str]:
    return [field.name for field in fields(cls)]


def _audio_file(path: str | Path, row: int, cells: Sequence[str]) -> AudioFile:
    file, duration, rate, channels, shard, split, sha256 = cells
    try:
        duration_s, *counts = float(duration), int(rate), int(channels), int(shard)
    except ValueError:
        duration_s, counts = math.nan, [0, 0, 0]
    sound = math.isfinite(duration_s) and duration_s >= 0 and counts[0] > 0 and counts[1] > 0 and counts[2] >= 0
    if not sound or split not in ("train", "valid") or not SHA256.fullmatch(sha256):
        raise UserError(
            f"{path}: row {row}: found {','.join(cells)[:120]!r}, expected a name, length, rate, channels, shard, "
            f"train or valid, and 64 hexadecimal digits; {CURE}"
        )
    return AudioFile(file, duration_s, counts[0], counts[1], counts[2], split, sha256)


def _write(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(columns)
    writer.writerows(rows)
    with writing(path) as binary:
        binary.write(stream.getvalue().encode("utf-8"))


def _read(path: str | Path, columns: Sequence[str]) -> list[tuple[int, list[str]]]:
    """Return the rows below the header, each with its number, all of them with a cell a column."""
    try:
        text = Path(path).read_bytes().decode("utf-8")
        table = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); make it readable, or {CURE}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: found damaged CSV ({error}), expected a whole table; {CURE}") from None
    header = table[0] if table else []
    if header != list(columns):
        raise UserError(
            f"{path}: row 1: found the columns {','.join(header)[:120]!r}, expected {','.join(columns)}; {CURE}"
        )
    for row, cells in enumerate(table, 1):
        if len(cells) != len(columns):
            raise UserError(f"{path}: row {row}: found {len(cells)} cells, expected {len(columns)}; {CURE}")
    if not text.endswith("\r\n"):
        raise UserError(f"{path}: row {len(table)}: found no end of line, expected a whole table; {CURE}")
    return list(enumerate(table, 1))[1:]
