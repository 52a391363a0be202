"""Scores of all kinds of task, written as functions of item weights, so that a bootstrap costs one matrix product.

A :data:`Score` takes weights (K, U), K resamples of U items as how often each is drawn, and returns K values; the plain
score is the one of weights 1. Definitions: ``scikit-learn`` (accuracy, ROC-AUC, average precision, r2) and ``mir_eval``
(key, beats), with which :mod:`musicssl.probing.peers` compares every score that is reported.

Axes: K resamples, U items, C classes. All values lie on the scale 0 to 1 (r2: at most 1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ..runtime import UserError

VERSION = 1
Floats = npt.NDArray[np.float64]
Score = Callable[[Floats], Floats]
NUM_KEYS = 24
TOLERANCES_S = {"beat_f70": 0.07, "beat_f20": 0.0201}
"""20 ms plus what rounding adds to a distance of exactly one frame."""


def plain(score: Score, num_items: int) -> float:
    """Return a score on the items themselves."""
    return float(score(np.ones((1, num_items)))[0])


def mean(values: npt.ArrayLike) -> Score:
    """Score whose value is the mean of per-item values (U,)."""
    return ratio(values, np.ones(len(np.asarray(values))))


def ratio(numerators: npt.ArrayLike, denominators: npt.ArrayLike) -> Score:
    """Score that divides sums of per-item numerators and denominators, both (U,); 0 where the latter is 0."""
    parts = np.stack([np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)], axis=1)

    def score(weights: Floats) -> Floats:
        above, below = (weights @ parts).T
        shares: Floats = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
        return shares

    return score


def r2(targets: npt.ArrayLike, predictions: npt.ArrayLike) -> Score:
    """Coefficient of determination, 1 - SSE / SST with the mean of these targets; both (U,)."""
    y = np.asarray(targets, np.float64)
    y = y - y.mean()
    errors = (np.asarray(targets, np.float64) - np.asarray(predictions, np.float64)) ** 2
    parts = np.stack([np.ones_like(y), y, y * y, errors], axis=1)

    def score(weights: Floats) -> Floats:
        count, first, second, sse = (weights @ parts).T
        sst = second - first**2 / count
        explained: Floats = 1.0 - sse / np.maximum(sst, np.finfo(np.float64).tiny)
        return explained

    return score


# ---------------------------------------------------------------- ranking


def roc_auc(positive: Floats, negative: Floats) -> Floats:
    """Area under the ROC curve (K,) from weights of positives and negatives (K, distinct scores, ascending)."""
    below = np.cumsum(negative, axis=1) - negative
    won = (positive * (below + 0.5 * negative)).sum(axis=1)
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    areas: Floats = np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs > 0)
    return areas


def average_precision(positive: Floats, negative: Floats) -> Floats:
    """Average precision (K,), the sum of precision times the step in recall, from the same weights."""
    hits = np.cumsum(positive[:, ::-1], axis=1)
    found = np.cumsum((positive + negative)[:, ::-1], axis=1)
    precision = np.divide(hits, found, out=np.zeros_like(hits), where=found > 0)
    total = hits[:, -1]
    summed = (positive[:, ::-1] * precision).sum(axis=1)
    means: Floats = np.divide(summed, total, out=np.full(len(total), np.nan), where=total > 0)
    return means


def per_class(
    curve: Callable[[Floats, Floats], Floats], targets: npt.ArrayLike, scores: npt.ArrayLike
) -> Callable[[Floats], Floats]:
    """Return a function from weights (K, U) to (K, C) values of a ranking curve; NaN where a class is undefined.

    Args:
        curve: :func:`roc_auc` or :func:`average_precision`.
        targets: (U, C) of 0 and 1.
        scores: (U, C), larger is more likely.
    """
    y, s = np.asarray(targets, bool), np.asarray(scores)
    assert y.ndim == 2, y.shape
    assert y.shape == s.shape, (y.shape, s.shape)
    orders = np.argsort(s, axis=0, kind="stable")
    ranked = np.take_along_axis(s, orders, axis=0)
    firsts = [np.flatnonzero(np.r_[True, column[1:] != column[:-1]]) for column in ranked.T]

    def score(weights: Floats) -> Floats:
        out = np.empty((len(weights), y.shape[1]))
        for c, (order, first) in enumerate(zip(orders.T, firsts)):
            sorted_weights, positive = weights[:, order], y[order, c]
            sums = (np.add.reduceat(sorted_weights * mask, first, axis=1) for mask in (positive, ~positive))
            out[:, c] = curve(*sums)
        return out

    return score


def macro(classes: Callable[[Floats], Floats]) -> Score:
    """Score that averages the classes a resample defines."""
    return lambda weights: np.nanmean(classes(weights), axis=1)


def require_defined(targets: npt.ArrayLike, names: Sequence[str], where: str) -> None:
    """Check that every class has positives and negatives.

    Args:
        targets: (U, C) of 0 and 1.
        names: of the classes.
        where: task and split, for the sentence.

    Raises:
        UserError: with the classes whose score is undefined.
    """
    share = np.asarray(targets, np.float64).mean(axis=0)
    bad = [name for name, part in zip(names, share) if part in (0, 1)]
    if bad:
        raise UserError(
            f"{where}: found {len(bad)} classes with one label only ({', '.join(bad[:8])}), expected positives "
            "and negatives of each; complete the download (`python -m musicssl tasks check` says what it lacks)"
        )


# ---------------------------------------------------------------- keys


def key_table(symmetric: bool) -> Floats:
    """Return (24 references, 24 estimates) weighted key scores, majors C to B, then minors.

    Source: MIREX, as in ``mir_eval.key.weighted_score``: 1 the same key, 0.5 the same mode a perfect fifth above the
    reference, 0.3 relative, 0.2 parallel, 0 else.

    Args:
        symmetric: credit a fifth below the reference too.
    """
    tonic, minor = np.arange(NUM_KEYS) % 12, np.arange(NUM_KEYS) >= 12
    up = (tonic[None, :] - tonic[:, None]) % 12
    same_mode = minor[None, :] == minor[:, None]
    relative = np.where(minor[:, None], up == 3, up == 9) & ~same_mode
    fifth = (up == 7) | ((up == 5) if symmetric else False)
    cases = [same_mode & (up == 0), same_mode & fifth, relative, ~same_mode & (up == 0)]
    return np.select(cases, [1.0, 0.5, 0.3, 0.2], 0.0)


# ---------------------------------------------------------------- beats


def count_matches(reference: Floats, estimate: Floats, tolerance_s: float) -> int:
    """Return the size of the largest one-to-one matching of ascending times within a tolerance.

    Pairing each reference with the earliest estimate still free is optimal on a line. The two ends of a window are
    rounded as mir_eval rounds them, so that a distance of exactly the tolerance counts here if it does there.
    """
    times, starts, ends = reference.tolist(), (estimate - tolerance_s).tolist(), (estimate + tolerance_s).tolist()
    i = j = count = 0
    while i < len(times) and j < len(starts):
        if times[i] < starts[j]:
            i += 1
        elif times[i] > ends[j]:
            j += 1
        else:
            i, j, count = i + 1, j + 1, count + 1
    return count


def beat_counts(references: Sequence[Floats], estimates: Sequence[Floats], tolerance_s: float) -> Floats:
    """Return (U, 2): twice the matches, and the number of reference and estimated beats, of each file."""
    pairs = list(zip(references, estimates, strict=True))
    rows = [(2.0 * count_matches(ref, est, tolerance_s), float(len(ref) + len(est))) for ref, est in pairs]
    return np.array(rows).reshape(-1, 2)


def f_measures(counts: Floats) -> Floats:
    """Return the F-measure of each file, 0 where there is nothing to find or nothing found."""
    return np.divide(counts[:, 0], counts[:, 1], out=np.zeros(len(counts)), where=counts[:, 1] > 0)
