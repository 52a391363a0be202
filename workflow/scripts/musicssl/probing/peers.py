"""The field's own libraries as judges: every score that is reported must be theirs too.

The bootstrap needs scores as functions of item weights (:mod:`musicssl.probing.metrics`), which no library offers; on
the items themselves scikit-learn and mir_eval compute the same from the same outputs, in their own way. They are
imported where a score is computed, not before: reading scores back needs neither.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..runtime import UserError
from .metrics import TOLERANCES_S
from .scoring import Units

TOLERANCE = 1e-8
"""Absolute and relative: far above rounding, far below a printed digit."""


def require_agreement(units: Units, outputs: Any, found: Mapping[str, float]) -> None:
    """Check scores against those of the libraries.

    Args:
        units: what is scored.
        outputs: (U, C), for beats a list of times in seconds.
        found: our scores by name; those that no library defines are left alone.

    Raises:
        UserError: one differs by more than rounding.
    """
    for name, theirs in peer_scores(units, outputs).items():
        if not math.isclose(found[name], theirs, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            raise UserError(
                f"{name}: found {found[name]!r}, expected {theirs!r}, which scikit-learn or mir_eval gives for the "
                "same predictions; install the versions of requirements.lock, and report it if it stays"
            )


def peer_scores(units: Units, outputs: Any) -> dict[str, float]:
    """Return the scores that scikit-learn (classes, tags, regression) and mir_eval (keys, beats) define, by name."""
    if units.kind == "beats":
        return _beats(units, outputs)
    from sklearn import metrics

    if units.kind == "multilabel":
        curves = {"roc_auc": metrics.roc_auc_score, "ap": metrics.average_precision_score}
        return {name: float(curve(units.targets, outputs, average="macro")) for name, curve in curves.items()}
    if units.kind == "regression":
        each = metrics.r2_score(units.targets, outputs, multioutput="raw_values")
        return {f"r2_{name}": float(score) for name, score in zip(units.classes, each)}
    answers = np.asarray(outputs).argmax(axis=1)
    scores = {"accuracy": float(metrics.accuracy_score(units.targets, answers))}
    return scores | (_keys(units, answers) if units.kind == "key" else {})


def _keys(units: Units, answers: npt.NDArray[np.int64]) -> dict[str, float]:
    """Return the mean weighted scores; the symmetric one credits the better of the two directions."""
    from mir_eval.key import weighted_score

    pairs = [(units.classes[truth], units.classes[answer]) for truth, answer in zip(units.targets, answers)]
    both = np.array([(weighted_score(truth, answer), weighted_score(answer, truth)) for truth, answer in pairs])
    return {"key_score": float(both[:, 0].mean()), "key_score_symmetric": float(both.max(axis=1).mean())}


def _beats(units: Units, estimates: Any) -> dict[str, float]:
    from mir_eval.beat import f_measure

    pairs = list(zip(units.targets, estimates, strict=True))
    return {
        name: float(np.mean([f_measure(*pair, f_measure_threshold=tolerance_s) for pair in pairs]))
        for name, tolerance_s in TOLERANCES_S.items()
    }
