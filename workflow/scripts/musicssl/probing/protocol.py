"""The whole probe of one model on one task: fit, choose on validation, score once on test, write.

``metrics.json`` holds means, standard deviations and bootstrap intervals over seeds, and the bootstrap values behind
them: equal test units are resampled alike whatever the model, so the differences of two models' values are a paired
bootstrap. ``predictions.npz`` holds what they come from (:func:`compare` resamples it anew).

Axes: S seeds, U units (items, or songs for keys), C classes or outputs.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ..artefacts import atomic, states, write_json
from ..artefacts.states import Ints
from ..artefacts.task import SPLITS, TaskTable
from ..config.recipes import Task, View, build
from ..runtime import UserError
from ..tasks.kinds import KINDS
from .beats import BeatTracker
from .bootstrap import Difference, bootstrap, interval, paired_bootstrap
from .fit import Fitted, Validate, fit
from .heads import Heads, predict
from .items import Examples, load_examples
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


def probe(
    table: TaskTable, blocks: Sequence[str | Path], recipe: dict[str, Any], device: torch.device
) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Return the values of ``metrics.json`` and the arrays of ``predictions.npz``.

    Args:
        table: the task.
        blocks: the ``.npy`` of the states of the task's dataset and view, in order.
        recipe: of the probe; its states' digest must be the blocks'.
        device: to train on.

    Raises:
        UserError: the states belong to something else, a metric is undefined, training diverged.
    """
    task, inputs = build(Task, recipe["entry"]), recipe["inputs"]
    kind, classes, beats = task.kind, table.classes, task.probe.beats
    view = build(View, inputs["states"]["inputs"]["view"]["entry"])
    data = load_examples(table, states.read(blocks, inputs["states"]["digest"]), view, task)
    units, owners = units_of(data, kind, classes, "test")
    require_scorable(units, f"task {table.task}, test split")
    crop_rows = round(beats.crop_s * data.frame_rate_hz) if beats else 0
    fitted = fit(data, kind, task.probe, crop_rows, validation(data, kind, classes, f"task {table.task}"), device)
    chosen = fitted.chosen()
    raw = predict(fitted.heads, data, data.rows_of(data.of_split("test")))[chosen].cpu().numpy()
    outputs, floor = answers_of(data, units, owners, raw), _trivial(data, units, owners)
    model, name = recipe["name"].split("/")
    metrics = {
        "model": model,
        "task": name,
        "digest": recipe["digest"],
        "test_units": digest_of_units(units),
        "num_items": {split: len(data.of_split(split)) for split in SPLITS},
        "metrics": summarise(units, outputs, task.probe.num_bootstraps),
        "floor": _values(units, floor, scores_of(units, floor)),
        "per_class": _mean_class_scores(units, outputs),
        "layer_weights": _layer_weights(fitted.heads, data.layers)[chosen].tolist(),
        "curves": fitted.curves,
        "chosen": _chosen(fitted, chosen),
    }
    if kind == "key":
        _add_chosen_rule(metrics, data, classes, fitted, chosen, raw, (units, owners), task.probe.num_bootstraps)
    for key in [name for name in KINDS[kind].names if name in metrics["metrics"]]:
        found = metrics["metrics"][key]
        logger.info("%s: %.4f [%.4f, %.4f], trivial %.4f", key, *(found[k] for k in ("mean", "low", "high")),
                    metrics["floor"][key])  # fmt: skip
    return metrics, arrays_of(units, outputs)


def validation(data: Examples, kind: str, classes: list[str], where: str) -> Validate:
    """Return the validation score of each replica, the mean of what its kind monitors; NaN where it diverged.

    Raises:
        UserError: all validation targets are the same.
    """
    units, owners = units_of(data, kind, classes, "valid")
    require_monitored(units, f"{where}, valid split")
    rows = data.rows_of(data.of_split("valid"))

    def validate(heads: Heads) -> npt.NDArray[np.float64]:
        raw = predict(heads, data, rows).cpu().numpy()
        found, finite = np.full(len(raw), np.nan), np.flatnonzero(np.isfinite(raw).all(axis=(1, 2)))
        for r, one in zip(finite, answers_of(data, units, owners, raw[finite])):
            scores = scores_of(units, one)
            found[r] = np.mean([plain(scores[name], len(units)) for name in KINDS[kind].monitors])
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


def _add_chosen_rule(
    metrics: dict[str, Any], data: Examples, classes: list[str], fitted: Fitted, chosen: Sequence[int],
    raw: npt.NDArray[np.float32], test: tuple[Units, npt.NDArray[np.int64]], num_bootstraps: int,
) -> None:  # fmt: skip
    """Add ``key_score_rule``: the key score under the rule, of those for a song's clips, that validation prefers."""
    units, owners = test
    valid, valid_owners = units_of(data, "key", classes, "valid")
    on_valid = predict(fitted.heads, data, data.rows_of(data.of_split("valid")))[chosen].cpu().numpy()
    rules = [best_rule(valid, logits, valid_owners) for logits in on_valid]
    outputs = [by_rule(logits, owners, len(units))[rule] for logits, rule in zip(raw, rules)]
    metrics["metrics"]["key_score_rule"] = summarise(units, outputs, num_bootstraps)["key_score"]
    metrics["floor"]["key_score_rule"] = metrics["floor"]["key_score"]
    for row, rule in zip(metrics["chosen"], rules):
        row["rule"] = rule


def summarise(units: Units, outputs: Sequence[Any], num_bootstraps: int) -> dict[str, dict[str, Any]]:
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
        out[name] = {"mean": float(np.mean(values)), "std": std, "low": low, "high": high, "seeds": values}
        out[name]["bootstrap"] = [round(float(value), 6) for value in samples]
    return out


def _values(units: Units, outputs: Any, scores: Mapping[str, Score]) -> dict[str, float]:
    """Return the plain scores of some outputs, checked against the field's libraries."""
    values = {name: plain(score, len(units)) for name, score in scores.items()}
    require_agreement(units, outputs, values)
    return values


def digest_of_units(units: Units) -> str:
    """Return ten digits that two models' test units share if they are the same, in the same groups and order."""
    return hashlib.sha256(json.dumps([units.ids, units.groups]).encode()).hexdigest()[:10]


def _mean_class_scores(units: Units, outputs: Sequence[Any]) -> dict[str, list[float | None]]:
    per_seed = [class_scores(units, one) for one in outputs]
    return {
        name: [None if values[0] is None else float(np.mean(values)) for values in zip(*(s[name] for s in per_seed))]
        for name in per_seed[0]
    }


def _layer_weights(heads: Heads, layers: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Return the weights of all stored states (R, states), 0 for those left out."""
    weights = np.zeros((len(heads.weights[0]), len(layers)), np.float32)
    weights[:, layers] = heads.layer_weights().cpu().numpy()
    return weights


def _chosen(fitted: Fitted, replicas: Sequence[int]) -> list[dict[str, Any]]:
    return [
        {"seed": fitted.seeds[r], "learning_rate": fitted.rates[r], "epoch": int(fitted.epochs[r])} for r in replicas
    ]


# ---------------------------------------------------------------- predictions


def arrays_of(units: Units, outputs: Sequence[Any]) -> dict[str, npt.NDArray[Any]]:
    """Return what ``predictions.npz`` holds: ``kind``, ``classes``, ``ids``, ``groups``, ``targets``, ``outputs``.

    Outputs are float32 (S, U, C). Beat times are concatenated over files (and seeds), with ``*_offsets`` beside them.
    """
    names = {key: np.array(getattr(units, key), dtype=str) for key in ("kind", "classes", "ids", "groups")}
    if units.kind != "beats":
        return names | {"targets": np.asarray(units.targets), "outputs": np.asarray(outputs)}
    times = {"targets": list(units.targets), "outputs": [beats for one in outputs for beats in one]}
    for key, parts in times.items():
        names[key] = np.concatenate([np.zeros(0), *parts])
        names[f"{key}_offsets"] = np.cumsum([0, *map(len, parts)])
    return names


def write_probe(
    metrics_path: str | Path, predictions_path: str | Path, metrics: dict[str, Any], arrays: dict[str, Any]
) -> None:
    """Write both results of :func:`probe`, each whole or not at all."""
    with atomic(predictions_path) as part, open(part, "wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
    write_json(metrics_path, metrics)


def read_predictions(path: str | Path) -> tuple[Units, list[Any]]:
    """Return the units of ``predictions.npz`` and the outputs of each seed."""
    with np.load(path) as stored:
        arrays = dict(stored)
    kind, classes, ids, groups = (arrays[key].tolist() for key in ("kind", "classes", "ids", "groups"))
    if kind != "beats":
        return Units(kind, classes, ids, groups, arrays["targets"]), list(arrays["outputs"])
    targets, beats = (np.split(arrays[key], arrays[f"{key}_offsets"][1:-1]) for key in ("targets", "outputs"))
    per_seed = [beats[first : first + len(ids)] for first in range(0, len(beats), len(ids))]
    return Units(kind, classes, ids, groups, targets), per_seed


def compare(first: str | Path, second: str | Path, metric: str, num_bootstraps: int) -> Difference:
    """Compare two models' ``predictions.npz`` of one task by paired bootstrap; positive means the first is better.

    Raises:
        UserError: the two do not hold the same test units.
    """
    (units, one), (others, two) = read_predictions(first), read_predictions(second)
    if units.ids != others.ids:
        odd = set(units.ids) ^ set(others.ids)
        raise UserError(f"{second}: found other test items than in {first} ({len(odd)} differ); compare one task only")
    ours, theirs = ([scores_of(units, out)[metric] for out in outputs] for outputs in (one, two))
    return paired_bootstrap(ours, theirs, units.groups, num_bootstraps, BOOTSTRAP_SEED)
