"""Scores that are reported must be scikit-learn's and mir_eval's: a wrong formula of ours is an error, not a number."""

import numpy as np
import pytest
from probing_kit import CLASSES

from musicssl.probing import metrics
from musicssl.probing.peers import peer_scores
from musicssl.probing.score import summarize
from musicssl.probing.scoring import Units
from musicssl.runtime import UserError

RNG = np.random.default_rng(0)
NAMES = [str(i) for i in range(40)]
TARGETS = {
    "multiclass": RNG.integers(0, 3, 40),
    "multilabel": (RNG.random((40, 3)) < 0.4).astype(int),
    "regression": RNG.standard_normal((40, 2)),
    "key": RNG.integers(0, 4, 40),
    "beats": [np.arange(RNG.uniform(0, 0.4), 9, 0.5) for _ in NAMES],
}
OUTPUTS = {
    **{kind: RNG.standard_normal((40, len(CLASSES[kind]))) for kind in ("multiclass", "multilabel")},
    "regression": TARGETS["regression"] + RNG.standard_normal((40, 2)),
    "key": RNG.standard_normal((40, 24)) + 2 * np.eye(24)[(TARGETS["key"] + np.tile([5, 7], 20)) % 12],
    "beats": [times + RNG.normal(0, 0.05, len(times)) for times in TARGETS["beats"]],
}


def units_of(kind):
    return Units(kind, CLASSES[kind], NAMES, NAMES, TARGETS[kind])


@pytest.mark.parametrize("kind", TARGETS)
def test_our_scores_are_theirs(kind):
    found = summarize(units_of(kind), [OUTPUTS[kind]], 5)
    theirs = peer_scores(units_of(kind), OUTPUTS[kind])
    assert {name: found[name].seeds[0] for name in theirs} == pytest.approx(theirs, abs=1e-9)
    assert set(found) - set(theirs) <= {"beat_f70_micro", "beat_f20_micro"}


@pytest.mark.parametrize(
    ("kind", "name", "wrong", "score"),
    [
        ("multiclass", "mean", lambda values: lambda weights: np.full(len(weights), np.median(values)), "accuracy"),
        ("multilabel", "roc_auc", metrics.average_precision, "roc_auc"),
        ("multilabel", "average_precision", metrics.roc_auc, "ap"),
        (
            "regression",
            "r2",
            lambda y, p: lambda weights: np.full(len(weights), np.corrcoef(y, p)[0, 1] ** 2),
            "r2_arousal",
        ),
        ("key", "key_table", lambda symmetric, table=metrics.key_table: table(symmetric).T, "key_score"),
        ("key", "key_table", lambda symmetric, table=metrics.key_table: table(False), "key_score_symmetric"),
        ("beats", "TOLERANCES_S", {"beat_f70": 0.06, "beat_f20": 0.0201}, "beat_f70"),
        ("beats", "TOLERANCES_S", {"beat_f70": 0.07, "beat_f20": 0.03}, "beat_f20"),
    ],
)
def test_a_wrong_formula_is_refused(kind, name, wrong, score, monkeypatch):
    monkeypatch.setattr(metrics, name, wrong)
    with pytest.raises(UserError, match=rf"^{score}: found .*, expected .*, which scikit-learn or mir_eval gives"):
        summarize(units_of(kind), [OUTPUTS[kind]], 5)


def test_the_reference_of_a_key_comes_first():
    key = Units("key", CLASSES["key"], ["a"], ["a"], np.array([0]))
    up, down = np.eye(24)[[[7], [5]]]
    assert peer_scores(key, up) == {"accuracy": 0.0, "key_score": 0.5, "key_score_symmetric": 0.5}
    assert peer_scores(key, down) == {"accuracy": 0.0, "key_score": 0.0, "key_score_symmetric": 0.5}


def test_beats_are_judged_at_20_and_70_ms():
    beats = Units("beats", [], ["a"], ["a"], [np.array([1.0, 2.0, 3.0, 4.0])])
    found = peer_scores(beats, [np.array([1.0, 2.02, 3.03, 4.08])])
    assert found == {"beat_f70": 0.75, "beat_f20": 0.5}
