"""Embedding, probing and beat decoding beside plain loops doing the same work, in one run.

    python benchmarks/probe.py [--items 10000] [--epochs 2] [--replicas 18]

Embedding: ``embed`` against a loop over Hugging Face's feature extractor and model in file order, batches of 8 clips
padded to the longest. Probing: all replicas (seed x learning rate) in one program against one epoch loop over a torch
DataLoader after the other, same head, optimiser, batch size and epochs; its items lie in one file each (as in MARBLE
v1) or in the memory map that we read too. Beats: milliseconds for 30 s at 50 Hz; madmom's
compiled decoder needs 11 ms for it on a desktop CPU. Everything runs on one thread; times are processor seconds, which
other work on the machine disturbs less than wall time.
"""

import argparse
import csv
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

import numpy as np
import soundfile
import torch
from torch import nn
from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor

from musicssl.artefacts import RaggedShard, RaggedWriter
from musicssl.config.recipes import Probe, Task, Windows
from musicssl.models.freeze import FrozenTransformer
from musicssl.probing.beats import BeatTracker
from musicssl.probing.embed import embed
from musicssl.probing.fit import fit, valid_loss
from musicssl.probing.items import Examples
from musicssl.tasks import Item

RATE = 16000
CLASSES, BATCH, HIDDEN = 10, 64, 512
CPU = torch.device("cpu")
Row = tuple[str, float, float]


def protocol(seeds: int, epochs: int) -> Probe:
    """Return the paper's head, trained for a fixed number of epochs."""
    return Probe(
        hidden_size=HIDDEN, dropout=0.2, learning_rates=[1e-3], batch_size=BATCH, max_epochs=epochs,
        plateau_patience=epochs + 1, stop_patience=epochs + 1, seeds=list(range(seeds)), num_bootstraps=1,
    )  # fmt: skip


def timed(function, *args):
    """Return processor seconds of one call."""
    start = time.process_time()
    function(*args)
    return time.process_time() - start


# ---------------------------------------------------------------- embedding


def write_dataset(folder: Path, count: int) -> float:
    """Write noise of 2 to 12 s as WAV and its items; return the seconds of audio."""
    rng = np.random.default_rng(0)
    seconds = rng.uniform(2, 12, count).round(1)
    with open(folder / "items.csv", "w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["id", "split", "path", "start_s", "duration_s", "group", "target"])
        for i, length in enumerate(seconds):
            soundfile.write(folder / f"{i}.wav", 0.1 * rng.standard_normal(int(length * RATE)), RATE)
            table.writerow([i, ("train", "valid", "test")[i % 3], f"{i}.wav", 0, 0, i, 0])
    return float(seconds.sum())


@torch.inference_mode()
def padded_loop(folder: Path, count: int, model: HubertModel) -> None:
    """Embed as the documentation of transformers shows it."""
    extractor = Wav2Vec2FeatureExtractor(do_normalize=False)
    pooled = []
    for first in range(0, count, 8):
        waves = [soundfile.read(folder / f"{i}.wav", dtype="float32")[0] for i in range(first, min(first + 8, count))]
        batch = extractor(waves, sampling_rate=RATE, padding=True, return_tensors="pt")
        states = model(batch.input_values, output_hidden_states=True).hidden_states
        pooled.append(torch.stack(states, dim=1).mean(dim=2).half().numpy())
    np.save(folder / "padded.npy", np.concatenate(pooled))


def embedding_rows(folder: Path, count: int) -> list[Row]:
    """Return what was done, seconds of the peer and of ours."""
    width = {"hidden_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 384}
    model = HubertModel(HubertConfig(conv_dim=[32] * 7, num_conv_pos_embedding_groups=4, **width)).eval()
    seconds = write_dataset(folder, count)
    windows = Windows(length_s=0.0, min_s=1.0, average="embeddings")
    values = {"dataset": "noise", "target": "none", "kind": "multiclass", "metrics": ["accuracy"], "options": {}}
    task = Task(**values, windows=windows, probe=protocol(1, 1), code_version=1, root="")
    encoder = FrozenTransformer(model, normalize=False)
    peer = timed(padded_loop, folder, count, model)
    ours = timed(embed, folder / "items.csv", folder, task, encoder, folder / "ours.npy", "benchmark", CPU, 1)
    return [(f"embed {count} clips, {seconds:.0f} s of audio; transformers, padded", peer, ours)]


# ---------------------------------------------------------------- probing


def write_embeddings(path: Path, count: int, num_states: int, width: int) -> np.ndarray:
    """Write random states and return random classes."""
    rng = np.random.default_rng(0)
    with RaggedWriter(path, np.float16, (num_states, width), "benchmark") as writer:
        for i in range(count):
            writer.append(str(i), rng.standard_normal((1, num_states, width), np.float32))
    return rng.integers(0, CLASSES, count)


class Head(nn.Module):
    """Weighted sum of states and an MLP, as one writes it for one seed."""

    def __init__(self, num_states: int, width: int) -> None:
        super().__init__()
        self.mixing = nn.Parameter(torch.zeros(num_states))
        self.mlp = nn.Sequential(nn.Linear(width, HIDDEN), nn.ReLU(), nn.Dropout(0.2), nn.Linear(HIDDEN, CLASSES))

    def forward(self, states):
        return self.mlp((states * self.mixing.softmax(0)[:, None]).sum(dim=1))


class Items(torch.utils.data.Dataset):
    """Items of one split, read one by one with ``read(i)``."""

    def __init__(self, read, classes, indices):
        self.read, self.classes, self.indices = read, classes, indices

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, k):
        i = self.indices[k]
        return torch.from_numpy(self.read(i)), int(self.classes[i])


def sequential(read, size, classes: np.ndarray, split: int, replicas: int, epochs: int) -> None:
    """Train one replica after the other."""
    for seed in range(replicas):
        torch.manual_seed(seed)
        head = Head(*size)
        optimizer = torch.optim.Adam(head.parameters(), lr=1e-3)
        load = torch.utils.data.DataLoader
        train = load(Items(read, classes, np.arange(split)), BATCH, shuffle=True)
        valid = load(Items(read, classes, np.arange(split, len(classes))), BATCH)
        for _ in range(epochs):
            head.train()
            for states, target in train:
                loss = nn.functional.cross_entropy(head(states), target)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            head.eval()
            with torch.no_grad():
                for states, target in valid:
                    nn.functional.cross_entropy(head(states), target)


def batched(shard: RaggedShard, classes: np.ndarray, split: int, replicas: int, epochs: int) -> None:
    """Train all replicas at once."""
    items = [Item(str(i), "train" if i < split else "valid", "", 0, 0, "", 0) for i in range(len(classes))]
    states = torch.from_numpy(np.array(shard.data))
    data = Examples(items, states, torch.from_numpy(classes), shard.offsets, CLASSES, 50.0, 0.0)
    fit(data, "multiclass", protocol(replicas, epochs), 0, valid_loss(data, "multiclass", data.of_split("valid")), CPU)


def probing_rows(folder: Path, count: int, size: tuple[int, int], replicas: int, epochs: int) -> list[Row]:
    """Return what was done, seconds of each peer and of ours."""
    classes = write_embeddings(folder / "states.npy", count, *size)
    shard, split = RaggedShard(folder / "states.npy"), count * 4 // 5
    for i in range(count):
        np.save(folder / f"item{i}.npy", shard[i][0].astype(np.float32))
    readers = {
        "one .npy an item, as MARBLE v1": lambda i: np.load(folder / f"item{i}.npy"),
        "memory map": lambda i: np.array(shard[i][0], dtype=np.float32),
    }
    ours = timed(batched, shard, classes, split, replicas, epochs)
    label = f"probe {count:,} items of {size[0]} x {size[1]}, {replicas} replicas; DataLoader over"
    return [
        (f"{label} {name}", timed(sequential, read, size, classes, split, replicas, epochs), ours)
        for name, read in readers.items()
    ]


def beats_ms() -> float:
    """Return milliseconds for 30 s of activations at 50 Hz, median of 20."""
    tracker, rng = BeatTracker(50.0), np.random.default_rng(0)
    return 1e3 * float(np.median([timed(tracker, rng.random(1500)) for _ in range(20)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=10_000, help="embedded items")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--replicas", type=int, nargs="+", default=[3, 18], help="3 seeds; with a grid of 6 rates, 18")
    parser.add_argument("--clips", type=int, default=48, help="audio files to embed")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print("| work; peer | peer, s | ours, s | ratio |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        work = [(embedding_rows, (folder, args.clips))]
        for size in ((4, 96), (13, 768)):
            work += [(probing_rows, (folder, args.items, size, count, args.epochs)) for count in args.replicas]
        for function, values in work:
            for label, peer, ours in function(*values):
                print(f"| {label} | {peer:.2f} | {ours:.2f} | {peer / ours:.1f} |", flush=True)
    print(f"\nBeat tracker: {beats_ms():.1f} ms for 30 s at 50 Hz.")


if __name__ == "__main__":
    main()
