"""The summary of one branch and the table of one study, from the probes' metric files.

Rows are dictionaries of text, ready for CSV: scores times 100 with two decimals, the paper's as printed, an empty
string where there is no value. Same files, same bytes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..artefacts import read_json, write_text
from ..runtime import UserError
from .paired import paired_difference
from .paper import AVERAGE, AVERAGED_TASKS, TASKS, average_score, paper_value

Row = dict[str, str]
Cells = dict[tuple[str, str], dict[str, Any]]
OK, NOT_RUN = "ok", "not run"
SCORE_COLUMNS = ("mean", "std", "low", "high", "num_test", "seeds")
FLOOR_ROLES = ("constant", "mfcc", "random")
SUMMARY_COLUMNS = ("model", "task", "metric", *SCORE_COLUMNS, *(f"floor_{r}" for r in FLOOR_ROLES), "paper", "digest")
GAIN = ("reference", "gain", "gain_low", "gain_high")  # over the study's first model
OVER_TWIN = ("twin", "over_twin", "over_twin_low", "over_twin_high")  # over the untrained encoder of the paradigm
TABLE_COLUMNS = (
    *("model", "role", "task", "metric", "status", *SCORE_COLUMNS, "trivial", "paper", *GAIN, *OVER_TWIN, "digest"),
)


def percent(value: float | None) -> str:
    """Return a score of scale 0..1 times 100 with two decimals; None gives an empty string."""
    if value is None:
        return ""
    text = f"{100 * value:.2f}"
    return "0.00" if text == "-0.00" else text


def read_metrics(paths: Iterable[str | Path], expected: Mapping[str, str]) -> Cells:
    """Read ``metrics.json`` files by (model, task), in the order given.

    Args:
        paths: one file for each model and task.
        expected: digest by ``model/task``.

    Raises:
        UserError: a file was made by another recipe than the configuration's, or nobody asked for it.
    """
    cells: Cells = {}
    for path in paths:
        metrics = read_json(path)
        name = f"{metrics['model']}/{metrics['task']}"
        if metrics["digest"] != expected.get(name):
            raise UserError(
                f"{path}: made by recipe {metrics['digest']}, expected {expected.get(name, 'no result')} for {name}; "
                "delete it and run the workflow again"
            )
        cells[metrics["model"], metrics["task"]] = metrics
    return cells


def scores_of(cells: Cells, model: str) -> dict[tuple[str, str], float]:
    """Return the means of one model by (task, metric), scale 0..1."""
    return {
        (task, metric): values["mean"]
        for (of_model, task), metrics in cells.items()
        if of_model == model
        for metric, values in metrics["metrics"].items()
    }


def score_columns(metrics: Mapping[str, Any], metric: str) -> Row:
    """Return the columns that tell one metric of one ``metrics.json``."""
    values = metrics["metrics"][metric]
    row = {name: percent(values[name]) for name in ("mean", "std", "low", "high")}
    return row | {"num_test": str(metrics["num_items"]["test"]), "seeds": str(len(values["seeds"]))}


def paired_columns(
    columns: Sequence[str], metrics: Mapping[str, Any], other_model: str, cells: Cells, metric: str
) -> Row:
    """Return the paired difference to another model's probe of the same task, if there is one.

    Args:
        columns: names for the other model, the difference and its interval.
        metrics: ``metrics.json`` of the one.
        other_model: name of the other.
        cells: the metrics that were computed.
        metric: its name.
    """
    other = cells.get((other_model, metrics["task"]))
    found = paired_difference(metrics, other, metric) if other and other is not metrics else None
    if found is None:
        return {}
    return dict(zip(columns, (other_model, percent(found.mean), percent(found.low), percent(found.high)), strict=True))


def paper_column(model: str, task: str, metric: str, table: int = 0) -> str:
    """Return the printed value with its one decimal, or an empty string."""
    value = paper_value(model, task, metric, table)
    return "" if value is None else f"{value:.1f}"


def branch_rows(model: str, cells: Cells, floor_cells: Cells, floors: Mapping[str, str]) -> list[Row]:
    """Return the summary of one model: a row for each metric, with the floors and the paper beside it.

    Args:
        model: the branch.
        cells: its metrics.
        floor_cells: metrics of the floors on the same tasks.
        floors: model name by role ``constant``, ``mfcc`` and ``random``.

    Returns:
        Rows with :data:`SUMMARY_COLUMNS`; the average comes last where all nine tasks are there.
    """
    floor_scores = {role: scores_of(floor_cells, name) for role, name in floors.items()}
    rows = []
    for (_, task), metrics in cells.items():
        for metric in metrics["metrics"]:
            row = {"model": model, "task": task, "metric": metric, **score_columns(metrics, metric)}
            row |= {f"floor_{role}": percent(scores.get((task, metric))) for role, scores in floor_scores.items()}
            rows.append(row | {"paper": paper_column(model, task, metric), "digest": metrics["digest"]})
    average = average_score(scores_of(cells, model))
    if average is not None:
        row = {"model": model, "task": AVERAGE[0], "metric": AVERAGE[1], "mean": percent(average)}
        row |= {f"floor_{role}": percent(average_score(scores)) for role, scores in floor_scores.items()}
        rows.append(row | {"paper": paper_column(model, *AVERAGE)})
    return rows


def study_rows(
    study: Mapping[str, Any],
    cells: Cells,
    selected: Mapping[str, Sequence[str]],
    floors: Sequence[str],
    twins: Mapping[str, str],
) -> list[Row]:
    """Return the long table of one study: every declared model, then the floors, on every declared task.

    Args:
        study: name, models, tasks and paper_table of the study.
        cells: the metrics that were computed.
        selected: the models and tasks that were asked for.
        floors: names of the floor models.
        twins: name of the untrained encoder of the same paradigm, by model.

    Returns:
        Rows with :data:`TABLE_COLUMNS`; declared cells without a result have the status "not run". ``gain`` and
        ``over_twin`` are paired differences: to the study's first selected model and to the untrained twin. Where the
        study declares all nine tasks of the paper's average, each model ends with it.

    Raises:
        UserError: a cell that was asked for has no metrics.
    """
    for model in (name for name in study["models"] if name in selected["models"]):
        for task in (name for name in study["tasks"] if name in selected["tasks"]):
            if (model, task) not in cells:
                raise UserError(
                    f"study {study['name']}: found no metrics.json of {model}/{task}, which is selected; "
                    "run its probe or take it out of the selection"
                )
    metrics_of = {task: metric_names(task, cells) for task in study["tasks"]}
    reference = next((name for name in study["models"] if name in selected["models"]), "")
    rows = []
    for model in dict.fromkeys([*study["models"], *floors]):
        role = "floor" if model in floors else "model"
        for task, names in metrics_of.items():
            for metric in names:
                row = {"model": model, "role": role, "task": task, "metric": metric, "status": NOT_RUN}
                row["paper"] = paper_column(model, task, metric, study["paper_table"])
                found = cells.get((model, task))
                if found:
                    row |= score_columns(found, metric)
                    row |= paired_columns(GAIN, found, reference, cells, metric)
                    row |= paired_columns(OVER_TWIN, found, twins.get(model, ""), cells, metric)
                    row |= {"status": OK, "trivial": percent(found["floor"].get(metric)), "digest": found["digest"]}
                rows.append(row)
        if set(AVERAGED_TASKS) <= set(study["tasks"]):
            average = percent(average_score(scores_of(cells, model)))
            row = {"model": model, "role": role, "task": AVERAGE[0], "metric": AVERAGE[1], "mean": average}
            row |= {"status": OK if average else NOT_RUN, "paper": paper_column(model, *AVERAGE, study["paper_table"])}
            rows.append(row)
    return rows


def metric_names(task: str, cells: Cells) -> list[str]:
    """Return the metrics some probe computed for a task, else those the paper prints, else one nameless."""
    for (_, of_task), metrics in cells.items():
        if of_task == task:
            return list(metrics["metrics"])
    return list(TASKS[task][1]) if task in TASKS else [""]


def write_csv(path: str | Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write rows of text as CSV with a header; columns a row lacks stay empty."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, stream.getvalue())


def read_csv(path: str | Path) -> list[Row]:
    """Read a CSV file with a header as rows of text."""
    with Path(path).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
