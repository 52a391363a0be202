"""Paired differences of two models on the same test items, from the bootstrap values that their probes left.

Every probe of a task resamples its test units with one seed, so the i-th values of two models stand on the same draw
(Efron & Tibshirani 1993, chapter 16: resample pairs).
"""

from __future__ import annotations

from ..artefacts.scores import Scores
from ..probing.bootstrap import Difference, difference_of


def paired_difference(ours: Scores, other: Scores, metric: str) -> Difference | None:
    """Return how much better one probe is than another on a metric of one task.

    Args:
        ours: scores of the one.
        other: of the other.
        metric: its name.

    Returns:
        None where the two were not tested on the same units or with the same number of resamples.
    """
    first, second = ours.metrics[metric], other.metrics.get(metric)
    if second is None or ours.test_units != other.test_units:
        return None
    if len(first.bootstrap) != len(second.bootstrap):
        return None
    return difference_of(first.mean - second.mean, first.bootstrap, second.bootstrap)
