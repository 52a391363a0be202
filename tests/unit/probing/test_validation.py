"""What validation watches: on answers whose metrics disagree, each kind's own one decides."""

import mir_eval
import numpy as np
import torch
from sklearn.metrics import average_precision_score, r2_score, roc_auc_score

from musicssl.artefacts.task import Item
from musicssl.probing.heads import Heads
from musicssl.probing.items import Examples
from musicssl.probing.protocol import validation

RATE_HZ, FRAMES = 50.0, 500
TONICS = ["C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"]
KEYS = [f"{tonic} {mode}" for mode in ("major", "minor") for tonic in TONICS]


def one_hot(answers, count):
    return 4.0 * np.eye(count)[answers]


def watched(kind, classes, targets, first, second, rows_per_item=1, bias=0.0, gains=(1.0, 1.0)):
    """Return the validation scores of two replicas whose heads pass the outputs ``first`` and ``second`` on."""
    width = first.shape[1]
    heads = Heads([0, 0], 1, 2 * width, 2 * width, width, torch.device("cpu"))
    with torch.no_grad():
        for weight in heads.weights:
            weight.zero_()
        heads.weights[1] += torch.eye(2 * width)
        heads.weights[3][0, :, :width] = torch.eye(width) * gains[0]
        heads.weights[3][1, :, width:] = torch.eye(width) * gains[1]
        heads.weights[4] += bias
    states = np.concatenate([first, second], axis=1)[:, None].astype(np.float16)
    assert states.min() >= 0  # so that ReLU passes them
    items = [Item(str(i), "valid", f"{i}.wav", 0, 0, str(i), target) for i, target in enumerate(targets)]
    offsets = np.arange(len(items) + 1) * rows_per_item
    labels = torch.zeros(len(states), width)
    places, layers = torch.arange(len(states)), np.ones(1, bool)
    data = Examples(items, states, places, labels, offsets, width, RATE_HZ, 0.0, layers)
    return validation(data, kind, classes, "some task")(heads)


def test_classes_are_watched_by_accuracy():
    truth, first, second = [0, 0, 0, 0, 1, 2], [0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 1, 2]
    found = watched("multiclass", ["a", "b", "c"], truth, one_hot(first, 3), one_hot(second, 3))
    np.testing.assert_allclose(found, [4 / 6, 3 / 6])  # the mean of each class's would prefer the second


def test_tags_are_watched_by_roc_auc_alone():
    truth = np.zeros((20, 2), int)
    truth[:4], truth[4:8, 1] = 1, 1
    first, second = np.zeros((2, 20, 2))
    first[:, 0] = np.r_[9, 9, 9, 0.5, np.arange(1, 17) / 4]  # three on top, one at the very end
    second[:, 0] = np.r_[6, 6, 6, 6, 7, 7, 7, np.zeros(13)]  # all near the top, none on it
    first[:, 1] = second[:, 1] = np.arange(20)[::-1] // 3
    found = watched("multilabel", ["a", "b"], truth.tolist(), first, second)
    wanted = [roc_auc_score(truth, one, average="macro") for one in (first, second)]
    precision = [average_precision_score(truth, one, average="macro") for one in (first, second)]
    np.testing.assert_allclose(found, wanted)
    assert wanted[0] < wanted[1]
    assert precision[0] > precision[1]


def test_regression_is_watched_by_the_mean_of_both_dimensions():
    rng = np.random.default_rng(0)
    truth = rng.uniform(2, 8, (40, 2))
    noise = rng.normal(0, 1, (40, 2))
    first, second = np.abs(truth + noise * [0.1, 1.5]), np.abs(truth + noise * [0.9, 0.9])
    first, second = (one.astype(np.float16).astype(float) for one in (first, second))
    each = np.array([r2_score(truth, one, multioutput="raw_values") for one in (first, second)])
    found = watched("regression", ["arousal", "valence"], truth.tolist(), first, second)
    np.testing.assert_allclose(found, each.mean(axis=1), rtol=1e-5)
    assert each[0, 0] > each[1, 0]
    assert each[0, 1] < each[1, 1]


def test_keys_are_watched_by_mir_evals_weighted_score():
    truth = [KEYS.index("C major")] * 4
    first = [KEYS.index(key) for key in ("C major", "E major", "E major", "F major")]  # F: a fifth below scores 0
    second = [KEYS.index(key) for key in ("G major", "G major", "A minor", "C minor")]
    found = watched("key", KEYS, truth, one_hot(first, 24), one_hot(second, 24))
    wanted = [np.mean([mir_eval.key.weighted_score("C major", KEYS[k]) for k in one]) for one in (first, second)]
    np.testing.assert_allclose(found, wanted)
    np.testing.assert_allclose(wanted, [0.25, 0.375])  # accuracy would prefer the first


def beats_watched(times, first, second):
    """Return the scores of two replicas that are sure of a beat at some frames and of none elsewhere."""
    logits = np.zeros((2, len(times), FRAMES))
    for k in range(len(times)):
        logits[0, k, first[k]] = logits[1, k, second[k]] = 8.0
    flat = logits.reshape(2, -1, 1)
    return watched("beats", [], [file.tolist() for file in times], *flat, rows_per_item=FRAMES, bias=-4.0)


def test_beats_are_watched_by_the_f_measure_at_70_ms():
    times = [np.arange(start, 9.7, 0.5) for start in (0.2, 0.4, 0.3)]
    frames = [np.rint(file * RATE_HZ).astype(int) for file in times]
    late = [file + 2 for file in frames]  # 40 ms: right at 70 ms, wrong at 20 ms
    lost = [frames[0], frames[1], frames[2] + 12]  # two files exact, one between the beats
    np.testing.assert_allclose(beats_watched(times, late, lost), [1.0, 2 / 3], atol=0.03)


def test_beats_of_a_short_file_count_as_much_as_those_of_a_long_one():
    times = [np.arange(0.2, 9.8, 0.36), np.arange(0.2, 9.8, 0.7)]
    frames = [np.rint(file * RATE_HZ).astype(int) for file in times]
    first_lost = [frames[0] + 9, frames[1]]
    np.testing.assert_allclose(beats_watched(times, frames, first_lost), [1.0, 0.5], atol=0.03)  # pooled: 0.34


def test_a_replica_that_diverged_has_no_score():
    truth = [0, 1, 0, 1]
    found = watched("multiclass", ["a", "b"], truth, *[one_hot(truth, 2)] * 2, gains=(1.0, np.inf))
    np.testing.assert_array_equal(found, [1.0, np.nan])
