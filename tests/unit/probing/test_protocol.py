"""The whole probe on tasks whose answer is in the embeddings, or in none of them."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from probing_kit import METRICS, NUM_STATES, recipe_of, task_of, view_of, write_task

from musicssl.artefacts import task as stored
from musicssl.artefacts.scores import read_predictions, write_fit, write_predictions, write_scores
from musicssl.probing.protocol import probe
from musicssl.probing.score import score, units_of_predictions
from musicssl.probing.scoring import Units, average_rows, best_rule, by_rule, scores_of, trivial_outputs
from musicssl.runtime import UserError

CPU = torch.device("cpu")


def run(folder, kind, task=None, windows=1, **options):
    blocks = write_task(folder, kind, windows=windows, **options)
    task = task or task_of(kind)
    recipe = recipe_of(task, view_of(kind, windows))
    predictions, fitted = probe(stored.read(folder / "task"), blocks, recipe, CPU)
    write_predictions(folder / "predictions.npz", predictions)
    write_fit(folder / "fit.json", fitted)
    kept = read_predictions(folder / "predictions.npz")
    found = score(kept, fitted, recipe["name"], recipe["digest"], task.probe.num_bootstraps)
    write_scores(folder / "metrics.json", found)
    return json.loads((folder / "metrics.json").read_text())


def kept(path):
    """Return the units and the outputs of each seed that a file holds."""
    predictions = read_predictions(path)
    return units_of_predictions(predictions), predictions.outputs


@pytest.mark.parametrize("kind", METRICS)
def test_what_the_embeddings_tell_is_found_and_beats_the_trivial_answer(kind, tmp_path):
    found = run(tmp_path, kind)
    assert found["num_items"] == {"train": 48, "valid": 24, "test": 36}
    assert (found["model"], found["task"], found["digest"]) == ("model", "task", "probe")
    assert {row["seed"] for row in found["chosen"]} == {0, 1}
    assert np.shape(found["layer_weights"]) == (2, NUM_STATES)
    assert np.argmax(found["layer_weights"], axis=1).tolist() == [1, 1]
    for name in METRICS[kind]:
        score = found["metrics"][name]
        assert score["mean"] > 0.85
        assert score["mean"] > found["floor"][name] + 0.3
        assert score["low"] <= score["mean"] <= score["high"] <= 1
        assert score["mean"] == pytest.approx(np.mean(score["seeds"]))
        assert score["std"] == pytest.approx(np.std(score["seeds"], ddof=1))


@pytest.mark.parametrize("kind", METRICS)
def test_constant_embeddings_score_as_the_trivial_answer(kind, tmp_path):
    task = task_of(kind, max_epochs=20)
    found = run(tmp_path, kind, task, constant=True)
    for name in METRICS[kind]:
        assert found["metrics"][name]["mean"] == pytest.approx(found["floor"][name], abs=0.1)


@pytest.mark.parametrize("layers", [[1], [0, 1], [0, 2]])
def test_layers_alone_are_probed_as_a_store_of_only_them(layers, tmp_path):
    found = run(tmp_path / "all", "regression", task_of("regression", layers=layers, max_epochs=5))
    wanted = run(tmp_path / "few", "regression", task_of("regression", max_epochs=5), kept=layers)
    weights = np.zeros((2, NUM_STATES))
    weights[:, layers] = wanted.pop("layer_weights")
    assert found.pop("layer_weights") == weights.tolist()
    assert found == wanted
    for folder in ("all", "few"):
        _, outputs = kept(tmp_path / folder / "predictions.npz")
        assert outputs[0].shape == (36, 2)
    assert (found["metrics"]["r2_arousal"]["mean"] > 0.5) == (1 in layers)


def test_a_layer_that_a_model_lacks_is_refused_and_a_floor_has_one_for_all(tmp_path):
    task = task_of("multiclass", layers=[0, 3], max_epochs=2)
    with pytest.raises(UserError, match=rf"^probe.layers: found 3, expected 0 to 2, the states in {tmp_path}; name"):
        run(tmp_path, "multiclass", task)
    assert run(tmp_path, "multiclass", task, constant=True)["layer_weights"] == [[1.0], [1.0]]


def test_the_same_job_writes_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        run(tmp_path / name, "key", task_of("key", max_epochs=3))
    for file in ("metrics.json", "predictions.npz"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_seed_predicts_the_same_whoever_trains_beside_it(tmp_path):
    found = {}
    for seeds in ([4, 5, 6], [6], [4]):
        run(tmp_path, "regression", task_of("regression", seeds=seeds, max_epochs=4))
        _, outputs = kept(tmp_path / "predictions.npz")
        for seed, values in zip(seeds, outputs):
            np.testing.assert_allclose(values, found.setdefault(seed, values), atol=1e-5)
    assert np.abs(found[4] - found[6]).max() > 0.1


def test_predictions_give_the_scores_back(tmp_path):
    for kind in ("beats", "multiclass"):
        good = run(tmp_path / kind, kind)
        units, outputs = kept(tmp_path / kind / "predictions.npz")
        name = METRICS[kind][0]
        again = [float(scores_of(units, one)[name](np.ones((1, len(units))))[0]) for one in outputs]
        assert again == good["metrics"][name]["seeds"]


def test_windows_of_an_item_are_averaged_and_songs_of_clips_too():
    rows = np.arange(12, dtype=np.float32).reshape(1, 6, 2)
    found = average_rows(rows, np.array([0, 0, 1, 2, 2, 0]), 3)
    np.testing.assert_array_equal(found[0], [[4, 5], [4, 5], [7, 8]])
    np.testing.assert_array_equal(average_rows(rows, np.arange(6)[::-1], 6), rows[:, ::-1])


def test_predictions_are_averaged_over_windows(tmp_path):
    found = run(tmp_path, "regression", windows=4)
    _, outputs = kept(tmp_path / "predictions.npz")
    assert outputs[0].shape == (36, 2)
    assert found["metrics"]["r2_arousal"]["mean"] > 0.9


def test_keys_are_decided_by_song(tmp_path):
    run(tmp_path, "key")
    units, outputs = kept(tmp_path / "predictions.npz")
    assert len(units) == 18
    assert outputs[0].shape == (18, 24)
    assert units.ids == units.groups


def test_four_rules_make_a_song_of_its_clips():
    logits = np.array([[2.0, 1.9, 0, 0], [2.0, 1.9, 0, 0], [-9, 1.9, 10, -9], [-9, 1.9, -9, 3], [0, 0, 0, 9]])
    answers = {rule: out.argmax(axis=1).tolist() for rule, out in by_rule(logits, np.array([1, 1, 1, 1, 0]), 2).items()}
    # song 1: class 0 wins two clips, class 2 holds the largest logit (and 1.12 of probability against 1.08 of class 1)
    assert answers == {"vote": [3, 0], "max logit": [3, 2], "mean logit": [3, 1], "mean probability": [3, 2]}


def test_the_rule_that_validation_prefers_decides():
    truth = Units("key", [f"k{i}" for i in range(24)], list("ab"), list("ab"), np.array([0, 0]))
    logits = np.zeros((6, 24), np.float32)
    logits[:, 0], logits[[2, 5], 3] = 1.0, 9.0  # two of three clips say 0, the third is sure of another
    owners = np.repeat([0, 1], 3)
    assert best_rule(truth, logits, owners) == "vote"
    assert best_rule(Units("key", truth.classes, truth.ids, truth.groups, np.array([3, 3])), logits, owners) != "vote"


def test_keys_are_scored_by_the_chosen_rule_too(tmp_path):
    found = run(tmp_path, "key")
    assert {row["rule"] for row in found["chosen"]} <= {"mean logit", "mean probability", "vote", "max logit"}
    assert found["metrics"]["key_score_rule"]["mean"] > 0.85
    assert found["floor"]["key_score_rule"] == found["floor"]["key_score"]
    assert "rule" not in run(tmp_path, "multiclass", task_of("multiclass", max_epochs=2))["chosen"][0]


def test_recordings_are_scored_beside_their_segments():
    units = Units("multiclass", ["a", "b"], list("wxyz"), ["r", "r", "r", "s"], np.array([0, 0, 0, 1]))
    outputs = np.array([[3.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    scores = scores_of(units, outputs)
    ones = np.ones((1, 4))
    assert (scores["accuracy"](ones)[0], scores["accuracy_recording"](ones)[0]) == (0.25, 0.5)


def test_trivial_answers_come_from_training():
    train = Units("multiclass", ["a", "b", "c"], list("wxyz"), list("wxyz"), np.array([2, 1, 2, 0]))
    assert trivial_outputs(train, 5).argmax(axis=1).tolist() == [2] * 5
    values = Units("regression", ["a", "v"], list("xy"), list("xy"), np.array([[1.0, 2.0], [3.0, 6.0]]))
    np.testing.assert_array_equal(trivial_outputs(values, 2), [[2, 4], [2, 4]])


def test_foreign_states_are_explained(tmp_path):
    blocks = write_task(tmp_path, "multiclass")
    recipe = recipe_of(task_of("multiclass"), view_of())
    recipe["inputs"]["states"]["digest"] = "older"
    with pytest.raises(UserError, match="made by recipe states, expected older"):
        probe(stored.read(tmp_path / "task"), blocks, recipe, CPU)


@pytest.mark.parametrize(
    ("kind", "split", "same", "sentence"),
    [
        ("multilabel", "valid", [1, 0, 0], "found one and the same target in all 24 items, expected"),
        ("regression", "valid", [0.5, 0.5], "found one and the same target in all 24 items, expected"),
        ("multilabel", "test", [1, 0, 0], r"found 3 classes with one label only \(a, b, c\), expected"),
    ],
)
def test_a_split_that_tells_nothing_is_refused_by_name(tmp_path, kind, split, same, sentence):
    blocks = write_task(tmp_path, kind)
    table = stored.read(tmp_path / "task")
    items = [replace(item, target=same) if item.split == split else item for item in table.items]
    with pytest.raises(UserError, match=rf"task task, {split} split: {sentence}"):
        probe(replace(table, items=items), blocks, recipe_of(task_of(kind), view_of(kind)), CPU)


def test_of_a_grid_the_rate_that_is_best_on_validation_is_chosen_and_recorded(tmp_path):
    found = run(tmp_path, "multiclass", task_of("multiclass", learning_rates=[1e-7, 1e-2, 1e-6]))
    assert [(row["seed"], row["learning_rate"]) for row in found["chosen"]] == [(0, 1e-2), (1, 1e-2)]
    assert {(row["seed"], row["learning_rate"]) for row in found["curves"]} == {
        (seed, rate) for seed in (0, 1) for rate in (1e-7, 1e-2, 1e-6)
    }
    assert found["metrics"]["accuracy"]["mean"] > 0.85
