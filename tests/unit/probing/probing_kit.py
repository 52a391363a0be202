"""Small embedded tasks for the tests of this folder."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from musicssl.artefacts import states
from musicssl.artefacts import task as stored
from musicssl.artefacts.task import Item, TaskTable
from musicssl.config.recipes import Beats, Probe, Task, View
from musicssl.probing.items import Examples

ATTRS = {"frame_rate_hz": 50.0, "frame_offset_s": 0.0125}
NUM_STATES, WIDTH = 3, 8
TONICS = ["C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"]
SPLITS = ["train"] * 48 + ["valid"] * 24 + ["test"] * 36
METRICS = {
    "multiclass": ["accuracy"],
    "multilabel": ["roc_auc", "ap"],
    "regression": ["r2_arousal", "r2_valence"],
    "key": ["key_score", "key_score_symmetric"],
    "beats": ["beat_f70", "beat_f20"],
}
CLASSES = {
    "multiclass": ["low", "mid", "high"],
    "multilabel": ["a", "b", "c"],
    "regression": ["arousal", "valence"],
    "key": [f"{tonic} {mode}" for mode in ("major", "minor") for tonic in TONICS],
    "beats": [],
}


def protocol(**changes):
    """Return a probe recipe of a size for tests."""
    values = {
        "layers": "all", "hidden_size": 16, "dropout": 0.2, "learning_rates": [1e-2], "batch_size": 16,
        "max_epochs": 60, "plateau_patience": 5, "stop_patience": 30, "seeds": [0, 1], "num_bootstraps": 50,
    }  # fmt: skip
    return Probe(**values | changes)


def view_of(kind="multiclass", windows=1):
    """Return a view that stores one row a recording, several, or its frames."""
    if kind == "beats":
        return View(window_s=0.0, min_s=0.0, rows="frame")
    return (
        View(window_s=5.0, min_s=1.0, rows="window") if windows > 1 else View(window_s=0.0, min_s=0.0, rows="recording")
    )


def task_of(kind="multiclass", beats=None, **changes):
    """Return a task's entry; ``beats`` are options of its probe, ``changes`` other values of it."""
    given = {"crop_s": 3.0, "frame_times": "center", "neighbors": 1.0} | (beats or {})
    probe = protocol(beats=Beats(**given) if kind == "beats" else None, **changes)
    values = {"dataset": "d", "target": "t", "kind": kind, "items": "recording", "view": "v", "options": {}}
    return Task(**values, probe=probe)


def recipe_of(task, view):
    """Return the recipe of a probe whose states :func:`write_task` wrote."""
    inputs = {"states": {"digest": "states", "inputs": {"view": {"entry": asdict(view)}}}}
    return {"name": "model/task", "digest": "probe", "entry": asdict(task), "inputs": inputs}


def examples(rows, targets, num_outputs, rows_per_item=1, num_train=None):
    """Return in-memory examples; the first ``num_train`` items train, the others validate."""
    count = len(rows) // rows_per_item
    num_train = count if num_train is None else num_train
    items = [Item(str(i), "train" if i < num_train else "valid", "x", 0, 0, str(i), 0) for i in range(count)]
    half = np.asarray(rows, np.float16)
    offsets = np.arange(count + 1) * rows_per_item
    places, layers = torch.arange(len(half)), np.ones(half.shape[1], bool)
    return Examples(items, half, places, torch.as_tensor(targets), offsets, num_outputs, 50.0, 0.0125, layers)


def table_of(kind, items, name="task"):
    """Return a task's table of some items."""
    return TaskTable(name, "d", kind, CLASSES[kind], items, [], None, [], "", "")


def write_task(folder: Path, kind: str, constant: bool = False, windows: int = 1, kept=range(NUM_STATES)) -> list[Path]:
    """Write a task into ``folder / "task"`` and states of which number 1 holds the answer; return the blocks.

    ``kept`` are the states that are stored, ``windows`` the rows of a recording.
    """
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((24, WIDTH))
    row_shape = (1, 1) if constant else (len(kept), WIDTH)
    items = []
    with states.write(folder / "000.npy", row_shape, "states", (0, 1), skipped=[], **ATTRS) as block:
        for i, split in enumerate(SPLITS):
            song = i // 2 if kind == "key" else i
            target, signal = draw(kind, song, np.random.default_rng(song), directions)
            rows = 0.3 * rng.standard_normal((len(signal) if kind == "beats" else windows, NUM_STATES, WIDTH))
            rows[:, 1] += signal
            items.append(Item(f"item{i}", split, f"{i}.wav", 0.0, 0.0, f"song{song}", target))
            block.append(f"{i}.wav", np.zeros((len(rows), 1, 1)) if constant else rows[:, list(kept)])
    stored.write(folder / "task", table_of(kind, items))
    return [folder / "000.npy"]


def draw(kind, number, rng, directions):
    """Return a JSON target and the (rows, W) signal that tells it."""
    if kind == "multiclass":
        return number % 3, directions[None, number % 3]
    if kind == "key":
        return number % 6, directions[None, number % 6]
    if kind == "multilabel":
        labels = (rng.random(3) < 0.4).astype(int)
        return labels.tolist(), labels[None] @ directions[:3]
    if kind == "regression":
        values = rng.standard_normal(2)
        return values.tolist(), values[None] @ directions[:2]
    times = np.arange(rng.uniform(0.1, 0.4), 5.9, rng.uniform(0.4, 0.7))
    signal = np.zeros((299, WIDTH))
    signal[np.rint((times - 0.0125) * 50).astype(int)] = 4 * directions[0]
    return times.tolist(), signal
