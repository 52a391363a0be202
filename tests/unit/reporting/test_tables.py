"""Summaries of branches and tables of studies, through the job scripts."""

import csv
from pathlib import Path
from types import SimpleNamespace

import pytest

import tabulate_branch
import tabulate_study
from musicssl.artefacts import read_json, write_json
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
        params=SimpleNamespace(recipe={"name": model}, floors=floors, expected=run.expected),
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
        "mean": "33.00",
        "std": "1.00",
        "low": "31.00",
        "high": "35.00",
        "num_test": "120",
        "seeds": "3",
        "floor_constant": "25.00",
        "floor_mfcc": "33.00",
        "floor_random": "25.00",
        "paper": "19.0",
        "digest": run.expected["music2vec-vanilla/gs-key"],
    }
    assert rows["gtzan-rhythm", "beat_f70"]["paper"] == "33.5"
    assert rows["gtzan-rhythm", "beat_f20"]["paper"] == ""


def test_negative_zero_and_negative_scores(run: SimpleNamespace) -> None:
    job = branch_job(run)
    path = next(p for p in job.input.metrics if p.parts[-2] == "gs-key")
    metrics = read_json(path)
    metrics["metrics"]["key_score"] |= {"mean": -0.00001, "low": -0.0212}
    write_json(path, metrics)
    tabulate_branch.main(job)
    row = next(row for row in rows_of(job.output.summary) if row["metric"] == "key_score")
    assert (row["mean"], row["low"]) == ("0.00", "-2.12")


@pytest.mark.parametrize("kind", ["metrics", "floors"])
def test_metrics_of_another_recipe_are_refused(run: SimpleNamespace, kind: str) -> None:
    job = branch_job(run)
    path = getattr(job.input, kind)[0]
    write_json(path, read_json(path) | {"digest": "ffffffffff"})
    with pytest.raises(UserError, match=f"{path}: made by recipe ffffffffff, expected .* delete it"):
        tabulate_branch.main(job)
    assert not job.output.summary.exists()


def test_metrics_nobody_asked_for_are_refused(study_job: SimpleNamespace) -> None:
    del study_job.params.expected["mfcc/gs-key"]
    with pytest.raises(UserError, match="expected no result for mfcc/gs-key"):
        tabulate_study.main(study_job)


def test_study_table_shows_what_was_not_run(run: SimpleNamespace, study_job: SimpleNamespace) -> None:
    tabulate_study.main(study_job)
    rows = rows_of(study_job.output.table)
    models = list(dict.fromkeys(row["model"] for row in rows))
    assert models == ["hubert-speech", "hubert-k500-mfcc39", "music2vec-vanilla", *run.floors]
    status = {(row["model"], row["task"], row["metric"]): row["status"] for row in rows}
    assert len(status) == len(rows) == 7 * 9
    assert status["music2vec-vanilla", "gs-key", "key_score"] == "ok"
    assert status["hubert-speech", "gs-key", "key_score"] == "not run"
    assert status["music2vec-vanilla", "mtt", "ap"] == "not run"
    cell = next(row for row in rows if (row["model"], row["task"]) == ("hubert-speech", "gs-key"))
    assert (cell["mean"], cell["paper"], cell["role"]) == ("", "15.0", "model")


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
        scores = {m: {"mean": v, "std": 0.0, "low": v, "high": v, "seeds": [v]} for m, v in values.items()}
        cells[model, task] = {"task": task, "metrics": scores, "num_items": {"test": 1}, "floor": {}, "digest": "0"}
    cells.pop((model, missing), None)
    study = {"name": "mine", "models": [model], "tasks": tasks, "paper_table": 3}
    selected = {"models": [model], "tasks": [task for task in tasks if task != missing]}
    row = study_rows(study, cells, selected, [], {})[-1]
    assert (row["task"], row["mean"], row["paper"]) == ("average", "" if missing else "60.56", "60.6")
    assert row["status"] == ("not run" if missing else "ok")
