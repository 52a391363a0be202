"""The whole probe of one model on one task: fit, choose on validation, score once on test, write.

``metrics.json`` holds means, standard deviations and bootstrap intervals over seeds, and the bootstrap values behind
them: equal test units are resampled alike whatever the model, so the differences of two models' values are a paired
bootstrap. ``predictions.npz`` holds what they come from (:func:`compare` resamples it anew). Both are written by
:mod:`musicssl.artefacts.scores`.

Axes: S seeds, U units (items, or songs for keys), C classes or outputs.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ..artefacts import read_json
from ..artefacts.scores import Choice, Epoch, Metric, Predictions, Scores, read_predictions
from ..config.recipes import Task
from ..runtime import UserError
from .beats import BeatTracker
from .bootstrap import Difference, bootstrap, interval, paired_bootstrap
from .fit import Fitted, Validate, fit
from .heads import Heads, predict
from .items import SPLITS, Examples, Ints, beat_options, load_examples
from .metrics import Score, plain
from .peers import require_agreement
from .scoring import (
    Outputs,
    Units,
    average_rows,
    best_rule,
    by_rule,
    class_scores,
    decode_beats,
    require_monitored,
    require_scorable,
    scores_of,
    trivial_beats,
    trivial_outputs,
    units_of,
)

logger = logging.getLogger(__name__)
BOOTSTRAP_SEED = 0
MONITORS = {
    "multiclass": ("accuracy",),
    "multilabel": ("roc_auc",),
    "regression": ("r2_arousal", "r2_valence"),
    "key": ("key_score",),
    "beats": ("beat_f70",),
}
"""What validation watches, the mean where there are two (MARBLE v1); beats at 70 ms, as the paper's numbers are."""


def probe(
    items_path: str | Path, task_path: str | Path, store: str | Path, recipe: dict[str, Any], task: Task,
    device: torch.device,
) -> tuple[Scores, Predictions]:  # fmt: skip
    """Return the scores on the test split and the predictions behind them.

    Args:
        items_path: ``items.csv``.
        task_path: ``task.json``, for the names of the classes.
        store: the ``.npy`` of the states of the task's dataset.
        recipe: of the probe; its states' digest must be the store's.
        task: the task's entry.
        device: to train on.

    Raises:
        UserError: the states belong to something else, a metric is unknown or undefined, training diverged.
    """
    kind, classes = task.kind, read_json(task_path)["classes"]
    data = load_examples(items_path, store, recipe["inputs"]["states"]["digest"], task, len(classes))
    units, owners = units_of(data, kind, classes, "test")
    require_scorable(units, task.metrics, f"{items_path}, test split")
    crop_rows = round(beat_options(task.options).crop_s * data.frame_rate_hz) if kind == "beats" else 0
    fitted = fit(data, kind, task.probe, crop_rows, validation(data, kind, classes, items_path), device)
    chosen = fitted.chosen()
    raw = predict(fitted.heads, data, data.rows_of(data.of_split("test")))[chosen].cpu().numpy()
    outputs, floor = answers_of(data, units, owners, raw), _trivial(data, units, owners)
    model, name = recipe["name"].split("/")
    metrics = summarise(units, outputs, task.probe.num_bootstraps)
    floors = _values(units, floor, scores_of(units, floor))
    choices = _chosen(fitted, chosen)
    if kind == "key":
        rules, metrics["key_score_rule"] = _score_by_chosen_rule(
            data, classes, fitted, chosen, raw, (units, owners), task.probe.num_bootstraps
        )
        floors["key_score_rule"] = floors["key_score"]
        choices = [replace(choice, rule=rule) for choice, rule in zip(choices, rules)]
    for key in task.metrics:
        logger.info("%s: %.4f [%.4f, %.4f], trivial %.4f", key, metrics[key].mean, metrics[key].low, metrics[key].high,
                    floors[key])  # fmt: skip
    scores = Scores(
        model=model,
        task=name,
        digest=recipe["digest"],
        test_units=digest_of_units(units),
        num_items={split: len(data.of_split(split)) for split in SPLITS},
        metrics=metrics,
        floor=floors,
        per_class=_mean_class_scores(units, outputs),
        layer_weights=tuple(tuple(row) for row in _layer_weights(fitted.heads, data.layers)[chosen].tolist()),
        curves=tuple(Epoch(**row) for row in fitted.curves),
        chosen=tuple(choices),
    )
    return scores, predictions_of(units, outputs)


def validation(data: Examples, kind: str, classes: list[str], items_path: str | Path) -> Validate:
    """Return the validation score of each replica, the mean of its kind's :data:`MONITORS`; NaN where it diverged.

    Raises:
        UserError: all validation targets are the same.
    """
    units, owners = units_of(data, kind, classes, "valid")
    require_monitored(units, f"{items_path}, valid split")
    rows = data.rows_of(data.of_split("valid"))

    def validate(heads: Heads) -> npt.NDArray[np.float64]:
        raw = predict(heads, data, rows).cpu().numpy()
        found, finite = np.full(len(raw), np.nan), np.flatnonzero(np.isfinite(raw).all(axis=(1, 2)))
        for r, one in zip(finite, answers_of(data, units, owners, raw[finite])):
            scores = scores_of(units, one)
            found[r] = np.mean([plain(scores[name], len(units)) for name in MONITORS[kind]])
        return found

    return validate


def answers_of(data: Examples, units: Units, owners: Ints, raw: Outputs) -> Sequence[Any]:
    """Return what :func:`scores_of` takes, one of each replica, of a split's outputs (R, rows, C)."""
    if units.kind != "beats":
        return list(average_rows(raw, owners, len(units)))
    tracker = BeatTracker(data.frame_rate_hz, data.frame_offset_s)
    return [decode_beats(one[:, 0], owners, tracker, len(units)) for one in raw]


def _trivial(data: Examples, units: Units, owners: Ints) -> Any:
    """Return the trivial answer to a split, in the form :func:`scores_of` takes."""
    if units.kind != "beats":
        return trivial_outputs(units_of(data, units.kind, units.classes, "train")[0], len(units))
    share = float(data.targets[data.rows_of(data.of_split("train"))].mean())
    tracker = BeatTracker(data.frame_rate_hz, data.frame_offset_s)
    return trivial_beats(np.bincount(owners).tolist(), share, tracker)


def _score_by_chosen_rule(
    data: Examples, classes: list[str], fitted: Fitted, chosen: Sequence[int], raw: npt.NDArray[np.float32],
    test: tuple[Units, npt.NDArray[np.int64]], num_bootstraps: int,
) -> tuple[list[str], Metric]:  # fmt: skip
    """Return each seed's rule, of those for a song's clips, that validation prefers, and the key score under them."""
    units, owners = test
    valid, valid_owners = units_of(data, "key", classes, "valid")
    on_valid = predict(fitted.heads, data, data.rows_of(data.of_split("valid")))[chosen].cpu().numpy()
    rules = [best_rule(valid, logits, valid_owners) for logits in on_valid]
    outputs = [by_rule(logits, owners, len(units))[rule] for logits, rule in zip(raw, rules)]
    return rules, summarise(units, outputs, num_bootstraps)["key_score"]


def summarise(units: Units, outputs: Sequence[Any], num_bootstraps: int) -> dict[str, Metric]:
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


def _layer_weights(heads: Heads, layers: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Return the weights of all stored states (R, states), 0 for those left out."""
    weights = np.zeros((len(heads.weights[0]), len(layers)), np.float32)
    weights[:, layers] = heads.layer_weights().cpu().numpy()
    return weights


def _chosen(fitted: Fitted, replicas: Sequence[int]) -> list[Choice]:
    return [Choice(fitted.seeds[r], fitted.rates[r], int(fitted.epochs[r])) for r in replicas]


# ---------------------------------------------------------------- predictions


def predictions_of(units: Units, outputs: Sequence[Any]) -> Predictions:
    """Return the predictions to keep of the units and each seed's outputs."""
    return Predictions(units.kind, units.classes, units.ids, units.groups, units.targets, list(outputs))


def units_of_predictions(predictions: Predictions) -> Units:
    """Return the units that predictions were made for, in the form :func:`scores_of` takes."""
    kept = predictions
    return Units(kept.kind, kept.classes, kept.ids, kept.groups, kept.targets)


def compare(first: str | Path, second: str | Path, metric: str, num_bootstraps: int) -> Difference:
    """Compare two models' ``predictions.npz`` of one task by paired bootstrap; positive means the first is better.

    Raises:
        UserError: the two do not hold the same test units.
    """
    one, two = read_predictions(first), read_predictions(second)
    if one.ids != two.ids:
        odd = set(one.ids) ^ set(two.ids)
        raise UserError(f"{second}: found other test items than in {first} ({len(odd)} differ); compare one task only")
    ours, theirs = (
        [scores_of(units_of_predictions(kept), outputs)[metric] for outputs in kept.outputs] for kept in (one, two)
    )
    return paired_bootstrap(ours, theirs, one.groups, num_bootstraps, BOOTSTRAP_SEED)
