"""The summary of one branch and the table of one study, from the scores of probes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..artefacts.scores import Scores, read_scores
from ..artefacts.table import StudyRow, SummaryRow
from ..runtime import UserError
from .paired import paired_difference
from .paper import AVERAGE, AVERAGED_TASKS, TASKS, average_score, paper_value

VERSION = 1
Cells = dict[tuple[str, str], Scores]
OK, NOT_RUN = "ok", "not run"


def read_cells(paths: Iterable[str | Path], expected: Mapping[str, str]) -> Cells:
    """Read ``metrics.json`` files by (model, task), in the order given.

    Args:
        paths: one file for each model and task.
        expected: digest by ``model/task``.

    Raises:
        UserError: a file is damaged, was made by another recipe than the configuration's, or nobody asked for it.
    """
    cells: Cells = {}
    for path in paths:
        scores = read_scores(path)
        name = f"{scores.model}/{scores.task}"
        if scores.digest != expected.get(name):
            raise UserError(
                f"{path}: made by recipe {scores.digest}, expected {expected.get(name, 'no result')} for {name}; "
                "delete it and run the workflow again"
            )
        cells[scores.model, scores.task] = scores
    return cells


def means_of(cells: Cells, model: str) -> dict[tuple[str, str], float]:
    """Return the means of one model by (task, metric), scale 0 to 1."""
    return {
        (task, name): metric.mean
        for (of_model, task), scores in cells.items()
        if of_model == model
        for name, metric in scores.metrics.items()
    }


def score_columns(scores: Scores, metric: str) -> dict[str, Any]:
    """Return the columns that tell one metric of one probe."""
    found = scores.metrics[metric]
    values = {name: getattr(found, name) for name in ("mean", "std", "low", "high")}
    return values | {"num_test": scores.num_items["test"], "seeds": len(found.seeds), "digest": scores.digest}


def paired_columns(name: str, gain: str, scores: Scores, other_model: str, cells: Cells, metric: str) -> dict[str, Any]:
    """Return the paired difference to another model's probe of the same task, if there is one.

    Args:
        name: column of the other model.
        gain: column of the difference; its interval's are ``{gain}_low`` and ``{gain}_high``.
        scores: of the one.
        other_model: name of the other.
        cells: all that were computed.
        metric: its name.
    """
    other = cells.get((other_model, scores.task))
    found = paired_difference(scores, other, metric) if other and other is not scores else None
    if found is None:
        return {}
    return {name: other_model, gain: found.mean, f"{gain}_low": found.low, f"{gain}_high": found.high}


def paper_column(model: str, task: str, metric: str, table: int = 0) -> float | None:
    """Return the printed value on the scale 0 to 1."""
    value = paper_value(model, task, metric, table)
    return None if value is None else round(value / 100, 6)


def branch_rows(model: str, cells: Cells, floor_cells: Cells, floors: Mapping[str, str]) -> list[SummaryRow]:
    """Return the summary of one model: a row for each metric, with the floors and the paper beside it.

    Args:
        model: the branch.
        cells: its scores.
        floor_cells: scores of the floors on the same tasks.
        floors: model name by role ``constant``, ``mfcc`` and ``random``.

    Returns:
        A row for each metric; the average comes last where all nine tasks are there.
    """
    floor_means = {f"floor_{role}": means_of(floor_cells, name) for role, name in floors.items()}
    rows = []
    for (_, task), scores in cells.items():
        for metric in scores.metrics:
            values: dict[str, Any] = {column: means.get((task, metric)) for column, means in floor_means.items()}
            values |= {"paper": paper_column(model, task, metric), **score_columns(scores, metric)}
            rows.append(SummaryRow(model=model, task=task, metric=metric, **values))
    average = average_score(means_of(cells, model))
    if average is not None:
        values = {column: average_score(means) for column, means in floor_means.items()}
        values |= {"mean": average, "paper": paper_column(model, *AVERAGE)}
        rows.append(SummaryRow(model=model, task=AVERAGE[0], metric=AVERAGE[1], **values))
    return rows


def study_rows(
    study: Mapping[str, Any],
    cells: Cells,
    selected: Mapping[str, Sequence[str]],
    floors: Sequence[str],
    baselines: Mapping[str, str],
) -> list[StudyRow]:
    """Return the long table of one study: every declared model, then the floors, on every declared task.

    Args:
        study: name, models, tasks and paper_table of the study.
        cells: the scores that were computed.
        selected: the models and tasks that were asked for.
        floors: names of the floor models.
        baselines: name of the untrained encoder of the same paradigm, by model.

    Returns:
        Declared cells without a result have the status "not run". ``gain`` and ``over_baseline`` are paired
        differences: to the study's first selected model and to the untrained baseline. Where the study declares all
        nine tasks of the paper's average, each model ends with it.

    Raises:
        UserError: a cell that was asked for has no scores.
    """
    require_selected(study, cells, selected)
    metrics_of = {task: metric_names(task, cells) for task in study["tasks"]}
    reference = next((name for name in study["models"] if name in selected["models"]), "")
    rows = []
    for model in dict.fromkeys([*study["models"], *floors]):
        role = "floor" if model in floors else "model"
        for task, names in metrics_of.items():
            for metric in names:
                values: dict[str, Any] = {"paper": paper_column(model, task, metric, study["paper_table"])}
                found = cells.get((model, task))
                if found:
                    values |= score_columns(found, metric) | {"trivial": found.floor.get(metric)}
                    values |= paired_columns("reference", "gain", found, reference, cells, metric)
                    other = baselines.get(model, "")
                    values |= paired_columns("baseline", "over_baseline", found, other, cells, metric)
                status = OK if found else NOT_RUN
                rows.append(StudyRow(model=model, role=role, task=task, metric=metric, status=status, **values))
        if set(AVERAGED_TASKS) <= set(study["tasks"]):
            average = average_score(means_of(cells, model))
            values = {"mean": average, "paper": paper_column(model, *AVERAGE, study["paper_table"])}
            status = NOT_RUN if average is None else OK
            rows.append(StudyRow(model=model, role=role, task=AVERAGE[0], metric=AVERAGE[1], status=status, **values))
    return rows


def require_selected(study: Mapping[str, Any], cells: Cells, selected: Mapping[str, Sequence[str]]) -> None:
    """Check that every cell of a study that was asked for has scores.

    Raises:
        UserError: one has none.
    """
    for model in (name for name in study["models"] if name in selected["models"]):
        for task in (name for name in study["tasks"] if name in selected["tasks"]):
            if (model, task) not in cells:
                raise UserError(
                    f"study {study['name']}: found no metrics.json of {model}/{task}, which is selected; "
                    "run its probe or take it out of the selection"
                )


def metric_names(task: str, cells: Cells) -> list[str]:
    """Return the metrics some probe computed for a task, else those the paper prints, else one nameless."""
    for (_, of_task), scores in cells.items():
        if of_task == task:
            return list(scores.metrics)
    return list(TASKS[task][1]) if task in TASKS else [""]
