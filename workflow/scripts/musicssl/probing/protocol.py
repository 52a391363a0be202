"""Probe one model on one task: fit, choose on validation, answer once on the test split.

What comes out is kept (:mod:`musicssl.artefacts.scores`): the answers in ``predictions.npz``, how the heads came to be
in ``fit.json``. :mod:`musicssl.probing.score` makes scores of them.

Axes: S seeds, U units (items, or songs for keys), C classes or outputs.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ..artefacts import states
from ..artefacts.scores import Choice, Epoch, Fit, Predictions
from ..artefacts.states import Ints
from ..artefacts.task import SPLITS, TaskTable
from ..config.recipes import Task, View, build
from ..tasks.kinds import KINDS
from .beats import BeatTracker
from .fit import Fitted, Validate, fit
from .heads import Heads, predict
from .items import Examples, load_examples
from .metrics import plain
from .scoring import (
    Outputs,
    Units,
    average_rows,
    best_rule,
    by_rule,
    decode_beats,
    require_monitored,
    require_scorable,
    scores_of,
    trivial_beats,
    trivial_outputs,
    units_of,
)

logger = logging.getLogger(__name__)


def probe(
    table: TaskTable, blocks: Sequence[str | Path], recipe: Mapping[str, Any], device: torch.device
) -> tuple[Predictions, Fit]:
    """Return the answers on the test split and how the heads came to be.

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
    choices = [Choice(fitted.seeds[r], fitted.rates[r], int(fitted.epochs[r])) for r in chosen]
    ruled: list[Outputs] = []
    if kind == "key":
        rules = _rules(data, classes, fitted, chosen)
        ruled = [by_rule(logits, owners, len(units))[rule] for logits, rule in zip(raw, rules)]
        choices = [replace(choice, rule=rule) for choice, rule in zip(choices, rules)]
    answers = Predictions(kind, classes, units.ids, units.groups, units.targets, list(outputs), floor, ruled)
    about = Fit(
        num_items={split: len(data.of_split(split)) for split in SPLITS},
        layer_weights=tuple(tuple(row) for row in _layer_weights(fitted.heads, data.layers)[chosen].tolist()),
        curves=tuple(Epoch(**row) for row in fitted.curves),
        chosen=tuple(choices),
    )
    return answers, about


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


def _rules(data: Examples, classes: list[str], fitted: Fitted, chosen: Sequence[int]) -> list[str]:
    """Return each seed's rule, of those that make one answer of a song's clips, that validation prefers."""
    valid, owners = units_of(data, "key", classes, "valid")
    logits = predict(fitted.heads, data, data.rows_of(data.of_split("valid")))[chosen].cpu().numpy()
    return [best_rule(valid, one, owners) for one in logits]


def _layer_weights(heads: Heads, layers: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Return the weights of all stored states (R, states), 0 for those left out."""
    weights = np.zeros((len(heads.weights[0]), len(layers)), np.float32)
    weights[:, layers] = heads.layer_weights().cpu().numpy()
    return weights
