"""Lists of what was not used: ``audio/{corpus}/quarantine.csv`` and ``tasks/{task}/skipped.csv``."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..runtime import UserError
from .plain import CURE
from .table import parse_csv


class SetAside(NamedTuple):
    """One audio file of a corpus or item of a task that was not used."""

    name: str
    reason: str
    detail: str


def read_set_aside(path: str | Path) -> list[SetAside]:
    """Read a list; its first column names the file or item.

    Raises:
        UserError: the file has no such columns, or a row is cut short.
    """
    head, *lines = parse_csv(Path(path).read_text(encoding="utf-8")) or [[]]
    if not {"reason", "detail"} <= set(head[1:]):
        raise UserError(f"{path}: found the columns {', '.join(head)}, expected a name, reason and detail; {CURE}")
    if short := [i for i, line in enumerate(lines, 2) if len(line) != len(head)]:
        raise UserError(f"{path}, row {short[0]}: found another number of cells than columns; {CURE}")
    reason, detail = head.index("reason"), head.index("detail")
    return [SetAside(line[0], line[reason], line[detail]) for line in lines]
