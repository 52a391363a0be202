"""Reading what others wrote: folders, tables and headers as real downloads have them.

Tolerated: a byte order mark, any line end, stray blanks, upper-case extensions, macOS leftovers. Refused with a
sentence: missing files, tables with another delimiter, short rows, stray quotes.
"""

from __future__ import annotations

import contextlib
import csv
import logging
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from ..runtime import UserError
from ..signal.files import FFMPEG, audio_below

logger = logging.getLogger(__name__)
MAX_DURATION_S = 24 * 3600.0


class AudioFile(NamedTuple):
    """One entry of a directory listing."""

    path: str
    num_bytes: int


def list_audio(root: Path, folder: Path) -> dict[str, AudioFile]:
    """List the audio files of one folder with a single scan.

    Args:
        root: the dataset's root, which paths are relative to.
        folder: the folder itself; a missing one lists nothing.

    Returns:
        Lower-case name without extension -> file; of two files that differ in extension only the first by name is
        kept, one that libsndfile reads before one that it does not.

    Raises:
        UserError: the folder cannot be listed.
    """
    if not folder.is_dir():
        return {}
    prefix = folder.relative_to(root).as_posix()
    prefix = "" if prefix == "." else prefix + "/"
    listed = audio_below(folder, deep=False)
    if listed.closed:
        raise UserError(f"{folder}: cannot be listed ({listed.closed[0][1]}); give read permission")
    found: dict[str, AudioFile] = {}
    for name in sorted(listed.names, key=lambda name: (os.path.splitext(name)[1].lower() in FFMPEG, name)):
        with contextlib.suppress(FileNotFoundError):  # a dangling link
            info = os.stat(os.path.join(folder, name))
            if stat.S_ISREG(info.st_mode):
                found.setdefault(os.path.splitext(name)[0].lower(), AudioFile(prefix + name, info.st_size))
    return found


def require(root: Path, wanted: Iterable[str | tuple[str, ...]], layout: str, source: str) -> list[Path]:
    """Return the paths below ``root`` that an adapter cannot do without.

    Args:
        root: the dataset's root.
        wanted: relative paths, files where they have an extension, else folders; a tuple lists alternatives, of which
            the first that exists is taken.
        layout: what is expected below the root.
        source: where the dataset comes from.

    Raises:
        UserError: the root or any of the paths is missing; all of them are named.
    """
    where = f"expected below it: {layout}. Where it comes from: {source}"
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; set the task's root to the dataset's folder; {where}")
    found, missing = [], []
    for names in wanted:
        options = (names,) if isinstance(names, str) else names
        paths = [root / name for name in options]
        hit = next((path for path in paths if (path.is_file() if path.suffix else path.is_dir())), None)
        if hit is None:
            missing.append(" or ".join(options))
        else:
            found.append(hit)
    if missing:
        raise UserError(f"{root}: missing {', '.join(missing)}; {where}")
    return found


def read_text(path: Path) -> str:
    """Read a text file with or without a byte order mark; bytes that are not UTF-8 are replaced, with a warning."""
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        logger.warning("%s: not UTF-8 at byte %d; replaced such characters", path, error.start)
        return data.decode("utf-8-sig", errors="replace")


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number, stripped text) of the lines that are not blank, whatever ends them."""
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if line.strip():
            yield number, line.strip()


def read_table(
    path: Path, delimiter: str, columns: Sequence[str], quoted: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """Yield (row, cells of chosen columns, stripped) of a delimited table.

    Args:
        path: UTF-8, with or without byte order mark, any line end.
        delimiter: a comma or a tab.
        columns: header names wanted, in the order of the cells yielded; cells beyond the header follow them.
        quoted: cells may be in double quotes; otherwise a quote is a character as any other.

    Raises:
        UserError: a column is missing (most often another delimiter), a row is short, or a quote is never closed.
    """
    rows = _rows(path, delimiter, csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE)
    header = [name.strip() for name in next(rows, (1, []))[1]]
    absent = [name for name in columns if name not in header]
    if absent:
        kind = "tabs" if delimiter == "\t" else "commas"
        raise UserError(
            f"{path}: row 1 has the columns {header[:6]}, without {absent[:3]}; expected a table separated by {kind}; "
            "take the file as downloaded, not as a spreadsheet saved it"
        )
    indexes = [header.index(name) for name in columns]
    for row, cells in rows:
        if len(cells) <= max(indexes):
            raise UserError(
                f"{path}: row {row} has {len(cells)} cells, expected {len(header)}; download the file again"
            )
        yield row, [cells[i].strip() for i in indexes] + [cell.strip() for cell in cells[len(header) :]]


def _rows(path: Path, delimiter: str, quoting: Literal[0, 3]) -> Iterator[tuple[int, list[str]]]:
    """Yield (row, cells) of the lines that are not blank; each is parsed alone, so no quote swallows the next."""
    lines = read_text(path).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for row, line in enumerate(lines, 1):
        try:
            cells = next(csv.reader([line + "\n"], delimiter=delimiter, quoting=quoting), [])
        except csv.Error as error:
            raise UserError(f"{path}: row {row} is not readable ({error}); download the file again") from None
        if any("\n" in cell for cell in cells):
            raise UserError(
                f"{path}: row {row}: found {line[:80]!r} with a quote that is never closed, expected quotes in pairs; "
                "download the file again"
            )
        if any(cell.strip() for cell in cells):
            yield row, cells


def once(rows: dict[str, int], key: str, path: Path, row: int, column: str) -> None:
    """Note the row of ``key`` in ``rows``, or say that it has one already.

    Raises:
        UserError: it has.
    """
    if (first := rows.setdefault(key, row)) != row:
        raise UserError(
            f"{path}: row {row}, column {column}: found {key!r}, which row {first} describes already, expected it "
            "once; take the file as downloaded"
        )


def to_int(text: str, path: Path, row: int, column: str) -> int:
    """Return the whole number in a cell, or say which cell holds none."""
    try:
        return int(text)
    except ValueError:
        raise UserError(
            f"{path}: row {row}, column {column}: found {text!r}, expected a whole number; download the file again"
        ) from None


def audio_duration_s(path: Path) -> float | None:
    """Return the length of an audio file, None where it cannot be read or claims more than a day."""
    from ..signal.decode import DecodeError, duration_s

    try:
        seconds = duration_s(path)
    except DecodeError as error:
        logger.warning("%s: %s: %s", path, error.reason, error)
        return None
    return seconds if 0 < seconds < MAX_DURATION_S else None
