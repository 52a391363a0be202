"""A user's table of what sounds when in a corpus: CSV with file, start_s, end_s and one column a kind of annotation."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from ..runtime import UserError

FIXED = ("file", "start_s", "end_s")
Intervals = dict[str, list[tuple[float, float, int]]]


def read_annotations(path: str | Path) -> Mapping[str, tuple[list[str], Intervals]]:
    """Read a table of annotations: for each kind the names of its classes and the intervals of each file."""
    with open(path, newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        columns = reader.fieldnames or []
        if missing := [name for name in FIXED if name not in columns]:
            raise UserError(f"{path}: no column {missing[0]!r} among {', '.join(columns)}; expected {', '.join(FIXED)}")
        numbers: dict[str, dict[str, int]] = {name: {} for name in columns if name not in FIXED}
        intervals: dict[str, Intervals] = {name: {} for name in numbers}
        for row in reader:
            try:
                start_s, end_s = float(row["start_s"]), float(row["end_s"])
            except (TypeError, ValueError):
                raise UserError(
                    f"{path}, line {reader.line_num}: found {row['start_s']!r} to {row['end_s']!r}, expected seconds"
                ) from None
            for kind, number in numbers.items():
                if row[kind]:
                    value = number.setdefault(row[kind], len(number))
                    intervals[kind].setdefault(row["file"], []).append((start_s, end_s, value))
    return {kind: (list(number), intervals[kind]) for kind, number in numbers.items() if number}
