"""How scores grow with training: a study of models, or of one model's snapshots, after ever more updates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..artefacts.table import StudyRow
from ..config.recipes import training_of
from .cells import Column, StudyTable
from .svg import Chart, Series, line_chart

LEAST = 3  # trained models of one kind that make a curve
NAMES = {"hubert": "MusicHuBERT", "data2vec": "Music2Vec"}


class Growth(NamedTuple):
    """One chart for each metric of a study."""

    charts: list[Chart]


def growth_view(table: StudyTable, recipes: Sequence[dict[str, Any]]) -> Growth | None:
    """Return a chart for each metric of a study, or None where fewer than three models of a kind make a curve.

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
    charts = []
    for column in table.columns:
        series = [*lines(table, column, curves), *floors(table, column, most)]
        name = f"{column.task}, {column.label}"
        if series:
            charts.append(Chart(name, line_chart(name, series, "updates"), series))
    return Growth(charts)


def ordered(table: StudyTable, entries: Mapping[str, Any], kind: str) -> list[tuple[int, str]]:
    """Return (updates, model) of a kind's models and untrained baseline in the table, fewest updates first."""
    names = [name for name in (*table.models, *table.floor_models) if entries.get(name, {}).get("kind") == kind]
    return sorted((entries[name]["updates"], name) for name in names)


def lines(table: StudyTable, column: Column, curves: Mapping[str, Sequence[tuple[int, str]]]) -> list[Series]:
    """Return the curve of each kind on one metric, times 100; dots are better than the untrained baseline."""
    found = []
    for kind, style in zip(NAMES, ("first", "second")):
        points, dots = [], []
        for updates, model in curves.get(kind, ()):
            mean = table.mean(model, column)
            if mean is not None:
                points.append((float(updates), 100 * mean))
                gain = table.gain(model, column, StudyRow.over_untrained)
                dots += points[-1:] if gain and gain.low > 0 else []
        if points:
            found.append(Series(NAMES[kind], points, style, dots=dots))
    return found


def floors(table: StudyTable, column: Column, most: int) -> list[Series]:
    """Return the scores that no encoder is needed for, as level lines, times 100."""
    means = [(name, table.mean(name, column)) for name in ("mfcc", "constant") if name in table.floor_models]
    levels = [(name, 100 * mean) for name, mean in means if mean is not None]
    return [
        Series(f"{name} ({level:.1f})", [(0.0, level), (float(most), level)], "reference") for name, level in levels
    ]
