"""Scores against scikit-learn and mir_eval, and weights against repeated items."""

import mir_eval
import numpy as np
import pytest
from sklearn.metrics import average_precision_score, r2_score, roc_auc_score

from musicssl.probing import metrics
from musicssl.runtime import UserError

TONICS = ["C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"]
KEYS = [f"{tonic} {mode}" for mode in ("major", "minor") for tonic in TONICS]


@pytest.fixture(params=[None, 1], ids=["distinct", "ties"])
def ranked(request):
    """Labels and scores of 60 items and 5 classes."""
    rng = np.random.default_rng(0)
    targets = (rng.random((60, 5)) < 0.3).astype(int)
    scores = rng.standard_normal((60, 5)) + targets
    return targets, scores if request.param is None else scores.round(request.param)


@pytest.mark.parametrize(
    ("curve", "reference"),
    [(metrics.roc_auc, roc_auc_score), (metrics.average_precision, average_precision_score)],
)
def test_ranking_scores_equal_sklearn_for_any_weights(ranked, curve, reference):
    targets, scores = ranked
    weights = np.random.default_rng(1).integers(0, 4, (3, 60)).astype(float)
    found = metrics.per_class(curve, targets, scores)(np.vstack([np.ones((1, 60)), weights]))
    repeats = [np.ones(60, int), *weights.astype(int)]
    wanted = [reference(np.repeat(targets, n, 0), np.repeat(scores, n, 0), average=None) for n in repeats]
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    np.testing.assert_allclose(
        metrics.macro(metrics.per_class(curve, targets, scores))(weights), np.mean(wanted[1:], 1), atol=1e-12
    )


def test_a_class_without_positives_is_refused_and_named(ranked):
    targets, scores = ranked
    targets[:, 2] = 0
    with pytest.raises(
        UserError, match=r"^mtt/items.csv, test split: found 1 classes.*\(rare\).*complete the download"
    ):
        metrics.require_defined(targets, ["a", "b", "rare", "d", "e"], "mtt/items.csv, test split")
    assert np.isnan(metrics.per_class(metrics.roc_auc, targets, scores)(np.ones((1, 60)))[0]).tolist() == [
        False, False, True, False, False,
    ]  # fmt: skip


def test_r2_equals_sklearn_for_any_weights():
    rng = np.random.default_rng(0)
    y, p = rng.normal(5, 2, 40), rng.normal(5, 2, 40)
    counts = rng.integers(0, 3, 40)
    found = metrics.r2(y, p)(np.stack([np.ones(40), counts.astype(float)]))
    np.testing.assert_allclose(found, [r2_score(y, p), r2_score(np.repeat(y, counts), np.repeat(p, counts))])


def test_key_table_is_mir_evals():
    wanted = [[mir_eval.key.weighted_score(reference, estimate) for estimate in KEYS] for reference in KEYS]
    np.testing.assert_allclose(metrics.key_table(symmetric=False), wanted)


def test_symmetric_fifth_adds_the_lower_fifth_alone():
    both = metrics.key_table(symmetric=True)
    np.testing.assert_allclose(both, np.maximum(metrics.key_table(False), metrics.key_table(False).T))
    c_major, f_major, g_major = 0, 5, 7
    assert metrics.key_table(False)[c_major, [f_major, g_major]].tolist() == [0.0, 0.5]
    assert both[c_major, [f_major, g_major]].tolist() == [0.5, 0.5]


@pytest.mark.parametrize("tolerance", [0.07, 0.0201])
def test_beat_f_equals_mir_eval(tolerance):
    rng = np.random.default_rng(0)
    for size in range(1, 60):
        reference, estimate = np.sort(rng.uniform(0, 5, size)), np.sort(rng.uniform(0, 5, 70 - size))
        counts = metrics.beat_counts([reference], [estimate], tolerance)
        wanted = mir_eval.beat.f_measure(reference, estimate, f_measure_threshold=tolerance)
        assert metrics.f_measures(counts)[0] == pytest.approx(wanted)


def test_no_beats_score_zero_and_micro_pools_counts():
    counts = np.array([[0.0, 0.0], [0.0, 8.0], [8.0, 8.0]])
    assert metrics.f_measures(counts).tolist() == [0.0, 0.0, 1.0]
    assert metrics.plain(metrics.mean(metrics.f_measures(counts)), 3) == pytest.approx(1 / 3)
    assert metrics.plain(metrics.ratio(counts[:, 0], counts[:, 1]), 3) == pytest.approx(0.5)


def test_a_distance_of_exactly_the_tolerance_is_judged_as_mir_eval_does():
    """Annotations of four decimals and frames of 20 ms meet there often; in floating point half of them fall out."""
    estimate = np.arange(500) / 50 + 0.0125
    for tolerance in metrics.TOLERANCES_S.values():
        for reference in ((estimate + tolerance).round(4), (estimate - tolerance).round(4)):
            wanted = [
                mir_eval.beat.f_measure(one[None], other[None], f_measure_threshold=tolerance)
                for one, other in zip(reference[5:], estimate[5:])
            ]
            pairs = [[one[None] for one in times[5:]] for times in (reference, estimate)]
            np.testing.assert_array_equal(metrics.f_measures(metrics.beat_counts(*pairs, tolerance)), wanted)
            assert 0 < np.mean(wanted) < 1


def test_one_frame_is_within_20_ms_wherever_it_lies():
    frames = np.arange(1500) / 50
    assert metrics.beat_counts([frames], [frames + 0.02], metrics.TOLERANCES_S["beat_f20"])[0, 0] == 3000
