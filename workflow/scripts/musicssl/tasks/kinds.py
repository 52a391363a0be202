"""The kinds of task: what their targets are, how they are trained, watched on validation, scored and printed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Loss = Literal["cross entropy", "binary cross entropy", "squared error"]


@dataclass(frozen=True)
class Metric:
    """A score as it is named in files and in print; all lie on the scale 0 to 1 and are printed times ``scale``."""

    name: str
    label: str
    scale: float = 100.0


@dataclass(frozen=True)
class Kind:
    """One kind of task.

    Attributes:
        loss: of a row, the mean over outputs where there are several.
        has_classes: a target is the index of a class.
        monitors: metrics that validation watches, the mean where there are two (MARBLE v1).
        metrics: in the order they are printed; a task need not have all.
    """

    loss: Loss
    has_classes: bool
    monitors: tuple[str, ...]
    metrics: tuple[Metric, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the metrics."""
        return tuple(metric.name for metric in self.metrics)


ACCURACY = Metric("accuracy", "accuracy")
KINDS = {
    "multiclass": Kind(
        "cross entropy", True, ("accuracy",), (ACCURACY, Metric("accuracy_recording", "accuracy, recordings"))
    ),
    "multilabel": Kind("binary cross entropy", False, ("roc_auc",), (Metric("roc_auc", "ROC-AUC"), Metric("ap", "AP"))),
    "regression": Kind(
        "squared error",
        False,
        ("r2_arousal", "r2_valence"),
        (Metric("r2_valence", "R² valence"), Metric("r2_arousal", "R² arousal")),
    ),
    "key": Kind(
        "cross entropy",
        True,
        ("key_score",),
        (
            Metric("key_score", "key score"),  # mir_eval's
            Metric("key_score_symmetric", "key score, both fifths"),
            Metric("key_score_rule", "key score, best rule on validation"),
            ACCURACY,
        ),
    ),
    "beats": Kind(
        "binary cross entropy",
        False,
        ("beat_f70",),  # the paper's text says 20 ms, its numbers say 70
        (
            Metric("beat_f70", "beat F, 70 ms"),
            Metric("beat_f20", "beat F, 20 ms"),
            Metric("beat_f70_micro", "beat F, 70 ms, pooled"),
            Metric("beat_f20_micro", "beat F, 20 ms, pooled"),
        ),
    ),
}
LABELS = {metric.name: metric.label for kind in KINDS.values() for metric in kind.metrics}
