"""One study of the page: its table with floors and printed values, and interval plots of the same cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .markup import Child, Markup, details, figure, grid, join, tag
from .markup import table as html_table
from .paper import AVERAGE, STATE_OF_THE_ART, paper_value
from .svg import Interval, interval_plot
from .tables import GAIN, OK, OVER_TWIN, Row

PANEL_COLUMNS = 8
BELOW, NEAR, ABOVE = "below", "near", "above"
MARKS = {BELOW: "▼ at floor", NEAR: "≈ floor"}
PLOT_KEY = (
    "Dot: our mean, on its 95 % interval. Diamond: the paper. Shaded: at or below the best floor; models whose mean is "
    "there are red. Floors are grey."
)
METRIC_NAMES = {
    "accuracy": "accuracy",
    "accuracy_recording": "accuracy, recordings",
    "roc_auc": "ROC-AUC",
    "ap": "AP",
    "r2_valence": "R² valence",
    "r2_arousal": "R² arousal",
    "key_score": "key score",
    "key_score_symmetric": "key score, both fifths",
    "key_score_rule": "key score, best rule on validation",
    "beat_f70": "beat F, 70 ms",
    "beat_f20": "beat F, 20 ms",
    "beat_f70_micro": "beat F, 70 ms, pooled",
    "beat_f20_micro": "beat F, 20 ms, pooled",
    AVERAGE[1]: "nine tasks",
}


class Column(NamedTuple):
    """One column of a study's table."""

    task: str
    metric: str


class Floor(NamedTuple):
    """The best that something without learning scored in a column."""

    value: float
    name: str


class Gain(NamedTuple):
    """A paired difference and its 95 % interval, times 100."""

    mean: float
    low: float
    high: float


class StudyTable:
    """The rows of one ``table.csv``, by cell."""

    def __init__(self, name: str, study: Mapping[str, Any], rows: Sequence[Row]) -> None:
        self.name, self.study, self.rows = name, study, rows
        self.cells = {(row["model"], Column(row["task"], row["metric"])): row for row in rows}
        self.models = list(dict.fromkeys(row["model"] for row in rows if row["role"] == "model"))
        self.floor_models = list(dict.fromkeys(row["model"] for row in rows if row["role"] == "floor"))
        ran = [Column(row["task"], row["metric"]) for row in rows if row["status"] == OK]
        declared = dict.fromkeys(Column(row["task"], row["metric"]) for row in rows)
        self.columns = [column for column in declared if column in ran]
        self.floors = {column: floor for column in self.columns if (floor := self._best_floor(column))}

    def _best_floor(self, column: Column) -> Floor | None:
        """Return the highest floor model or trivial answer of a column."""
        found = [Floor(float(row["mean"]), model) for model in self.floor_models if (row := self.ran(model, column))]
        trivial = self.trivial(column)
        if trivial is not None:
            found.append(Floor(trivial, "trivial answer"))
        return max(found, default=None)

    def trivial(self, column: Column) -> float | None:
        """Return what the best answer without looking at the input scores."""
        for model in (*self.floor_models, *self.models):
            row = self.ran(model, column)
            if row and row["trivial"]:
                return float(row["trivial"])
        return None

    def ran(self, model: str, column: Column) -> Row | None:
        """Return a cell if it was run."""
        row = self.cells.get((model, column))
        return row if row and row["status"] == OK else None

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
        if row is None or floor is None or model in self.floor_models:
            return None
        if float(row["mean"]) <= floor.value:
            return BELOW
        return NEAR if row["low"] and float(row["low"]) <= floor.value else ABOVE

    def verdicts(self) -> list[str]:
        """Return the verdict of every single-task cell of a model."""
        cells = [self.verdict(m, c) for m in self.models for c in self.columns if c.task != AVERAGE[0]]
        return [verdict for verdict in cells if verdict]


def study_part(table: StudyTable) -> Markup:
    """Return the heading, tables and plots of one study."""
    parts: list[Child] = [tag("h3", f"{table.name}: {table.study['title']}"), tag("p", table.study["question"])]
    parts.append(not_run_sentence(table))
    if table.columns:
        parts += [panel_table(table, columns) for columns in panels(table.columns)]
        parts += [gains_part(table, GAIN), gains_part(table, OVER_TWIN)]
        parts.append(details("The same cells as intervals", tag("p", PLOT_KEY, class_="note"), grid(plots(table))))
    return tag("article", *parts, id=f"study-{table.name}")


def not_run_sentence(table: StudyTable) -> Markup | None:
    """Return which declared models and tasks have no result at all."""
    ran_tasks = {column.task for column in table.columns}
    tasks = [task for task in dict.fromkeys(row["task"] for row in table.rows) if task not in ran_tasks]
    models = [model for model in table.models if not table.has_run(model)]
    parts = [f"{kind} {', '.join(names)}" for kind, names in (("models", models), ("tasks", tasks)) if names]
    return tag("p", f"Declared but not run: {'; '.join(parts)}.", class_="note") if parts else None


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


def panel_table(table: StudyTable, columns: Sequence[Column]) -> Markup:
    """Return some columns of a study as a table: models, then floors, then what the paper cites as best."""
    tasks = list(dict.fromkeys(column.task for column in columns))
    top = [tag("th", "Model", scope="col", rowspan=2)]
    top += [tag("th", task, scope="colgroup", colspan=sum(c.task == task for c in columns)) for task in tasks]
    second = [tag("th", METRIC_NAMES.get(c.metric, c.metric), scope="col") for c in columns]
    body = [line(model, (cell(table, model, c) for c in columns)) for model in table.models]
    for i, model in enumerate(table.floor_models):
        body.append(line(model, (cell(table, model, c) for c in columns), "floor" if i else "floor first"))
    body.append(line("trivial answer", (trivial_cell(table, c) for c in columns), "floor"))
    if table.study["paper_table"] == 1:
        body.append(line("state of the art, 2023", (cited_cell(c) for c in columns)))
    content = tag("table", tag("thead", tag("tr", *top), tag("tr", *second)), tag("tbody", *body), class_="scores")
    return tag("div", content, class_="scroll", tabindex="0")


def gains_part(table: StudyTable, pairing: Sequence[str]) -> Markup | None:
    """Return paired differences to another model; one whose interval leaves out 0 is bold."""
    columns = [column for column in table.columns if any(gain_of(table, m, column, pairing) for m in table.models)]
    if not columns:
        return None
    shown = [*table.models, *table.floor_models]
    models = [model for model in shown if any(gain_of(table, model, column, pairing) for column in columns)]
    others = dict.fromkeys(row[pairing[0]] for row in table.rows if row.get(pairing[0]))
    name = "the untrained twin" if pairing is OVER_TWIN else join(others)
    note = f"Score minus that of {' or '.join(others)} on the same test items, and its 95 % interval; bold without 0."
    parts: list[Child] = [tag("p", note, class_="note")]
    for group in panels(columns):
        head = ["Model", *(join([c.task, tag("small", METRIC_NAMES.get(c.metric, c.metric))]) for c in group)]
        parts.append(
            html_table(head, [[m, *(gain_cell(gain_of(table, m, c, pairing)) for c in group)] for m in models])
        )
    return details(join(["Paired differences to ", name]), *parts)


def gain_of(table: StudyTable, model: str, column: Column, pairing: Sequence[str]) -> Gain | None:
    """Return a cell's paired difference."""
    row = table.ran(model, column)
    if not row or not row.get(pairing[1]):
        return None
    return Gain(*(float(row[name]) for name in pairing[1:]))


def gain_cell(gain: Gain | None) -> Markup:
    """Return one paired difference."""
    if gain is None:
        return tag("span", "–")
    mean = tag("b" if gain.low > 0 or gain.high < 0 else "span", f"{gain.mean:+.1f}")
    return join([mean, tag("small", f"[{gain.low:+.1f}, {gain.high:+.1f}]")])


def line(name: str, cells: Iterable[Markup], class_: str | None = None) -> Markup:
    """Return one row of a study's table."""
    return tag("tr", tag("th", name, scope="row"), *cells, class_=class_)


def trivial_cell(table: StudyTable, column: Column) -> Markup:
    """Return what the best answer without looking scores, bold where it is the best floor."""
    value = table.trivial(column)
    if value is None:
        return tag("td", "–")
    best = column in table.floors and table.floors[column].name == "trivial answer"
    return tag("td", tag("b" if best else "span", f"{value:.1f}", class_="mean"))


def cited_cell(column: Column) -> Markup:
    """Return the best result the paper cites."""
    value = paper_value(STATE_OF_THE_ART, column.task, column.metric, 1)
    return tag("td", "–" if value is None else tag("small", f"paper {value:.1f}", class_="paper"))


def cell(table: StudyTable, model: str, column: Column) -> Markup:
    """Return one cell: mean and standard deviation, interval, the paper's value, and how it stands to the floor."""
    row = table.ran(model, column)
    declared = table.cells.get((model, column), {})
    paper = tag("small", f"paper {declared['paper']}", class_="paper") if declared.get("paper") else None
    if row is None:
        return tag("td", tag("span", "not run", class_="absent"), paper, class_="gap")
    verdict = table.verdict(model, column)
    spread = tag("span", f" ± {float(row['std']):.1f}", class_="sd") if row["std"] else None
    mean = tag("b" if is_best(table, model, column) else "span", f"{float(row['mean']):.1f}", class_="mean")
    interval = tag("small", f"[{float(row['low']):.1f}, {float(row['high']):.1f}]") if row["low"] else None
    mark = tag("small", MARKS[verdict], class_="mark") if verdict in MARKS else None
    tip = f"{model}, {column.task}, {column.metric}: {row['mean']}"
    if row["num_test"]:
        tip += f"; {row['num_test']} test items, {row['seeds']} seeds"
    return tag("td", tag("div", mean, spread), interval, paper, mark, class_=verdict, title=tip)


def is_best(table: StudyTable, model: str, column: Column) -> bool:
    """Tell whether a model has the highest mean of its kind, models or floors, in a column."""
    if model in table.floor_models:
        return column in table.floors and table.floors[column].name == model
    means = {m: float(row["mean"]) for m in table.models if (row := table.ran(m, column))}
    return means[model] == max(means.values())


def plots(table: StudyTable) -> Iterator[Markup]:
    """Yield one interval plot a column."""
    for column in table.columns:
        rows = [interval(table, model, column, "first") for model in table.models]
        rows += [interval(table, model, column, "muted") for model in table.floor_models]
        name = f"{column.task}, {METRIC_NAMES.get(column.metric, column.metric)}"
        floor = table.floors.get(column)
        best = f", best floor {floor.value:.1f} ({floor.name})" if floor else ""
        caption = join([tag("strong", name), best])
        yield figure(caption, interval_plot(f"{table.name}: {name}{best}", rows, floor.value if floor else None))


def interval(table: StudyTable, model: str, column: Column, style: str) -> Interval:
    """Return one row of an interval plot."""
    declared, row = table.cells.get((model, column), {}), table.ran(model, column) or {}
    mean, low, high = (float(row[key]) if row.get(key) else None for key in ("mean", "low", "high"))
    paper = float(declared["paper"]) if declared.get("paper") else None
    return Interval(model, mean, low, high, paper, "warn" if table.verdict(model, column) == BELOW else style)
