"""The cells of one study's table: what ran, the best floor of a column, and how a score stands to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..artefacts.table import Gain, StudyRow
from ..tasks.kinds import LABELS
from .paper import AVERAGE
from .tables import OK

PANEL_COLUMNS = 8
ROUNDING = 1e-9  # two means of the same values may differ by as much, depending on the number of seeds
TRIVIAL = "trivial answer"
BELOW, NEAR, ABOVE = "below", "near", "above"
METRIC_NAMES = LABELS | {AVERAGE[1]: "nine tasks"}
Pairing = Callable[[StudyRow], Gain | None]


class Column(NamedTuple):
    """One column of a study's table."""

    task: str
    metric: str

    @property
    def label(self) -> str:
        """The metric as it is printed."""
        return METRIC_NAMES.get(self.metric, self.metric)


class Floor(NamedTuple):
    """The best that something without learning scored in a column, scale 0 to 1."""

    value: float
    name: str


class StudyTable:
    """The rows of one ``table.csv``, by cell."""

    def __init__(self, name: str, study: Mapping[str, Any], rows: Sequence[StudyRow]) -> None:
        self.name, self.study, self.rows = name, study, rows
        self.cells = {(row.model, Column(row.task, row.metric)): row for row in rows}
        self.models = list(dict.fromkeys(row.model for row in rows if row.role == "model"))
        self.floor_models = list(dict.fromkeys(row.model for row in rows if row.role == "floor"))
        ran = {Column(row.task, row.metric) for row in rows if row.status == OK}
        declared = dict.fromkeys(Column(row.task, row.metric) for row in rows)
        self.columns = [column for column in declared if column in ran]
        self.floors = {column: floor for column in self.columns if (floor := self._best_floor(column))}

    def _best_floor(self, column: Column) -> Floor | None:
        """Return the highest floor model or trivial answer of a column."""
        means = [(model, self.mean(model, column)) for model in self.floor_models]
        found = [Floor(mean, model) for model, mean in means if mean is not None]
        trivial = self.trivial(column)
        if trivial is not None:
            found.append(Floor(trivial, TRIVIAL))
        return max(found, default=None)

    def trivial(self, column: Column) -> float | None:
        """Return what the best answer without looking at the input scores."""
        for model in (*self.floor_models, *self.models):
            row = self.ran(model, column)
            if row and row.trivial is not None:
                return row.trivial
        return None

    def ran(self, model: str, column: Column) -> StudyRow | None:
        """Return a cell if it was run."""
        row = self.cells.get((model, column))
        return row if row and row.status == OK else None

    def mean(self, model: str, column: Column) -> float | None:
        """Return the score of a cell if it was run."""
        row = self.ran(model, column)
        return row.mean if row else None

    def gain(self, model: str, column: Column, pairing: Pairing) -> Gain | None:
        """Return the paired difference of a cell, if it has one."""
        row = self.ran(model, column)
        return pairing(row) if row else None

    def has_run(self, model: str) -> bool:
        """Tell whether a model has any result."""
        return any(self.ran(model, column) for column in self.columns)

    def probes(self) -> tuple[int, int]:
        """Return how many (model, task) pairs ran and how many are declared, floors and averages aside."""
        declared = {cell for cell in self.cells if cell[0] in self.models and cell[1].task != AVERAGE[0]}
        ran = {(model, column.task) for model, column in declared if self.ran(model, column)}
        return len(ran), len({(model, column.task) for model, column in declared})

    def verdict(self, model: str, column: Column) -> str | None:
        """Return where a model's cell stands against the best floor: below, near (interval reaches it) or above."""
        row, floor = self.ran(model, column), self.floors.get(column)
        if row is None or row.mean is None or floor is None or model in self.floor_models:
            return None
        if row.mean <= floor.value + ROUNDING:
            return BELOW
        return NEAR if row.low is not None and row.low <= floor.value + ROUNDING else ABOVE

    def verdicts(self) -> list[str]:
        """Return the verdict of every single-task cell of a model."""
        cells = [self.verdict(m, c) for m in self.models for c in self.columns if c.task != AVERAGE[0]]
        return [verdict for verdict in cells if verdict]

    def is_best(self, model: str, column: Column) -> bool:
        """Tell whether a model has the highest mean of its kind, models or floors, in a column."""
        if model in self.floor_models:
            return column in self.floors and self.floors[column].name == model
        means = [mean for other in self.models if (mean := self.mean(other, column)) is not None]
        return self.mean(model, column) == max(means, default=None)


def panels(columns: Sequence[Column]) -> Iterator[list[Column]]:
    """Yield the columns in groups that fit a page, never cutting a task in two."""
    group: list[Column] = []
    for task in dict.fromkeys(column.task for column in columns):
        of_task = [column for column in columns if column.task == task]
        if group and len(group) + len(of_task) > PANEL_COLUMNS:
            yield group
            group = []
        group = group + of_task
    yield group
