"""CSV tables of ours: one header, rows of as many cells, UTF-8, line ends of one kind."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..runtime import UserError
from .store import write_text

CURE = "delete it and run the workflow again"


def write_table(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table, whole or not at all."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_text(path, stream.getvalue())


def read_table(path: str | Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield (row, cells) of a table that :func:`write_table` wrote; the header is row 1.

    Raises:
        UserError: the file is missing, its header is another one, or a row has too few or too many cells.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: missing; run the workflow again") from None
    rows = csv.reader(io.StringIO(text, newline=""))
    if (found := next(rows, [])) != list(columns):
        raise UserError(f"{path}: row 1 has the columns {found}, expected {list(columns)}; {CURE}")
    if not text.endswith("\n"):
        raise UserError(f"{path}: the last of {text.count(chr(10)) + 1} rows is cut short; {CURE}")
    for row, cells in enumerate(rows, 2):
        if len(cells) != len(columns):
            raise UserError(f"{path}: row {row} has {len(cells)} cells, expected {len(columns)}; {CURE}")
        yield row, cells
