"""Paired differences: those of the stored bootstrap values are those of resampling the predictions."""

import re
from pathlib import Path

import numpy as np
import pytest

from musicssl.artefacts.scores import Metric, Scores
from musicssl.artefacts.table import StudyRow, read_rows
from musicssl.probing.bootstrap import difference_of, resamples
from musicssl.probing.score import BOOTSTRAP_SEED, digest_of_units, summarize
from musicssl.probing.scoring import Units, scores_of
from musicssl.reporting.paired import paired_difference


def scores(metrics, test_units="a"):
    """Return the scores of one probe, of which only the metrics count."""
    return Scores("m", "t", "d", test_units, {}, metrics, {}, {}, (), (), ())


def test_stored_values_give_the_paired_bootstrap_of_the_predictions() -> None:
    rng = np.random.default_rng(0)
    units = Units("multiclass", ["a", "b"], [str(i) for i in range(60)], [str(i // 2) for i in range(60)],
                  rng.integers(0, 2, 60))  # fmt: skip
    found, means = [], []
    weights = np.concatenate(list(resamples(units.groups, 200, BOOTSTRAP_SEED)))
    for noise in (0.5, 1.5):
        outputs = [np.eye(2)[units.targets] + noise * rng.standard_normal((60, 2)) for _ in range(3)]
        found.append(scores(summarize(units, outputs, 200), digest_of_units(units)))
        means.append([scores_of(units, one)["accuracy"] for one in outputs])
    each = [np.mean([score(weights) for score in seeds], axis=0) for seeds in means]
    observed = [np.mean([score(np.ones((1, 60))) for score in seeds]) for seeds in means]
    wanted = difference_of(float(observed[0] - observed[1]), *each)
    assert paired_difference(*found, "accuracy") == pytest.approx(wanted, abs=1e-5)
    assert wanted.low > 0
    narrow = wanted.high - wanted.low
    one, other = (of.metrics["accuracy"] for of in found)
    assert narrow < (one.high - other.low) - (one.low - other.high)


def test_other_test_items_are_not_compared() -> None:
    metric = Metric(0.5, 0.0, 0.4, 0.6, (0.5,), (0.4, 0.6))
    one = scores({"accuracy": metric})
    assert paired_difference(one, one, "accuracy").mean == 0
    assert paired_difference(one, scores({"accuracy": metric}, "b"), "accuracy") is None
    assert paired_difference(one, scores({}), "accuracy") is None
    fewer = scores({"accuracy": Metric(0.5, 0.0, 0.4, 0.6, (0.5,), (0.4,))})
    assert paired_difference(one, fewer, "accuracy") is None


def test_gains_stand_in_the_study_and_on_the_page(table: Path, page: str) -> None:
    rows = {(row.model, row.task, row.metric): row for row in read_rows(table, StudyRow)}
    gain = rows["music2vec-vanilla", "nsynth-pitch", "accuracy"].over_reference()
    assert gain.other == "hubert-k500-mfcc39"
    assert gain[1:] == pytest.approx((-0.29, -0.29, -0.29))
    assert rows["hubert-k500-mfcc39", "nsynth-pitch", "accuracy"].over_reference() is None
    assert rows["hubert-speech", "nsynth-pitch", "accuracy"].over_reference() is None
    assert "Paired differences to hubert-k500-mfcc39" in page
    assert re.search(r"<b>-29.0</b><small>\[-29.0, -29.0\]</small>", page)


def test_every_model_is_compared_with_the_untrained_baseline_of_its_paradigm(table: Path, page: str) -> None:
    rows = {row.model: row for row in read_rows(table, StudyRow) if row.metric == "key_score"}
    for model, other, gain in (("hubert-k500-mfcc39", "random-hubert", 0.32),
                               ("music2vec-vanilla", "random-data2vec", 0.08)):  # fmt: skip
        found = rows[model].over_untrained()
        assert found.other == other
        assert found[1:] == pytest.approx((gain, gain, gain))
    assert all(rows[model].over_untrained() is None for model in ("hubert-speech", "random-hubert", "mfcc"))
    assert "Paired differences to the untrained baseline" in page
    assert "14 are better than the untrained baseline's, 0 worse" in page
