"""Score the stored predictions of a probe: every metric with its interval, beside what the trivial answer is worth.

Nothing is trained or embedded here, so a fix in a metric costs seconds. Equal test units are resampled alike whatever
the model, so the differences of two models' bootstrap values are a paired bootstrap.

Axes: S seeds, U units (items, or songs for keys), C classes or outputs.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..artefacts.scores import Fit, Metric, Predictions, Scores
from ..tasks.kinds import KINDS
from .bootstrap import bootstrap, interval
from .metrics import Score, plain
from .peers import require_agreement
from .scoring import Units, class_scores, scores_of

logger = logging.getLogger(__name__)
VERSION = 1
BOOTSTRAP_SEED = 0
RULE = "key_score_rule"
"""The key score under the rule, of those that make one answer of a song's clips, which validation prefers."""


def score(predictions: Predictions, fitted: Fit, name: str, digest: str, num_bootstraps: int) -> Scores:
    """Return the scores of one probe.

    Args:
        predictions: of the test split.
        fitted: how the heads were trained and chosen.
        name: "model/task".
        digest: of the scores' recipe.
        num_bootstraps: resamples of the units.

    Raises:
        UserError: a score is not what scikit-learn or mir_eval gives.
    """
    units = units_of_predictions(predictions)
    metrics = summarize(units, predictions.outputs, num_bootstraps)
    floors = _values(units, predictions.floor, scores_of(units, predictions.floor))
    if predictions.ruled:
        metrics[RULE] = summarize(units, predictions.ruled, num_bootstraps)["key_score"]
        floors[RULE] = floors["key_score"]
    for key in (key for key in KINDS[units.kind].names if key in metrics):
        one = metrics[key]
        logger.info("%s: %.4f [%.4f, %.4f], trivial %.4f", key, one.mean, one.low, one.high, floors[key])
    model, task = name.split("/")
    return Scores(
        model=model,
        task=task,
        digest=digest,
        test_units=digest_of_units(units),
        num_items=fitted.num_items,
        metrics=metrics,
        floor=floors,
        per_class=_mean_class_scores(units, predictions.outputs),
        layer_weights=fitted.layer_weights,
        curves=fitted.curves,
        chosen=fitted.chosen,
    )


def summarize(units: Units, outputs: Sequence[Any], num_bootstraps: int) -> dict[str, Metric]:
    """Return, for each score, mean and standard deviation over seeds and the bootstrap interval of the mean.

    Raises:
        UserError: a score is not what scikit-learn or mir_eval gives.
    """
    per_seed = [scores_of(units, one) for one in outputs]
    checked = [_values(units, one, scores) for one, scores in zip(outputs, per_seed)]
    out = {}
    for name in per_seed[0]:
        scores = [scores[name] for scores in per_seed]
        values = [values[name] for values in checked]
        samples = bootstrap(scores, units.groups, num_bootstraps, BOOTSTRAP_SEED)
        low, high = interval(samples)
        std = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        resampled = tuple(round(float(value), 6) for value in samples)
        out[name] = Metric(float(np.mean(values)), std, low, high, tuple(values), resampled)
    return out


def _values(units: Units, outputs: Any, scores: Mapping[str, Score]) -> dict[str, float]:
    """Return the plain scores of some outputs, checked against the field's libraries."""
    values = {name: plain(score, len(units)) for name, score in scores.items()}
    require_agreement(units, outputs, values)
    return values


def digest_of_units(units: Units) -> str:
    """Return ten digits that two models' test units share if they are the same, in the same groups and order."""
    return hashlib.sha256(json.dumps([units.ids, units.groups]).encode()).hexdigest()[:10]


def _mean_class_scores(units: Units, outputs: Sequence[Any]) -> dict[str, tuple[float | None, ...]]:
    per_seed = [class_scores(units, one) for one in outputs]
    return {
        name: tuple(None if one[0] is None else float(np.mean(one)) for one in zip(*(s[name] for s in per_seed)))
        for name in per_seed[0]
    }


def units_of_predictions(predictions: Predictions) -> Units:
    """Return the units that predictions were made for, in the form :func:`scores_of` takes."""
    kept = predictions
    return Units(kept.kind, kept.classes, kept.ids, kept.groups, kept.targets)
