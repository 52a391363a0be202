"""Summaries of branches and tables of studies, through the job scripts."""

import csv
import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest

import tabulate_branch
import tabulate_study
from musicssl.artefacts.scores import Metric, Scores, read_scores, write_scores
from musicssl.artefacts.table import StudyRow, SummaryRow, read_rows
from musicssl.reporting import paper, study_rows
from musicssl.runtime import UserError


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def branch_job(run: SimpleNamespace, model: str = "music2vec-vanilla") -> SimpleNamespace:
    floors = {"constant": "constant", "mfcc": "mfcc", "random": "random-data2vec"}
    files = {name: [p for p in run.inputs.metrics if p.parts[-3] == name] for name in (model, *floors.values())}
    return SimpleNamespace(
        input=SimpleNamespace(metrics=files[model], floors=[p for name in floors.values() for p in files[name]]),
        params=SimpleNamespace(recipe={"name": model, "inputs": run.asked}, floors=floors),
        output=SimpleNamespace(summary=run.root / "summary.csv"),
    )


def test_branch_summary(run: SimpleNamespace) -> None:
    job = branch_job(run)
    tabulate_branch.main(job)
    rows = {(row["task"], row["metric"]): row for row in rows_of(job.output.summary)}
    assert len(rows) == 7
    assert rows["gs-key", "key_score"] == {
        "model": "music2vec-vanilla",
        "task": "gs-key",
        "metric": "key_score",
        "mean": "0.33",
        "std": "0.01",
        "low": "0.31",
        "high": "0.35000000000000003",
        "num_test": "120",
        "seeds": "3",
        "floor_constant": "0.25",
        "floor_mfcc": "0.33",
        "floor_random": "0.25",
        "paper": "0.19",
        "digest": run.expected["music2vec-vanilla/gs-key"],
    }
    assert rows["gtzan-rhythm", "beat_f70"]["paper"] == "0.335"
    assert rows["gtzan-rhythm", "beat_f20"]["paper"] == ""


def test_scores_survive_the_way_into_the_tables(run: SimpleNamespace) -> None:
    """From metrics.json to the table and back: the very floats, negative and tiny ones too."""
    job = branch_job(run)
    path = next(p for p in job.input.metrics if p.parts[-2] == "gs-key")
    scores = read_scores(path)
    odd = Metric(-1 / 3e5, 0.1 + 0.2, -0.0212, 2 / 3, (1 / 3,), ())
    write_scores(path, dataclasses.replace(scores, metrics={"key_score": odd}))
    tabulate_branch.main(job)
    row = next(row for row in read_rows(job.output.summary, SummaryRow) if row.metric == "key_score")
    assert (row.mean, row.std, row.low, row.high) == (-1 / 3e5, 0.1 + 0.2, -0.0212, 2 / 3)
    assert (row.num_test, row.seeds, row.floor_mfcc) == (120, 1, 0.33)


@pytest.mark.parametrize("kind", ["metrics", "floors"])
def test_metrics_of_another_recipe_are_refused(run: SimpleNamespace, kind: str) -> None:
    job = branch_job(run)
    path = getattr(job.input, kind)[0]
    write_scores(path, dataclasses.replace(read_scores(path), digest="ffffffffff"))
    with pytest.raises(UserError, match=f"{path}: made by recipe ffffffffff, expected .* delete it"):
        tabulate_branch.main(job)
    assert not job.output.summary.exists()


def test_metrics_nobody_asked_for_are_refused(study_job: SimpleNamespace) -> None:
    del study_job.params.recipe["inputs"]["mfcc/gs-key"]
    with pytest.raises(UserError, match="expected no result for mfcc/gs-key"):
        tabulate_study.main(study_job)


def test_study_table_shows_what_was_not_run(run: SimpleNamespace, study_job: SimpleNamespace) -> None:
    tabulate_study.main(study_job)
    rows = read_rows(study_job.output.table, StudyRow)
    models = list(dict.fromkeys(row.model for row in rows))
    assert models == ["hubert-speech", "hubert-k500-mfcc39", "music2vec-vanilla", *run.floors]
    status = {(row.model, row.task, row.metric): row.status for row in rows}
    assert len(status) == len(rows) == 7 * 9
    assert status["music2vec-vanilla", "gs-key", "key_score"] == "ok"
    assert status["hubert-speech", "gs-key", "key_score"] == "not run"
    assert status["music2vec-vanilla", "mtt", "ap"] == "not run"
    cell = next(row for row in rows if (row.model, row.task) == ("hubert-speech", "gs-key"))
    assert (cell.mean, cell.paper, cell.role, cell.digest) == (None, 0.15, "model", None)


def test_study_table_is_deterministic(study_job: SimpleNamespace) -> None:
    tabulate_study.main(study_job)
    first = study_job.output.table.read_bytes()
    tabulate_study.main(study_job)
    assert study_job.output.table.read_bytes() == first


def test_a_selected_cell_without_metrics_is_an_error(study_job: SimpleNamespace) -> None:
    study_job.input.metrics = [p for p in study_job.input.metrics if p.parts[-3:-1] != ("music2vec-vanilla", "gs-key")]
    with pytest.raises(UserError, match="music2vec-vanilla/gs-key, which is selected"):
        tabulate_study.main(study_job)


@pytest.mark.parametrize("missing", [None, "nsynth-pitch"])
def test_average_only_with_all_nine_tasks(missing: str | None) -> None:
    """With the printed values as our scores the average is the printed one."""
    model, tasks = "music2vec-target12", list(paper.AVERAGED_TASKS)
    cells = {}
    for task in tasks:
        values = {metric: paper.paper_value(model, task, metric, 3) / 100 for metric in paper.TASKS[task][1]}
        metrics = {name: Metric(value, 0.0, value, value, (value,), ()) for name, value in values.items()}
        cells[model, task] = Scores(model, task, "0", "u", {"test": 1}, metrics, {}, {}, (), (), ())
    cells.pop((model, missing), None)
    study = {"name": "mine", "models": [model], "tasks": tasks, "paper_table": 3}
    selected = {"models": [model], "tasks": [task for task in tasks if task != missing]}
    row = study_rows(study, cells, selected, [], {})[-1]
    assert (row.task, row.paper) == ("average", 0.606)
    assert row.mean == (None if missing else pytest.approx(0.6056, abs=5e-5))
    assert row.status == ("not run" if missing else "ok")
