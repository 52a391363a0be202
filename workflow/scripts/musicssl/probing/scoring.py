"""What a task's outputs are worth: which units are scored, by which metrics, beside which trivial answer.

A unit is an item, for keys a song: the outputs of its clips are averaged first (reference: MARBLE v2), and a further
score takes the rule that validation prefers. Outputs are logits, predicted values or, for beats, the activation of each
frame, which the beat tracker turns into times.

Axes: U units, C classes or outputs, F frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..artefacts.states import Ints
from ..runtime import UserError
from ..tasks.kinds import KINDS
from . import metrics
from .beats import BeatTracker
from .items import Examples
from .metrics import Floats, Score

Outputs = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Units:
    """What is scored together.

    Attributes:
        kind: of the task.
        classes: names of the outputs; empty for beats.
        ids: of the items, for keys of the songs.
        groups: recordings; a bootstrap draws them whole.
        targets: (U,) classes, (U, C) labels or values, or a list of beat times in seconds.
    """

    kind: str
    classes: list[str]
    ids: list[str]
    groups: list[str]
    targets: Any

    def __len__(self) -> int:
        return len(self.ids)


def units_of(data: Examples, kind: str, classes: list[str], split: str) -> tuple[Units, Ints]:
    """Return the units of a split, and for each row of ``data.rows_of(split)`` the unit that it belongs to.

    Raises:
        UserError: items of one song carry different keys.
    """
    chosen = data.of_split(split)
    items = [data.items[i] for i in chosen]
    names = [item.group if kind == "key" else item.id for item in items]
    first = {name: i for i, name in reversed(list(enumerate(names)))}
    ids = list(dict.fromkeys(names))
    targets: Any = [items[first[name]].target for name in ids]
    for name, item in zip(names, items):
        if kind == "key" and item.target != items[first[name]].target:
            raise UserError(f"song {name!r} has several keys, expected one; correct its annotation")
    targets = [np.asarray(times, np.float64) for times in targets] if kind == "beats" else np.asarray(targets)
    number = {name: u for u, name in enumerate(ids)}
    owners = np.array([number[name] for name in names], dtype=np.int64)
    lengths = data.offsets[chosen + 1] - data.offsets[chosen]
    groups = [items[first[name]].group for name in ids]
    return Units(kind, classes, ids, groups, targets), np.repeat(owners, lengths)


def average_rows(outputs: Outputs, owners: Ints, num_units: int) -> Outputs:
    """Return (R, U, C), the mean of each unit's rows, of outputs (R, rows, C)."""
    counts = np.bincount(owners, minlength=num_units)
    if len(owners) == num_units:
        return outputs[:, np.argsort(owners, kind="stable")]
    order = np.argsort(owners, kind="stable")
    sums = np.add.reduceat(outputs[:, order].astype(np.float64), np.cumsum(counts) - counts, axis=1)
    return (sums / counts[:, None]).astype(np.float32)


def by_rule(logits: Outputs, owners: Ints, num_units: int) -> dict[str, Outputs]:
    """Return the outputs (U, C) of songs by each rule that makes one answer of its clips' logits (rows, C).

    Source: jukemir (Castellon et al., ISMIR 2021) and MARBLE v1, which choose one of the four on validation.
    """
    peaks = np.full((num_units, logits.shape[1]), -np.inf, np.float32)
    np.maximum.at(peaks, owners, logits)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    rows = {
        "mean logit": logits,
        "mean probability": powers / powers.sum(axis=1, keepdims=True),
        "vote": np.eye(logits.shape[1], dtype=np.float32)[logits.argmax(axis=1)],
    }
    return {name: average_rows(one[None], owners, num_units)[0] for name, one in rows.items()} | {"max logit": peaks}


def best_rule(valid: Units, logits: Outputs, owners: Ints) -> str:
    """Return the rule with the best key score on validation, the first of equals."""
    outputs = by_rule(logits, owners, len(valid))
    return max(outputs, key=lambda rule: metrics.plain(scores_of(valid, outputs[rule])["key_score"], len(valid)))


def decode_beats(logits: npt.NDArray[np.float32], owners: Ints, tracker: BeatTracker, num_units: int) -> list[Floats]:
    """Return the beat times of each unit from one replica's frame logits (rows,)."""
    activation = 1.0 / (1.0 + np.exp(-logits.astype(np.float64)))
    counts = np.bincount(owners, minlength=num_units)
    return [tracker(part) for part in np.split(activation, np.cumsum(counts)[:-1])]


# ---------------------------------------------------------------- scores


def scores_of(units: Units, outputs: Any) -> dict[str, Score]:
    """Return every score that the kind of task has, by name.

    Args:
        units: what is scored.
        outputs: (U, C), for beats a list of times in seconds.
    """
    if KINDS[units.kind].has_classes:
        return _class_scores(units, np.asarray(outputs))
    if units.kind == "multilabel":
        curves = {"roc_auc": metrics.roc_auc, "ap": metrics.average_precision}
        return {k: metrics.macro(metrics.per_class(f, units.targets, outputs)) for k, f in curves.items()}
    if units.kind == "regression":
        pairs = zip(units.classes, units.targets.T, np.asarray(outputs).T)
        return {f"r2_{name}": metrics.r2(y, p) for name, y, p in pairs}
    return _beat_scores(units, outputs)


def _class_scores(units: Units, outputs: npt.NDArray[Any]) -> dict[str, Score]:
    """Return accuracy, the key scores, and the accuracy of recordings that several units come from."""
    answers = outputs.argmax(axis=1)
    scores = {"accuracy": metrics.mean(answers == units.targets)}
    if units.kind == "key":
        for name, symmetric in (("key_score", False), ("key_score_symmetric", True)):
            scores[name] = metrics.mean(metrics.key_table(symmetric)[units.targets, answers])
    elif len(set(units.groups)) < len(units):
        _, first, member, size = np.unique(units.groups, return_index=True, return_inverse=True, return_counts=True)
        summed = np.zeros((len(first), outputs.shape[1]))
        np.add.at(summed, member, outputs)
        correct = (summed.argmax(axis=1) == units.targets[first])[member]
        scores["accuracy_recording"] = metrics.ratio(correct / size[member], 1 / size[member])
    return scores


def _beat_scores(units: Units, estimates: Sequence[Floats]) -> dict[str, Score]:
    """Return the F-measures, mean over files, and pooled over all beats."""
    scores = {}
    for name, tolerance_s in metrics.TOLERANCES_S.items():
        counts = metrics.beat_counts(units.targets, estimates, tolerance_s)
        scores[name] = metrics.mean(metrics.f_measures(counts))
        scores[f"{name}_micro"] = metrics.ratio(counts[:, 0], counts[:, 1])
    return scores


def require_scorable(units: Units, where: str) -> None:
    """Check that the metrics are defined; ``where`` tells task and split.

    Raises:
        UserError: a class has one label only.
    """
    if units.kind == "multilabel":
        metrics.require_defined(units.targets, units.classes, where)


def require_monitored(units: Units, where: str) -> None:
    """Check that validation can tell one epoch from another: tags that it lacks are left out of its mean, not all.

    ``where`` tells task and split.

    Raises:
        UserError: no class has positives and negatives, or there are fewer than two different values.
    """
    if units.kind not in ("multilabel", "regression"):
        return
    varied = np.ptp(np.asarray(units.targets, np.float64), axis=0) > 0
    if not (varied.any() if units.kind == "multilabel" else varied.all()):
        raise UserError(
            f"{where}: found one and the same target in all {len(units)} items, expected different ones to choose "
            "the epoch by; complete the download (`python -m musicssl tasks check` says what it lacks)"
        )


def class_scores(units: Units, outputs: Any) -> dict[str, list[float | None]]:
    """Return scores of each class, in the order of ``classes``; None where the split has no item of it."""
    ones = np.ones((1, len(units)))
    if units.kind == "multilabel":
        curves: dict[str, Callable[[Floats, Floats], Floats]]
        curves = {"roc_auc": metrics.roc_auc, "ap": metrics.average_precision}
        return {k: metrics.per_class(f, units.targets, outputs)(ones)[0].tolist() for k, f in curves.items()}
    if KINDS[units.kind].has_classes:
        correct = np.asarray(outputs).argmax(axis=1) == units.targets
        own = [correct[units.targets == c] for c in range(len(units.classes))]
        return {"accuracy": [float(part.mean()) if len(part) else None for part in own]}
    return {}


# ---------------------------------------------------------------- floors


def trivial_outputs(train: Units, num_units: int) -> Outputs:
    """Return the answer (U, C) that looks at no audio: class frequencies or mean of the training units."""
    if KINDS[train.kind].has_classes:
        answer = np.bincount(train.targets, minlength=len(train.classes)) / len(train)
    else:
        answer = np.asarray(train.targets, np.float64).mean(axis=0)
    return np.repeat(answer[None].astype(np.float32), num_units, axis=0)


def trivial_beats(frame_counts: Sequence[int], share: float, tracker: BeatTracker) -> list[Floats]:
    """Return the beats that the tracker hears in a constant activation, the share of beat frames in training."""
    cache = {n: tracker(np.full(n, share)) for n in sorted(set(frame_counts))}
    return [cache[n] for n in frame_counts]
