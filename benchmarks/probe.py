"""Embedding, probing and beat decoding beside plain loops doing the same work, in one run.

    python benchmarks/probe.py [--items 10000] [--epochs 3] [--replicas 3] [--threads 2] [--only beats]

Embedding: ``embed`` against the loop of transformers' documentation: files in their order, batches of 8 padded to the
longest, feature extractor and HubertModel, time mean of each state. Clips last 2 to 12 s, so padding is a third.

Probing: all replicas (seed x learning rate) in one program against one run after the other. Every peer trains the same
head with torch's Adam on batches of 64 for the same number of epochs, and scores accuracy on validation after each:

* Lightning: one ``Trainer.fit`` a replica over a DataLoader that opens one .npy an item, with the metrics of training
  and validation, checkpoint of the best epoch, early stopping, plateau schedule, log and progress bar of MARBLE v1
  (needs ``pip install lightning torchmetrics``; left out where it is missing), in the training process and with two
  worker processes;
* loop, files: the same DataLoader in a bare epoch loop without Lightning and without keeping the best epoch;
* loop, memory map: the same loop over the memory map that we read too.

The validation accuracy beside each row says that they learn the same.

Batch: what one batch of that training spends where, each part timed alone on the same shapes; the rest is what the
whole takes beyond them.

Beats: milliseconds for 30 s of activations at 50 and at 100 Hz, beside madmom's compiled decoder where it is installed.

Times are wall time, on all threads that ``--threads`` names; on one thread they are processor seconds, which other work
on the machine disturbs less.
"""

import argparse
import importlib.util
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

import numpy as np
import soundfile
import torch
from probe_peers import BATCH, CLASSES, HIDDEN, RATE, lightning, padded_loop, plain
from transformers import HubertConfig, HubertModel

from musicssl.artefacts.ragged import RaggedShard, RaggedWriter
from musicssl.artefacts.recordings import Recording
from musicssl.artefacts.task import Item
from musicssl.config.recipes import Probe, View
from musicssl.models.view import FrozenTransformer
from musicssl.probing.beats import BeatTracker
from musicssl.probing.embed import embed
from musicssl.probing.fit import Training, fit
from musicssl.probing.heads import Heads, gather, predict
from musicssl.probing.items import Examples

CPU = torch.device("cpu")
Row = tuple[str, float, float, str]
SIGNAL = 0.12  # of the class in one state, against noise of 1: learnable, not trivial


def protocol(seeds: int, epochs: int) -> Probe:
    """Return the paper's head, trained for a fixed number of epochs."""
    return Probe(
        layers="all", hidden_size=HIDDEN, dropout=0.2, learning_rates=[1e-3], batch_size=BATCH, max_epochs=epochs,
        plateau_patience=epochs + 1, stop_patience=epochs + 1, seeds=list(range(seeds)), num_bootstraps=1,
    )  # fmt: skip


def timed(function, *args):
    """Return seconds of one call and what it returned."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    value = function(*args)
    return clock() - start, value


# ---------------------------------------------------------------- embedding

SMALL = {
    "conv_dim": [32] * 7, "num_conv_pos_embedding_groups": 4, "hidden_size": 96, "num_hidden_layers": 3,
    "num_attention_heads": 4, "intermediate_size": 384,
}  # fmt: skip


def write_dataset(folder: Path, count: int) -> list[Recording]:
    """Write noise of 2 to 12 s as WAV and return the list of it."""
    rng = np.random.default_rng(0)
    seconds = rng.uniform(2, 12, count).round(1)
    for i, length in enumerate(seconds):
        soundfile.write(folder / f"{i}.wav", 0.1 * rng.standard_normal(int(length * RATE)), RATE)
    return [Recording(f"{i}.wav", float(length), "") for i, length in enumerate(seconds)]


def embedding_rows(folder: Path, count: int) -> list[Row]:
    """Return what was done, seconds of the peer and of ours."""
    whole = View(window_s=0.0, min_s=0.0, rows="recording")
    rows, configs = [], {"3 layers of 96": SMALL, "12 layers of 768": {}}
    recordings = write_dataset(folder, count)
    seconds = sum(recording.duration_s for recording in recordings)
    for name, size in configs.items():
        model = HubertModel(HubertConfig(**size)).eval()
        peer, _ = timed(padded_loop, folder, count, model)
        out, encoder = folder / f"{name}.npy", FrozenTransformer(model, normalize=False)
        job = recordings, (0, 1), whole, folder, encoder, out, "benchmark", CPU, torch.get_num_threads()
        ours, _ = timed(embed, *job)
        rows.append((f"embed {count} clips, {seconds:.0f} s of audio, {name}; transformers, padded", peer, ours, ""))
    return rows


# ---------------------------------------------------------------- probing


def write_embeddings(path: Path, count: int, num_states: int, width: int) -> np.ndarray:
    """Write noisy states that tell the class in one of them, and return the classes."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, CLASSES, count)
    directions = SIGNAL * rng.standard_normal((CLASSES, width), np.float32)
    with RaggedWriter(path, np.float16, (num_states, width), "benchmark") as writer:
        for i, c in enumerate(classes):
            states = rng.standard_normal((1, num_states, width), np.float32)
            states[0, num_states // 2] += directions[c]
            writer.append(str(i), states)
    return classes


def examples(path: Path, classes: np.ndarray, split: int) -> Examples:
    """Return the stored states as items of two splits."""
    shard = RaggedShard(path)
    items = [Item(str(i), "train" if i < split else "valid", "", 0, 0, "", 0) for i in range(len(classes))]
    states, targets = np.asarray(shard.data), torch.from_numpy(classes)
    layers = np.ones(states.shape[1], bool)
    return Examples(items, states, torch.arange(len(items)), targets, shard.offsets, CLASSES, 50.0, 0.0, layers)


def batched(path: Path, classes: np.ndarray, split: int, replicas: int, epochs: int) -> float:
    """Train all replicas at once."""
    data = examples(path, classes, split)
    targets = data.targets
    rows, last = data.rows_of(data.of_split("valid")), []

    def validate(heads):
        last.append((predict(heads, data, rows).argmax(2) == targets[rows]).double().mean(1).numpy())
        return last[-1]

    fit(data, "multiclass", protocol(replicas, epochs), 0, validate, CPU)
    return float(np.mean(last[-1]))


def probing_rows(folder: Path, count: int, size: tuple[int, int], replicas: int, epochs: int) -> list[Row]:
    """Return what was done, seconds of each peer and of ours, and the validation accuracies of both."""
    classes = write_embeddings(folder / "states.npy", count, *size)
    shard, split = RaggedShard(folder / "states.npy"), count * 4 // 5
    for i in range(count):
        np.save(folder / f"item{i}.npy", shard[i][0].astype(np.float32))

    def files(i: int) -> np.ndarray:
        return np.load(folder / f"item{i}.npy")

    def mapped(i: int) -> np.ndarray:
        return np.array(shard[i][0], dtype=np.float32)

    peers = [("loop, files", plain, files), ("loop, memory map", plain, mapped)]
    if importlib.util.find_spec("lightning"):
        peers.insert(0, ("Lightning, files", lightning, files))
        peers.insert(1, ("Lightning, files, 2 workers", partial(lightning, workers=2), files))
    ours, accuracy = timed(batched, folder / "states.npy", classes, split, replicas, epochs)
    label = f"probe {count:,} items of {size[0]} x {size[1]}, {replicas} replicas, {epochs} epochs"
    rows = []
    for name, function, read in peers:
        peer, other = timed(function, read, size, classes, split, replicas, epochs)
        rows.append((f"{label}; {name}", peer, ours, f"{100 * other:.1f} / {100 * accuracy:.1f}"))
    return rows


# ---------------------------------------------------------------- one batch


def batch_table(folder: Path, count: int, size: tuple[int, int], replicas: int) -> None:
    """Print the milliseconds of one batch of training and of its parts, medians of an epoch of batches."""
    classes = write_embeddings(folder / "states.npy", count, *size)
    data = examples(folder / "states.npy", classes, count)
    seeds, rates = list(range(replicas)), [1e-3] * replicas
    heads = Heads(seeds, *size, HIDDEN, CLASSES, CPU)
    training = Training(data, "multiclass", heads, protocol(replicas, 1), 0, seeds)
    batches = count // BATCH
    places = torch.randperm(count)[: batches * BATCH].view(batches, BATCH)
    mixed, hidden = torch.randn(replicas, BATCH, size[1]), torch.randn(replicas, BATCH, HIDDEN)
    weights = heads.weights[1].detach()
    gradients = [torch.randn_like(weight) for weight in heads.weights]
    transposed = mixed.transpose(1, 2).contiguous(), weights.transpose(1, 2).contiguous()

    def products() -> None:
        torch.bmm(mixed, weights)  # forward
        torch.bmm(transposed[0], hidden)  # gradient of the weights
        torch.bmm(hidden, transposed[1])  # gradient of the mixed states

    def median_ms(function) -> float:
        return 1e3 * float(np.median([timed(function, k)[0] for k in range(batches)]))

    training.epoch(np.array(rates))  # the first reads the file
    whole = 1e3 * min(timed(training.epoch, np.array(rates))[0] for _ in range(3)) / len(range(0, count, BATCH))
    parts = {
        "three dense products": median_ms(lambda k: products()),
        "Adam": median_ms(lambda k: training.adam.step(heads, gradients, rates)),
        "dropout": median_ms(lambda k: training.dropout.draw(BATCH, CPU)),
        "reading and converting states": median_ms(lambda k: gather(data.states, places[k], CPU)),
    }
    parts["the rest"] = whole - sum(parts.values())
    text = ", ".join(f"{name} {value:.2f}" for name, value in parts.items())
    print(f"Batch of {BATCH} items of {size[0]} x {size[1]}, {replicas} replicas: {whole:.2f} ms: {text}.", flush=True)


# ---------------------------------------------------------------- beats

MADMOM_MS = {50: 11.0, 100: 75.0}
"""Not measured here: its compiled decoder on a desktop CPU, built from madmom's sources of August 2024."""


def beats_table() -> None:
    """Print milliseconds for 30 s of activations, medians of 20, beside madmom's: measured where it is, else quoted."""
    print("| beats of 30 s | ours, ms | madmom, ms |\n|---|---|---|")
    rng = np.random.default_rng(0)
    for rate, quoted in MADMOM_MS.items():
        trackers = [BeatTracker(float(rate))]
        if importlib.util.find_spec("madmom"):
            from madmom.features.beats import DBNBeatTrackingProcessor

            trackers.append(DBNBeatTrackingProcessor(fps=rate))
        activations = rng.random((20, 30 * rate))
        found = [1e3 * float(np.median([timed(tracker, one)[0] for one in activations])) for tracker in trackers]
        peer = f"{found[1]:.1f}" if found[1:] else f"{quoted:.0f} (quoted, not measured here)"
        print(f"| {rate} Hz | {found[0]:.1f} | {peer} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=10_000, help="embedded items")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--replicas", type=int, nargs="+", default=[3], help="3 seeds; with a grid of 6 rates, 18")
    parser.add_argument("--clips", type=int, default=16, help="audio files to embed")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--only", choices=("embed", "probe", "batch", "beats"), nargs="+", help="some parts alone")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    wanted = args.only or ["embed", "probe", "batch", "beats"]
    print(f"{args.threads} thread(s)\n")
    with tempfile.TemporaryDirectory() as name:
        folder, sizes = Path(name), ((4, 96), (13, 768))
        work = [(embedding_rows, (folder, args.clips))] if "embed" in wanted else []
        if "probe" in wanted:
            pairs = [(size, count) for size in sizes for count in args.replicas]
            work += [(probing_rows, (folder, args.items, *pair, args.epochs)) for pair in pairs]
        if work:
            print("| work; peer | peer, s | ours, s | ratio | accuracy, peer / ours |\n|---|---|---|---|---|")
        for function, values in work:
            for label, peer, ours, scores in function(*values):
                print(f"| {label} | {peer:.2f} | {ours:.2f} | {peer / ours:.1f} | {scores} |", flush=True)
        print()
        if "batch" in wanted:
            for count in args.replicas:
                batch_table(folder, args.items, sizes[-1], count)
        if "beats" in wanted:
            beats_table()


if __name__ == "__main__":
    main()
