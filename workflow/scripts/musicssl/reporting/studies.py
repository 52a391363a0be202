"""What the page shows of one study: its table with floors and printed values, paired differences, interval plots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from ..artefacts.table import Gain, StudyRow
from .cells import BELOW, TRIVIAL, Column, Floor, Pairing, StudyTable, panels
from .growth import Growth
from .paper import STATE_OF_THE_ART, paper_value
from .svg import Interval, interval_plot


class Cell(NamedTuple):
    """One cell of a study's table; ``row`` is None where the table has none, its mean is None where it was not run."""

    model: str
    column: Column
    row: StudyRow | None
    mean: float | None
    is_best: bool
    verdict: str | None


class FloorCell(NamedTuple):
    """The trivial answer's score in one column, and whether it is the best floor."""

    value: float | None
    is_best: bool


class Panel(NamedTuple):
    """Some columns of a study's table.

    Attributes:
        tasks: each with its number of columns.
        columns: of all rows.
        models: name and cells of each model.
        floors: of each floor model.
        trivial: one for each column.
        cited: the best results that the paper cites, times 100; empty but for Table 1.
    """

    tasks: list[tuple[str, int]]
    columns: list[Column]
    models: list[tuple[str, list[Cell]]]
    floors: list[tuple[str, list[Cell]]]
    trivial: list[FloorCell]
    cited: list[float | None]


class GainPanel(NamedTuple):
    """Some columns of a table of paired differences, a row for each model."""

    columns: list[Column]
    rows: list[tuple[str, list[Gain | None]]]


class Gains(NamedTuple):
    """Paired differences to other models."""

    others: list[str]
    panels: list[GainPanel]


class Plot(NamedTuple):
    """The cells of one column as intervals."""

    column: Column
    floor: Floor | None
    drawing: Markup


class Study(NamedTuple):
    """One study as the page shows it."""

    name: str
    title: str
    question: str
    missing_models: list[str]
    missing_tasks: list[str]
    panels: list[Panel]
    over_reference: Gains | None
    over_baseline: Gains | None
    plots: list[Plot]
    growth: Growth | None


def study_view(table: StudyTable, growth: Growth | None) -> Study:
    """Return what the page shows of a study."""
    ran_tasks = {column.task for column in table.columns}
    tasks = dict.fromkeys(row.task for row in table.rows)
    return Study(
        name=table.name,
        title=table.study["title"],
        question=table.study["question"],
        missing_models=[model for model in table.models if not table.has_run(model)],
        missing_tasks=[task for task in tasks if task not in ran_tasks],
        panels=[panel(table, columns) for columns in panels(table.columns) if columns],
        over_reference=gains(table, StudyRow.over_reference),
        over_baseline=gains(table, StudyRow.over_untrained),
        plots=[plot(table, column) for column in table.columns],
        growth=growth,
    )


def panel(table: StudyTable, columns: Sequence[Column]) -> Panel:
    """Return some columns of a study's table: models, then floors, then what the paper cites as best."""
    tasks = dict.fromkeys(column.task for column in columns)
    is_first = table.study["paper_table"] == 1
    trivial = [table.trivial(column) for column in columns]
    best = [column in table.floors and table.floors[column].name == TRIVIAL for column in columns]
    return Panel(
        tasks=[(task, sum(column.task == task for column in columns)) for task in tasks],
        columns=list(columns),
        models=[(model, [cell(table, model, column) for column in columns]) for model in table.models],
        floors=[(model, [cell(table, model, column) for column in columns]) for model in table.floor_models],
        trivial=[FloorCell(*pair) for pair in zip(trivial, best)],
        cited=[paper_value(STATE_OF_THE_ART, c.task, c.metric, 1) for c in columns] if is_first else [],
    )


def cell(table: StudyTable, model: str, column: Column) -> Cell:
    """Return one cell with how it stands to the floor."""
    mean = table.mean(model, column)
    best = mean is not None and table.is_best(model, column)
    return Cell(model, column, table.cells.get((model, column)), mean, best, table.verdict(model, column))


def gains(table: StudyTable, pairing: Pairing) -> Gains | None:
    """Return the paired differences to another model, or None where there are none."""

    def of(model: str, column: Column) -> Gain | None:
        return table.gain(model, column, pairing)

    shown = [*table.models, *table.floor_models]
    columns = [column for column in table.columns if any(of(model, column) for model in table.models)]
    models = [model for model in shown if any(of(model, column) for column in columns)]
    if not columns:
        return None
    others = [gain.other for row in table.rows if (gain := pairing(row))]
    parts = [GainPanel(group, [(m, [of(m, column) for column in group]) for m in models]) for group in panels(columns)]
    return Gains(list(dict.fromkeys(others)), parts)


def plot(table: StudyTable, column: Column) -> Plot:
    """Return the interval plot of one column."""
    rows = [interval(table, model, column, "first") for model in table.models]
    rows += [interval(table, model, column, "muted") for model in table.floor_models]
    floor = table.floors.get(column)
    title = f"{table.name}: {column.task}, {column.label}"
    return Plot(column, floor, interval_plot(title, rows, 100 * floor.value if floor else None))


def interval(table: StudyTable, model: str, column: Column, style: str) -> Interval:
    """Return one row of an interval plot, times 100."""
    declared, row = table.cells.get((model, column)), table.ran(model, column)
    values = (row.mean, row.low, row.high) if row else (None, None, None)
    mean, low, high, paper = (
        None if value is None else 100 * value for value in (*values, declared.paper if declared else None)
    )
    return Interval(model, mean, low, high, paper, "warn" if table.verdict(model, column) == BELOW else style)
