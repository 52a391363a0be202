"""Small embedded tasks for the tests of this folder."""

import csv
import json
from pathlib import Path

import numpy as np
import torch

from musicssl.artefacts import RaggedWriter, write_json
from musicssl.config.recipes import Probe, Windows
from musicssl.datasets import Item
from musicssl.probing.items import Examples, cut_name

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


def examples(states, targets, num_outputs, rows_per_item=1, num_train=None):
    """Return in-memory examples; the first ``num_train`` items train, the others validate."""
    count = len(states) // rows_per_item
    num_train = count if num_train is None else num_train
    items = [Item(str(i), "train" if i < num_train else "valid", "x", 0, 0, str(i), 0) for i in range(count)]
    half = torch.as_tensor(states).to(torch.float16)
    offsets = np.arange(count + 1) * rows_per_item
    places, layers = torch.arange(len(half)), np.ones(half.shape[1], bool)
    return Examples(items, half, places, torch.as_tensor(targets), offsets, num_outputs, 50.0, 0.0125, layers)


def write_task(
    folder: Path, kind: str, constant: bool = False, windows: int = 1, average: str = "embeddings",
    kept=range(NUM_STATES),
) -> dict:  # fmt: skip
    """Write ``items.csv``, ``task.json`` and a store whose state 1 holds the answer, and return the recipe.

    ``kept`` are the states that are stored.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((24, WIDTH))
    attrs = {"frame_rate_hz": 50.0, "frame_offset_s": 0.0125, "skipped": []}
    row_shape = (1, 1) if constant else (len(kept), WIDTH)
    with (
        open(folder / "items.csv", "w", newline="") as stream,
        RaggedWriter(folder / "embeddings.npy", np.float16, row_shape, "embedding", **attrs) as shard,
    ):
        table = csv.writer(stream)
        table.writerow(["id", "split", "path", "start_s", "duration_s", "group", "target"])
        for i, split in enumerate(SPLITS):
            song = i // 2 if kind == "key" else i
            target, signal = draw(kind, song, np.random.default_rng(song), directions)
            rows = 0.3 * rng.standard_normal((len(signal) if kind == "beats" else windows, NUM_STATES, WIDTH))
            rows[:, 1] += signal
            table.writerow([f"item{i}", split, f"{i}.wav", 0, 0, f"song{song}", json.dumps(target)])
            item = Item(f"item{i}", split, f"{i}.wav", 0.0, 0.0, f"song{song}", target)
            name = cut_name(item, Windows(length_s=0.0, min_s=1.0, average=average), kind)
            shard.append(name, np.zeros((len(rows), 1, 1)) if constant else rows[:, list(kept)])
    write_json(folder / "task.json", {"classes": CLASSES[kind]})
    return {"name": "model/task", "digest": "probe", "inputs": {"states": {"digest": "embedding"}}}


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
