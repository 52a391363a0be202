"""Items of a task as probing needs them: joined with their rows in the hidden states of a view."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..artefacts.states import Halves, Ints, Rows, States
from ..artefacts.task import SPLITS, Item, TaskTable
from ..config.recipes import Task, View
from ..runtime import UserError
from ..tasks.kinds import KINDS
from ..tasks.views import rows_of_stretch

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Examples:
    """Embedded items and their targets; an item owns the rows ``offsets[i]`` to ``offsets[i + 1]``.

    Rows are recordings, windows, or frames (beats). Row r lies at ``places[r]`` of ``states``, where rows of other
    items may lie between.

    Attributes:
        items: those with states, as listed.
        states: float16 (stored rows, N, W), memory-mapped; of a protocol's layers only.
        places: int64 (rows,).
        targets: one a row: int64 (rows,) for classes and keys, else float32 (rows, outputs).
        offsets: int64 (items + 1,).
        num_outputs: of the head.
        frame_rate_hz: of the rows, where they are frames.
        frame_offset_s: center of an item's first frame.
        layers: bool (stored states,), which of them are the N.
    """

    items: list[Item]
    states: Rows | Halves
    places: Tensor
    targets: Tensor
    offsets: Ints
    num_outputs: int
    frame_rate_hz: float
    frame_offset_s: float
    layers: npt.NDArray[np.bool_]

    def of_split(self, split: str) -> Ints:
        """Return the indices of the items of a split."""
        return np.array([i for i, item in enumerate(self.items) if item.split == split], dtype=np.int64)

    def rows_of(self, items: Ints) -> Ints:
        """Return all rows of some items, one item after the other."""
        return spans(self.offsets[items], self.offsets[items + 1] - self.offsets[items])


def spans(starts: Ints, lengths: Ints) -> Ints:
    """Return the integers of consecutive spans, each ``lengths[i]`` from ``starts[i]`` on."""
    ends = np.cumsum(lengths)
    return np.repeat(starts - ends + lengths, lengths) + np.arange(ends[-1] if len(ends) else 0)


def load_examples(table: TaskTable, store: States, view: View, task: Task) -> Examples:
    """Join a task's items with a model's hidden states of their recordings.

    Args:
        table: the items.
        store: states of the task's dataset and view.
        view: that the states are stored by.
        task: which states are probed, and how beats are.

    Raises:
        UserError: the states are of other recordings, a split has no embedded item, or the model has no such layer.
    """
    where = store.blocks[0].path.parent
    items, first_rows, lengths = _owned(table, store, view)
    if empty := [split for split in SPLITS if split not in {item.split for item in items}]:
        raise UserError(
            f"task {table.task}: found no item with hidden states in {', '.join(empty)}, expected some in each; the "
            f"logs of the jobs that wrote {where} say why recordings were skipped"
        )
    if len(items) < len(table.items):
        logger.warning("%d items have no states and are left out", len(table.items) - len(items))
    offset, beats = store.frame_offset_s, task.probe.beats
    offset = 0.0 if beats and beats.frame_times == "start" else offset
    neighbors = beats.neighbors if beats else 1.0
    targets = row_targets([item.target for item in items], lengths, task.kind, store.frame_rate_hz, offset, neighbors)
    num_outputs = len(table.classes) if KINDS[task.kind].has_classes else targets.shape[1]
    layers = chosen_layers(task.probe.layers, store.rows.shape[1], str(where))
    return Examples(
        items, store.rows.states(layers), torch.from_numpy(spans(first_rows, lengths)), targets,
        np.cumsum([0, *lengths]), num_outputs, store.frame_rate_hz, offset, layers,
    )  # fmt: skip


def _owned(table: TaskTable, store: States, view: View) -> tuple[list[Item], Ints, Ints]:
    """Return the items that have rows, the first row of each, and how many rows each has.

    Raises:
        UserError: nothing is known of an item's recording.
    """
    items, found = [], []
    counts = np.diff(store.offsets)
    for item in table.items:
        place = store.recordings.get(item.path)
        if (item.start_s or item.duration_s) and view.rows != "window":
            raise UserError(
                f"task {table.task}, item {item.id}: found a stretch from {item.start_s:g} s on, but the states hold a "
                f"row a {view.rows}; delete the task's folder and run the workflow again"
            )
        owned = range(0)
        if place is not None:
            owned = rows_of_stretch(item.start_s, item.duration_s, int(counts[place]), view)
        if owned and place is not None:
            items.append(item)
            found.append((store.offsets[place] + owned.start, len(owned)))
        elif not store.skipped & {(item.path, 0.0), (item.path, item.start_s)}:
            raise UserError(
                f"{store.blocks[0].path.parent}: found no hidden states of {item.path} at {item.start_s:g} s, which "
                f"task {table.task} lists; delete the folder and run the workflow again"
            )
    first_rows, lengths = np.array(found, dtype=np.int64).reshape(-1, 2).T
    return items, first_rows, lengths


def chosen_layers(layers: str | Sequence[int], num_states: int, store: str) -> npt.NDArray[np.bool_]:
    """Return which states are probed, (states,); the only state of a floor is, whatever the protocol names.

    Raises:
        UserError: there is no such state.
    """
    if isinstance(layers, str) or num_states == 1:
        return np.ones(num_states, bool)
    if max(layers) >= num_states:
        raise UserError(
            f"probe.layers: found {max(layers)}, expected 0 to {num_states - 1}, the states in {store}; name layers "
            "that every model of the task has"
        )
    return np.isin(np.arange(num_states), layers)


def row_targets(
    targets: Sequence[Any], lengths: Ints, kind: str, rate_hz: float, offset_s: float, neighbors: float
) -> Tensor:
    """Return the target of each row: the item's own, or for beats that of :func:`beat_frames`."""
    if kind == "beats":
        frames = [beat_frames(times, int(n), rate_hz, offset_s, neighbors) for times, n in zip(targets, lengths)]
        return torch.from_numpy(np.concatenate(frames))[:, None]
    values = np.asarray(targets, dtype=np.int64 if KINDS[kind].has_classes else np.float32)
    return torch.from_numpy(np.repeat(values, lengths, axis=0))


def beat_frames(
    times_s: npt.ArrayLike, num_frames: int, rate_hz: float, offset_s: float, neighbors: float = 1.0
) -> npt.NDArray[np.float32]:
    """Return (frames,) with 1 at the frame whose center is nearest to each beat, and ``neighbors`` beside it.

    Source: the paper, section 3.3 (neighbors 1); frame i is centered at ``i / rate_hz + offset_s``.
    """
    out = np.zeros(num_frames, np.float32)
    nearest = np.rint((np.asarray(times_s, np.float64) - offset_s) * rate_hz).astype(np.int64)
    for shift, value in ((-1, neighbors), (1, neighbors), (0, 1.0)):
        frame = nearest + shift
        out[frame[(frame >= 0) & (frame < num_frames)]] = value
    return out
