"""An invented run: every file the report reads, with numbers by formula and file names that try to be code."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import render_report
import tabulate_study
from musicssl.artefacts import write_json, write_jsonl, write_text
from musicssl.artefacts.header import Header
from musicssl.artefacts.scores import Choice, Epoch, Metric, Scores, scores_path, write_scores

EVIL = '<script>alert("x")</script>&\'.wav'
FLOORS = ["random-hubert", "random-data2vec", "mfcc", "constant"]
MODELS = ["hubert-k500-mfcc39", "music2vec-vanilla"]
BASELINES = dict(zip(MODELS, ["random-hubert", "random-data2vec"]))
LEVEL = {"hubert-k500-mfcc39": 0.62, "music2vec-vanilla": 0.33, "mfcc": 0.33, "random-hubert": 0.3}
TASKS = {
    "nsynth-pitch": ["accuracy"],
    "gs-key": ["key_score", "key_score_symmetric"],
    "gtzan-rhythm": ["beat_f70", "beat_f20"],
    "mtg-top50": ["roc_auc", "ap"],
}
MERMAID = """---
title: DAG
---
flowchart TB
\tid0[all]
\tid1[render_report]
\tid2[probe]
\tid3[pretrain]
\tid4[assign_labels]
\tstyle id0 fill:#D95757,stroke-width:2px,color:#333333
\tid1 --> id0
\tid2 --> id1
\tid3 --> id1
\tid3 --> id2
\tid3 --> id4
\tid4 --> id3
"""


def scores_of(model: str, task: str) -> Scores:
    """Return the invented scores of one probe."""
    metrics = {}
    for i, name in enumerate(TASKS[task]):
        mean = LEVEL.get(model, 0.25) - 0.05 * i
        resampled = tuple(mean + 0.02 * k / 20 for k in range(-20, 21))
        metrics[name] = Metric(mean, 0.01, mean - 0.02, mean + 0.02, (mean - 0.01, mean, mean + 0.01), resampled)
    states = 1 if model in ("mfcc", "constant") else 4
    return Scores(
        model=model,
        task=task,
        digest=f"{model}/{task}"[:10],
        test_units="0123456789",
        num_items={"train": 240, "valid": 80, "test": 120},
        metrics=metrics,
        floor=dict.fromkeys(TASKS[task], 0.158),
        per_class={},
        layer_weights=((1 / states,) * states,) * 3,
        curves=(Epoch(0, 0.001, 1, 2.5, None),),
        chosen=(Choice(0, 0.001, 1),),
    )


def curve(model: str) -> list[dict[str, Any]]:
    """Return one invented metrics.jsonl."""
    rows = []
    for i in range(1, 21):
        for split in ("train", "valid")[: 2 if i % 5 == 0 else 1]:
            row = {"update": 20 * i, "split": split, "loss": 6 * math.exp(-i / 9) + 1.2, "masked_fraction": 0.5}
            if model.startswith("hubert"):
                row |= {"masked_accuracy": 0.3 - 0.3 * math.exp(-i / 8), "majority_share": 0.11}
            else:
                row |= {"target_std": 0.4 + 0.01 * i, "prediction_std": 0.3, "explained_variance": i / 40}
            rows.append(row)
    return rows


def write_inputs(root: Path) -> SimpleNamespace:
    """Write the metrics, training and corpus files and return their paths by input name."""
    metrics = []
    for model in MODELS + FLOORS:
        for task in TASKS:
            metrics.append(scores_path(root, model, task))
            write_scores(metrics[-1], scores_of(model, task))
    curves = [root / f"models/{model}/metrics.jsonl" for model in MODELS]
    for path in curves:
        write_jsonl(path, curve(path.parent.name))
    kmeans, quality = (root / f"labels/mfcc39-k500/miniature/{name}.json" for name in ("kmeans", "quality"))
    fit = {"used_clusters": 3, "perplexity": 2.5, "histogram": [50, 30, 20, 0], "inertia": [9.0, 5.0, 4.5]}
    write_json(kmeans, fit)
    known = {"frames": 0.9, "classes": 19, "majority": 0.1, "purity": 0.25, "purity_chance": 0.125, "nmi": 0.5}
    write_json(quality, {"annotations": {"chord": known | {"nmi_chance": 0.0625}}})
    manifest, quarantine = root / "audio/miniature/manifest.json", root / "audio/miniature/quarantine.csv"
    write_json(manifest, {"corpus": "miniature", "files": {"usable": 39, "found": 41}, "hours": 0.325})
    write_text(quarantine, 'file,reason,detail\n"' + EVIL.replace('"', '""') + '",too short,0.2 s\nb.wav,silent,\n')
    tasks = [root / f"tasks/{task}/task.json" for task in TASKS]
    for path in tasks:
        counts = {"train": 240, "valid": 80, "test": 120}
        facts = {"task": path.parent.name, "dataset": "invented", "kind": "key", "classes": ["a"], "counts": counts}
        cited = {"citation": "Nobody (1900)", "licence": "CC0 <b>", "expected": counts | {"test": 604}, "notes": ["n"]}
        write_json(path, facts | cited)
        write_text(path.with_name("skipped.csv"), f"item,reason,detail\nx,missing audio,{path.parent.name}\n")
    recipe = root / "audio/miniature/recipe.json"
    made_of = {"noun": "corpora", "name": "miniature", "digest": "0123456789", "entry": {"root": EVIL}, "inputs": {}}
    Header(made_of, {}, {}).write(recipe)
    write_text(root / "rulegraph.mmd", MERMAID)
    benchmark = {"s": 61.4, "h:m:s": "0:01:01", "max_rss": 512.0, "mean_load": "NA"}
    write_text(root / "benchmarks/probe/mfcc/gs-key.jsonl", json.dumps(benchmark) + "\n")
    write_text(root / "benchmarks/pretrain/a.tsv", "s\th:m:s\tmax_rss\n7300.0\t2:01:40\t-\n")
    return SimpleNamespace(
        metrics=metrics,
        curves=curves,
        kmeans=[kmeans],
        quality=[quality],
        manifests=[manifest],
        quarantines=[quarantine],
        tasks=tasks,
        skipped=[path.with_name("skipped.csv") for path in tasks],
        recipes=[recipe],
        rulegraph=root / "rulegraph.mmd",
        studies=[],
    )


@pytest.fixture
def run(tmp_path: Path) -> SimpleNamespace:
    """Return the invented run: ``root``, ``inputs``, ``study``, ``floors``, ``expected`` digests and its vocabulary."""
    study = {
        "name": "table1",
        "title": "Invented <i>",
        "question": "Does it render?",
        "models": ["hubert-speech", *MODELS],
        "tasks": ["mtt", *TASKS],
        "paper_table": 1,
    }
    return SimpleNamespace(
        root=tmp_path,
        inputs=write_inputs(tmp_path),
        study=study,
        selected={"models": MODELS + FLOORS, "tasks": list(TASKS)},
        floors=FLOORS,
        baselines=BASELINES,
        expected={f"{m}/{t}": f"{m}/{t}"[:10] for m in MODELS + FLOORS for t in TASKS},
        asked={f"{m}/{t}": {"digest": f"{m}/{t}"[:10]} for m in MODELS + FLOORS for t in TASKS},
        evil=EVIL,
    )


@pytest.fixture
def study_job(run: SimpleNamespace) -> SimpleNamespace:
    params = SimpleNamespace(**{name: getattr(run, name) for name in ("selected", "floors", "baselines")})
    params.recipe = {"name": run.study["name"], "entry": run.study, "inputs": run.asked}
    output = SimpleNamespace(table=run.root / "studies/table1/table.csv")
    return SimpleNamespace(input=run.inputs, params=params, output=output)


@pytest.fixture
def table(study_job: SimpleNamespace) -> Path:
    tabulate_study.main(study_job)
    return study_job.output.table


@pytest.fixture
def page_job(run: SimpleNamespace, table: Path) -> SimpleNamespace:
    """Return the job that renders the page of the invented run."""
    run.inputs.studies = [table]
    docstrings = {"pretrain": "Train <one> model.", "probe": "Probe it.", "unused": "Not in the graph."}
    params = SimpleNamespace(studies={"table1": run.study}, benchmarks=run.root / "benchmarks", planned=[])
    params.docstrings = docstrings
    return SimpleNamespace(input=run.inputs, params=params, output=SimpleNamespace(page=run.root / "report/index.html"))


@pytest.fixture
def page(page_job: SimpleNamespace) -> str:
    render_report.main(page_job)
    return page_job.output.page.read_text(encoding="utf-8")
