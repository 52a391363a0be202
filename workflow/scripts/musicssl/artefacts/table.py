"""Tables of scores: ``studies/{study}/table.csv`` and ``branches/{model}/summary.csv``.

Scores are on the scale 0 to 1 in full precision, the paper's printed values too; an empty cell is None. What people
read (times 100, one decimal) is made where it is shown.
"""

from __future__ import annotations

import csv
import io
import math
import typing
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ..runtime import UserError
from .plain import CURE
from .store import write_text

VERSION = 1


class Gain(NamedTuple):
    """A paired difference to another model on the same test units and its 95 % interval, scale 0 to 1."""

    other: str
    mean: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class StudyRow:
    """One metric of one model on one task in a study; the fields are the columns.

    Attributes:
        role: ``model`` or ``floor``.
        status: ``ok`` or ``not run``; what was not run has no values but the paper's.
        std: over probe seeds.
        low: of the 95 % bootstrap interval.
        high: of the same.
        num_test: items of the test split.
        seeds: their number.
        trivial: what the best answer without looking at the input scores.
        paper: what the paper prints.
        reference: the study's first model, which ``gain`` is a paired difference to.
        baseline: the untrained encoder of the same paradigm, which ``over_baseline`` is a paired difference to.
        digest: of the probe's recipe.
    """

    model: str
    role: str
    task: str
    metric: str
    status: str
    mean: float | None = None
    std: float | None = None
    low: float | None = None
    high: float | None = None
    num_test: int | None = None
    seeds: int | None = None
    trivial: float | None = None
    paper: float | None = None
    reference: str | None = None
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    baseline: str | None = None
    over_baseline: float | None = None
    over_baseline_low: float | None = None
    over_baseline_high: float | None = None
    digest: str | None = None

    def over_reference(self) -> Gain | None:
        """Return the paired difference to the study's first model."""
        return _gain(self.reference, self.gain, self.gain_low, self.gain_high)

    def over_untrained(self) -> Gain | None:
        """Return the paired difference to the untrained baseline."""
        return _gain(self.baseline, self.over_baseline, self.over_baseline_low, self.over_baseline_high)


@dataclass(frozen=True, kw_only=True)
class SummaryRow:
    """One metric of one branch on one task, floors beside it; the fields are the columns (see :class:`StudyRow`)."""

    model: str
    task: str
    metric: str
    mean: float | None = None
    std: float | None = None
    low: float | None = None
    high: float | None = None
    num_test: int | None = None
    seeds: int | None = None
    floor_constant: float | None = None
    floor_mfcc: float | None = None
    floor_random: float | None = None
    paper: float | None = None
    digest: str | None = None


T = TypeVar("T", StudyRow, SummaryRow)


def study_path(results: str | Path, study: str) -> Path:
    """Return where the table of a study lies."""
    return Path(results) / "studies" / study / "table.csv"


def summary_path(results: str | Path, model: str) -> Path:
    """Return where the summary of a branch lies."""
    return Path(results) / "branches" / model / "summary.csv"


def write_rows(path: str | Path, cls: type[T], rows: Iterable[T]) -> None:
    """Write rows of one class as CSV under its fields, whole or not at all; floats read back as they are.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(field.name for field in fields(cls))
    writer.writerows(map(_text, astuple(row)) for row in rows)
    write_text(path, stream.getvalue())


def read_rows(path: str | Path, cls: type[T]) -> list[T]:
    """Read rows of one class.

    Raises:
        UserError: the columns are not the class' fields, a row is cut short, a number is none.
    """
    columns = [field.name for field in fields(cls)]
    head, *lines = parse_csv(Path(path).read_text(encoding="utf-8")) or [[]]
    if head != columns:
        odd = sorted(set(head) ^ set(columns)) or head
        raise UserError(
            f"{path}: found other columns than expected (they differ in {', '.join(odd)}); it is damaged or of another "
            f"version, {CURE}"
        )
    kinds = _kinds(cls)
    return [_row(cls, kinds, line, f"{path}, row {i}") for i, line in enumerate(lines, 2)]


def parse_csv(text: str) -> list[list[str]]:
    """Return the cells of CSV text, the header first."""
    return list(csv.reader(io.StringIO(text, newline="")))


def _text(value: Any) -> str:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"a table of scores holds numbers, found {value}")
        return repr(value)
    return "" if value is None else str(value)


def _kinds(cls: type) -> dict[str, tuple[Any, bool]]:
    """Return, for each field, its type and whether it may be None."""
    hints = typing.get_type_hints(cls).items()
    return {name: ((typing.get_args(hint) or (hint,))[0], bool(typing.get_args(hint))) for name, hint in hints}


def _row(cls: type[T], kinds: dict[str, tuple[Any, bool]], cells: list[str], where: str) -> T:
    if len(cells) != len(kinds):
        raise UserError(f"{where}: found {len(cells)} cells, expected {len(kinds)}; {CURE}")
    values: dict[str, Any] = {}
    for (name, (kind, optional)), cell in zip(kinds.items(), cells):
        try:
            values[name] = None if optional and not cell else kind(cell)
        except ValueError:
            values[name] = math.nan
        if isinstance(values[name], float) and not math.isfinite(values[name]):
            raise UserError(f"{where}: {name}: found {cell!r}, expected a number; {CURE}")
    return cls(**values)


def _gain(other: str | None, mean: float | None, low: float | None, high: float | None) -> Gain | None:
    if other is None or mean is None or low is None or high is None:
        return None
    return Gain(other, mean, low, high)
