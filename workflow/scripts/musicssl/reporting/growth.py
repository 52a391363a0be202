"""How scores grow with training: a study of models, or of one model's snapshots, after ever more updates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..config.recipes import training_of
from .markup import Child, Markup, figure, grid, join, tag
from .studies import METRIC_NAMES, Column, StudyTable, gain_of
from .svg import Series, legend, line_chart
from .tables import OVER_TWIN

LEAST = 3  # trained models of one kind that make a curve
NAMES = {"hubert": "MusicHuBERT", "data2vec": "Music2Vec"}
KEY = (
    "Each line is an encoder after ever more updates; 0 is the untrained twin. A dot: better than the twin, the paired "
    "95 % interval lies above 0. Pre-training is worth something on a task where dots stand above the dashed lines."
)


def growth_part(table: StudyTable, recipes: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Return a chart for each metric of a study, or nothing where fewer than three models of a kind make a curve.

    Args:
        table: of the study.
        recipes: of all artefacts of the run; the models' say kind and updates.
    """
    models = [recipe for recipe in recipes if recipe["noun"] == "models"]
    kinds = {m["name"]: training_of(m)["entry"]["kind"] for m in models}
    entries = {m["name"]: m["entry"] | {"kind": kinds[m["name"]]} for m in models}
    curves = {kind: ordered(table, entries, kind) for kind in NAMES}
    curves = {kind: models for kind, models in curves.items() if sum(u > 0 for u, _ in models) >= LEAST}
    if not curves:
        return None
    most = max(updates for models in curves.values() for updates, _ in models)
    charts: list[Child] = []
    for column in table.columns:
        series = [*lines(table, column, curves), *floors(table, column, most)]
        name = f"{column.task}, {METRIC_NAMES.get(column.metric, column.metric)}"
        if series:
            charts.append(figure(name, join([line_chart(name, series, "updates"), legend(series)])))
    return join([tag("p", KEY, class_="note"), grid(charts)])


def ordered(table: StudyTable, entries: Mapping[str, Any], kind: str) -> list[tuple[int, str]]:
    """Return (updates, model) of a kind's models and untrained twin in the table, fewest updates first."""
    names = [name for name in (*table.models, *table.floor_models) if entries.get(name, {}).get("kind") == kind]
    return sorted((entries[name]["updates"], name) for name in names)


def lines(table: StudyTable, column: Column, curves: Mapping[str, Sequence[tuple[int, str]]]) -> list[Series]:
    """Return the curve of each kind on one metric."""
    found = []
    for kind, style in zip(NAMES, ("first", "second")):
        points, dots = [], []
        for updates, model in curves.get(kind, ()):
            if row := table.ran(model, column):
                points.append((float(updates), float(row["mean"])))
                gain = gain_of(table, model, column, OVER_TWIN)
                dots += points[-1:] if gain and gain.low > 0 else []
        if points:
            found.append(Series(NAMES[kind], points, style, dots=dots))
    return found


def floors(table: StudyTable, column: Column, most: int) -> list[Series]:
    """Return the scores that no encoder is needed for, as level lines."""
    rows = [(name, table.ran(name, column)) for name in ("mfcc", "constant") if name in table.floor_models]
    levels = [(name, float(row["mean"])) for name, row in rows if row]
    return [
        Series(f"{name} ({level:.1f})", [(0.0, level), (float(most), level)], "reference") for name, level in levels
    ]
