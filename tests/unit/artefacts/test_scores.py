"""Scores and predictions on disk: back as they were, and refused with a sentence when damaged."""

import json

import numpy as np
import pytest

from musicssl.artefacts.scores import (
    Choice,
    Epoch,
    Metric,
    Predictions,
    Scores,
    predictions_path,
    read_predictions,
    read_scores,
    scores_path,
    write_predictions,
    write_scores,
)
from musicssl.runtime import UserError

METRIC = Metric(0.1 + 0.2, 1 / 3, -0.25, 2 / 3, (0.5, 1e-17), (0.333333, 0.0))
SCORES = Scores(
    model="mfcc",
    task="gs-key",
    digest="0123456789",
    test_units="9876543210",
    num_items={"train": 6, "valid": 3, "test": 3},
    metrics={"key_score": METRIC},
    floor={"key_score": 0.158},
    per_class={"accuracy": (0.5, None)},
    layer_weights=((1.0,), (1.0,)),
    curves=(Epoch(0, 0.001, 1, 2.5, None),),
    chosen=(Choice(0, 0.001, 1, "vote"), Choice(1, 0.001, 3)),
)


def test_scores_come_back_as_they_were(tmp_path) -> None:
    path = scores_path(tmp_path, "mfcc", "gs-key")
    write_scores(path, SCORES)
    assert path == tmp_path / "probes/mfcc/gs-key/metrics.json"
    assert read_scores(path) == SCORES
    assert "rule" not in json.loads(path.read_text())["chosen"][1]
    first = path.read_bytes()
    write_scores(path, read_scores(path))
    assert path.read_bytes() == first


def test_whole_numbers_are_read_where_floats_are_meant() -> None:
    values = json.loads(json.dumps(SCORES.to_dict() | {"floor": {"key_score": 1}}))
    found = Scores.from_dict(values, "a.json").floor["key_score"]
    assert (found, type(found)) == (1.0, float)


def changed(**metric) -> dict:
    values = json.loads(json.dumps(SCORES.to_dict()))
    values["metrics"]["key_score"] |= metric
    return values


def without(key) -> dict:
    return {name: value for name, value in SCORES.to_dict().items() if name != key}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (json.dumps(SCORES.to_dict())[:200], "found damaged JSON .*, expected a whole file; delete it"),
        ("", "found damaged JSON"),
        ("[1]", "found a list, expected an object"),
        (json.dumps(without("floor")), "found no key floor, expected one"),
        (json.dumps(without("floor") | {"flor": {}}), "found the unknown key flor, expected model, task"),
        (json.dumps(changed(mean="0.5")), "metrics.key_score.mean: found text, expected a number"),
        (json.dumps(changed(mean=float("nan"))), "metrics.key_score.mean: found nan, expected a number"),
        (json.dumps(changed(high=float("inf"))), "metrics.key_score.high: found inf, expected a number"),
        (json.dumps(changed(mean=True)), "metrics.key_score.mean: found true or false, expected a number"),
        (json.dumps(changed(mean=None)), "metrics.key_score.mean: found nothing, expected a number"),
        (json.dumps(changed(seeds=0.5)), "metrics.key_score.seeds: found a number, expected a list"),
        (json.dumps(changed(seeds=[0.5, "a"])), r"metrics.key_score.seeds\[1\]: found text, expected a number"),
        (json.dumps(changed(more=1)), "found the unknown key metrics.key_score.more, expected mean"),
        (json.dumps(SCORES.to_dict() | {"metrics": []}), "metrics: found a list, expected an object"),
        (json.dumps(SCORES.to_dict() | {"metrics": {"ap": 1}}), "metrics.ap: found a whole number, expected an object"),
        (
            json.dumps(SCORES.to_dict() | {"num_items": {"test": 3.5}}),
            "num_items.test: found a number, expected",
        ),
        (json.dumps(SCORES.to_dict() | {"curves": [{}]}), r"found no key curves\[0\].seed"),
        (json.dumps(SCORES.to_dict() | {"model": 7}), "model: found a whole number, expected text"),
    ],
)
def test_damaged_scores_are_refused_by_name(tmp_path, text, sentence) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(text)
    with pytest.raises(UserError, match=f"^{path}: {sentence}.*run the workflow again$"):
        read_scores(path)


def predictions(kind: str) -> Predictions:
    if kind == "beats":
        targets = [np.array([0.5, 1.0]), np.array([])]
        outputs = [[np.array([0.5]), np.array([0.1, 0.2])], [np.array([]), np.array([])]]
        return Predictions(kind, [], ["a", "b"], ["a", "b"], targets, outputs, outputs[0], [])
    outputs = [np.eye(2, dtype=np.float32), np.ones((2, 2), np.float32)]
    return Predictions(
        kind, ["low", "high"], ["a", "ü"], ["r", "r"], np.array([0, 1]), outputs, outputs[1], outputs[::-1]
    )


@pytest.mark.parametrize("kind", ["multiclass", "beats"])
def test_predictions_come_back_as_they_were(tmp_path, kind) -> None:
    path, wanted = predictions_path(tmp_path, "mfcc", "gs-key"), predictions(kind)
    write_predictions(path, wanted)
    found = read_predictions(path)
    assert (found.kind, found.classes, found.ids, found.groups) == (kind, wanted.classes, wanted.ids, wanted.groups)
    np.testing.assert_equal(list(found.targets), list(wanted.targets))
    np.testing.assert_equal(found.outputs, wanted.outputs)
    np.testing.assert_equal(list(found.floor), list(wanted.floor))
    np.testing.assert_equal(found.ruled, wanted.ruled)
    first = path.read_bytes()
    write_predictions(path, found)
    assert path.read_bytes() == first


@pytest.mark.parametrize("damage", ["cut", "empty", "key"])
def test_damaged_predictions_are_refused_by_name(tmp_path, damage) -> None:
    path = tmp_path / "predictions.npz"
    write_predictions(path, predictions("beats"))
    if damage == "key":
        arrays = dict(np.load(path))
        np.savez(path, **{key: array for key, array in arrays.items() if key != "outputs_offsets"})
    else:
        path.write_bytes(path.read_bytes()[: 300 if damage == "cut" else 0])
    with pytest.raises(UserError, match=f"^{path}: found damaged predictions .*run the workflow again$"):
        read_predictions(path)
