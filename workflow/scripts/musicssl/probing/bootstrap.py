"""Bootstrap intervals over test items (Efron 1979): items of one recording are drawn together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .metrics import Floats, Score

CHUNK = 1 << 22
LEVELS = (2.5, 97.5)


class Difference(NamedTuple):
    """Score of one model minus another's on the same items, and its 95 % interval.

    ``p_value`` is two-sided: twice the smaller share of resamples on either side of 0, the observed sample being
    counted among them, so that it is never 0 (Davison & Hinkley 1997, section 4.4).
    """

    mean: float
    low: float
    high: float
    p_value: float


def resamples(groups: npt.ArrayLike, num_resamples: int, seed: int) -> Iterator[Floats]:
    """Yield chunks of weights (K, U), ``num_resamples`` rows in all: how often each item's group is drawn.

    Args:
        groups: (U,) names; items of one group stay together.
        num_resamples: rows in all.
        seed: the same seed and groups give the same rows, which is what pairs two models.
    """
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    rng = np.random.default_rng(seed)
    step = max(1, CHUNK // len(member))
    for first in range(0, num_resamples, step):
        rows = min(step, num_resamples - first)
        drawn = rng.integers(0, len(names), (rows, len(names))) + np.arange(rows)[:, None] * len(names)
        counts = np.bincount(drawn.ravel(), minlength=rows * len(names)).reshape(rows, -1)
        yield counts[:, member].astype(np.float64)


def bootstrap(scores: Sequence[Score], groups: npt.ArrayLike, num_resamples: int, seed: int) -> Floats:
    """Return ``num_resamples`` values of the mean of ``scores`` (one a seed), each on one resample of the items."""
    chunks = [np.mean([s(w) for s in scores], axis=0) for w in resamples(groups, num_resamples, seed)]
    return np.concatenate(chunks)


def interval(samples: Floats) -> tuple[float, float]:
    """Return the central 95 % of bootstrap values."""
    low, high = np.nanpercentile(samples, LEVELS)
    return float(low), float(high)


def difference_of(mean: float, first: npt.ArrayLike, second: npt.ArrayLike) -> Difference:
    """Return a difference of means with its interval, from two models' values on the same resamples."""
    samples = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    low, high = interval(samples)
    beyond = min(np.count_nonzero(samples <= 0), np.count_nonzero(samples >= 0))
    p_value = min(1.0, 2.0 * (beyond + 1) / (len(samples) + 1))
    return Difference(mean, low, high, p_value)
