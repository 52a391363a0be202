"""Bootstrap against closed forms."""

import numpy as np
import pytest

from musicssl.probing.bootstrap import bootstrap, difference_of, interval, resamples
from musicssl.probing.metrics import mean


def test_interval_of_a_mean_is_the_normal_one():
    values = np.random.default_rng(0).random(400) < 0.3
    low, high = interval(bootstrap([mean(values)], np.arange(400), 4000, seed=0))
    half = 1.96 * np.sqrt(values.mean() * (1 - values.mean()) / 400)
    assert (low, high) == (
        pytest.approx(values.mean() - half, abs=0.006),
        pytest.approx(values.mean() + half, abs=0.006),
    )


def test_recordings_are_drawn_whole():
    groups = np.repeat(np.arange(50), 8)
    weights = np.concatenate(list(resamples(groups, 30, seed=0)))
    assert weights.shape == (30, 400)
    np.testing.assert_array_equal(weights.sum(axis=1), 400)
    np.testing.assert_array_equal(weights.reshape(30, 50, 8), np.repeat(weights[:, ::8, None], 8, 2))
    values = np.repeat(np.random.default_rng(0).random(50) < 0.5, 8)
    widths = [np.diff(interval(bootstrap([mean(values)], g, 2000, 0)))[0] for g in (groups, np.arange(400))]
    assert widths[0] / widths[1] == pytest.approx(np.sqrt(8), rel=0.1)


def test_chunks_do_not_change_the_number_of_resamples(monkeypatch):
    monkeypatch.setattr("musicssl.probing.bootstrap.CHUNK", 70)
    assert [len(chunk) for chunk in resamples(np.arange(10), 17, 0)] == [7, 7, 3]


def test_pairing_removes_what_two_models_share():
    rng = np.random.default_rng(0)
    easy = rng.random(500) < 0.5
    better = easy | (rng.random(500) < 0.05)
    pairs = [bootstrap([mean(one)], np.arange(500), 2000, 0) for one in (better, easy)]
    found = difference_of(better.mean() - easy.mean(), *pairs)
    assert found.mean == pytest.approx(better.mean() - easy.mean())
    assert 0 < found.low < found.mean < found.high
    assert found.p_value == pytest.approx(2 / 2001)  # no resample says otherwise: as small as 2000 can show
    assert found.high - found.low < 0.05 < np.diff(interval(bootstrap([mean(easy)], np.arange(500), 2000, 0)))[0]


def test_a_model_does_not_differ_from_itself():
    scores = [mean(np.arange(9) % 2)]
    values = bootstrap(scores, np.arange(9), 50, 0)
    assert difference_of(0.0, values, values) == (0.0, 0.0, 0.0, 1.0)
