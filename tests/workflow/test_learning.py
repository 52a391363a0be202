"""Both objectives learn on the miniature, from the committed configuration (about two minutes of training each)."""

import json
from pathlib import Path

import pytest

RESULTS = Path("results/miniature")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def curves(make_workflow):
    """Return the rows of metrics.jsonl on held-out clips, by model."""
    workflow = make_workflow()
    models = ("hubert-k500-mfcc39", "music2vec-vanilla")
    targets = [str(RESULTS / f"models/{model}/metrics.jsonl") for model in models]
    workflow.snakemake(
        "--configfile", "config/miniature.yaml", "--set-threads", "pretrain=1", "fit_kmeans=1", "--", *targets
    )
    rows = {}
    for model, target in zip(models, targets):
        lines = (workflow.folder / target).read_text().splitlines()
        rows[model] = [row for row in map(json.loads, lines) if row["split"] == "valid"]
    return rows


def test_hubert_predicts_held_out_labels_twice_as_well_as_the_most_frequent_label(curves) -> None:
    last = curves["hubert-k500-mfcc39"][-1]
    assert last["masked_accuracy"] >= 2 * last["majority_share"]


def test_data2vec_explains_targets_that_neither_vanish_nor_are_the_same_in_every_clip(curves, miniature) -> None:
    """What is the same in every clip could explain the agreement; more than that was learned from the audio.

    The loss falls below all earlier ones although the targets vary more and more (a constant answer would lose more).
    """
    *earlier, last = curves["music2vec-vanilla"]
    guard = miniature["models"]["music2vec-base"]["guard"]
    assert last["loss"] < min(row["loss"] for row in earlier)
    assert last["target_std"] > min(row["target_std"] for row in earlier)
    assert last["explained_variance"] >= 0.1
    assert abs(last["target_agreement"]) < 0.05
    healthy = [row for row in (*earlier, last) if row["update"] >= guard["after_updates"]]
    assert len(healthy) == 3
    assert all(row["target_std"] > guard["min_target_std"] for row in healthy)
    assert all(row["prediction_std"] > guard["min_prediction_std"] for row in healthy)
