"""Items of a task as probing needs them: read back, joined with their states in a store shared with other tasks."""

from __future__ import annotations

import csv
import json
import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..artefacts import RaggedShard
from ..config.recipes import Task, Windows
from ..datasets import Item
from ..runtime import UserError

logger = logging.getLogger(__name__)
Ints = npt.NDArray[np.int64]
SPLITS = ("train", "valid", "test")
COLUMNS = ("id", "split", "path", "start_s", "duration_s", "group", "target")


def read_items(path: str | Path) -> list[Item]:
    """Read ``items.csv``.

    Raises:
        UserError: a column is missing.
    """
    with open(path, encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        absent = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if absent:
            raise UserError(f"{path}: found no column {absent[0]}, expected {', '.join(COLUMNS)}; delete it and rerun")
        return [
            Item(
                row["id"], row["split"], row["path"], float(row["start_s"]), float(row["duration_s"]), row["group"],
                json.loads(row["target"]),
            )
            for row in reader
        ]  # fmt: skip


def check_splits(items: Sequence[Item], where: str | Path) -> None:
    """Check that every split has items left.

    Raises:
        UserError: one has none.
    """
    found = {item.split for item in items}
    if empty := [split for split in SPLITS if split not in found]:
        raise UserError(f"{where}: found no usable item in {', '.join(empty)}, expected some in each; see the log")


def cut_name(item: Item, windows: Windows, kind: str) -> str:
    """Return the name of an item's rows in a store: file, stretch, and how it is windowed."""
    how = f"{windows.length_s!r},{windows.min_s!r},{windows.average}" if kind != "beats" else "frames"
    return f"{item.path}@{item.start_s!r}+{item.duration_s!r}|{how}"


@dataclass(frozen=True)
class Examples:
    """Embedded items and their targets; an item owns the rows ``offsets[i]`` to ``offsets[i + 1]``.

    Rows are items (windows averaged), windows, or frames (beats). Row r lies at ``places[r]`` of ``states``, where
    rows of other tasks may lie between.

    Attributes:
        items: those with states, as listed.
        states: float16 (stored rows, N, W), memory-mapped; of a protocol's layers only.
        places: int64 (rows,).
        targets: one a row: int64 (rows,) for classes and keys, else float32 (rows, outputs).
        offsets: int64 (items + 1,).
        num_outputs: of the head.
        frame_rate_hz: of the rows, where they are frames.
        frame_offset_s: centre of an item's first frame.
        layers: bool (stored states,), which of them are the N.
    """

    items: list[Item]
    states: Tensor
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


def load_examples(items_path: str | Path, store: str | Path, digest: str, task: Task, num_classes: int) -> Examples:
    """Join a task's items with a model's states of them.

    Args:
        items_path: ``items.csv``.
        store: the ``.npy`` (or ``.json``) of the states of the task's dataset.
        digest: of the recipe that must have made it.
        task: how the items are cut, and which states are probed.
        num_classes: names in ``task.json``; 0 where targets have none.

    Raises:
        UserError: the two files belong to different versions of the task, a split has no embedded item, or the model
            has no such layer.
    """
    shard = RaggedShard(store, digest)
    listed = read_items(items_path)
    names = [cut_name(item, task.windows, task.kind) for item in listed]
    number = {name: i for i, name in enumerate(shard.ids)}
    absent = {name for name, _ in shard.attrs["skipped"]}
    if missing := next((name for name in names if name not in number and name not in absent), None):
        raise UserError(
            f"{store}: found no states of {missing!r}, which {items_path} lists; delete the store and rerun"
        )
    found = [(item, number[name]) for item, name in zip(listed, names) if name in number]
    items, rows = [item for item, _ in found], np.array([i for _, i in found], dtype=np.int64)
    check_splits(items, store)
    if len(items) < len(listed):
        logger.warning("%d items have no states and are left out", len(listed) - len(items))
    lengths = shard.lengths()[rows]
    rate, offset = shard.attrs["frame_rate_hz"], shard.attrs["frame_offset_s"]
    options = beat_options(task.options if task.kind == "beats" else {})
    offset = offset if options.frame_times == "centre" else 0.0
    targets = row_targets([item.target for item in items], lengths, task.kind, rate, offset, options.neighbours)
    num_outputs = num_classes if task.kind in ("multiclass", "key") else targets.shape[1]
    layers = chosen_layers(task.probe.layers, shard.data.shape[1], store)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writ")
        states = torch.from_numpy(chosen_states(shard.data, layers))
    places = torch.from_numpy(spans(shard.offsets[rows], lengths))
    return Examples(items, states, places, targets, np.cumsum([0, *lengths]), num_outputs, rate, offset, layers)


def chosen_layers(layers: str | Sequence[int], num_states: int, store: str | Path) -> npt.NDArray[np.bool_]:
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


def chosen_states(states: npt.NDArray[np.float16], layers: npt.NDArray[np.bool_]) -> npt.NDArray[np.float16]:
    """Return (rows, N, W) of stored states: neighbours as a view of the file, others copied into memory."""
    numbers = np.flatnonzero(layers)
    together = states[:, numbers[0] : numbers[-1] + 1]
    return together if len(numbers) == together.shape[1] else states[:, numbers]


class BeatOptions(NamedTuple):
    """What a task of beats may set.

    Attributes:
        neighbours: target of the frames beside a beat's. The paper's is 1; the beat tracker answers a plateau with its
            first frame, so tapered ones (0.5) gain most at 20 ms.
        frame_times: a frame stands for its ``centre`` or its ``start``.
        crop_s: seconds of an item seen in one epoch, 0 for all.
    """

    neighbours: float = 1.0
    frame_times: str = "centre"
    crop_s: float = 0.0


def beat_options(options: Mapping[str, Any]) -> BeatOptions:
    """Return the options of a task of beats; others are left alone.

    Raises:
        UserError: a value is out of range.
    """
    found = BeatOptions(**{name: options[name] for name in BeatOptions._fields if name in options})
    numbers = isinstance(found.neighbours, (int, float)), isinstance(found.crop_s, (int, float))
    for name, good, expected in (
        ("neighbours", numbers[0] and 0 <= found.neighbours <= 1, "0 to 1, such as 0.5"),
        ("frame_times", found.frame_times in ("centre", "start"), "centre or start"),
        ("crop_s", numbers[1] and found.crop_s >= 0, "seconds, such as 10.0, or 0 for whole items"),
    ):
        if not good:
            raise UserError(
                f"options.{name}: found {getattr(found, name)!r}, expected {expected}; correct the task's options"
            )
    return found


def row_targets(
    targets: Sequence[Any], lengths: Ints, kind: str, rate_hz: float, offset_s: float, neighbours: float
) -> Tensor:
    """Return the target of each row: the item's own, or for beats that of :func:`beat_frames`."""
    if kind == "beats":
        frames = [beat_frames(times, int(n), rate_hz, offset_s, neighbours) for times, n in zip(targets, lengths)]
        return torch.from_numpy(np.concatenate(frames))[:, None]
    values = np.asarray(targets, dtype=np.int64 if kind in ("multiclass", "key") else np.float32)
    return torch.from_numpy(np.repeat(values, lengths, axis=0))


def beat_frames(
    times_s: npt.ArrayLike, num_frames: int, rate_hz: float, offset_s: float, neighbours: float = 1.0
) -> npt.NDArray[np.float32]:
    """Return (frames,) with 1 at the frame whose centre is nearest to each beat, and ``neighbours`` beside it.

    Source: the paper, section 3.3 (neighbours 1); frame i is centred at ``i / rate_hz + offset_s``.
    """
    out = np.zeros(num_frames, np.float32)
    nearest = np.rint((np.asarray(times_s, np.float64) - offset_s) * rate_hz).astype(np.int64)
    for shift, value in ((-1, neighbours), (1, neighbours), (0, 1.0)):
        frame = nearest + shift
        out[frame[(frame >= 0) & (frame < num_frames)]] = value
    return out
