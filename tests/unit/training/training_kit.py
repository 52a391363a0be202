"""A tiny corpus, tiny recipes, a tiny objective and process groups for the tests of this room."""

from __future__ import annotations

import multiprocessing
import os
import socket
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch._dynamo  # the first optimizer imports it for a second: once here, not in every forked rank
from torch import nn

from musicssl import models
from musicssl.artefacts import write_json
from musicssl.artefacts.ledger import Record
from musicssl.artefacts.ragged import RaggedWriter
from musicssl.config.recipes import build_kind
from musicssl.job import Job
from musicssl.training import launch
from musicssl.training.pretraining import pretrain

BUILD = models.build_objective
NUM_CLUSTERS = 7
ARCHITECTURE = {
    "conv_width": 8, "hidden_size": 16, "num_layers": 3, "num_heads": 2, "ffn_size": 32, "pos_conv_kernel": 4,
    "pos_conv_groups": 2, "pos_conv_depth": 1, "dropout": 0.1, "attention_dropout": 0.1, "activation_dropout": 0.0,
    "input_dropout": 0.1, "layer_drop": 0.3, "init_std": 0.02,
}  # fmt: skip
PRETRAINING = {
    "corpus": "tiny", "seed": 3, "updates": 20, "crop_s": 0.5, "normalize": False, "precision": "fp32",
    "architecture": ARCHITECTURE,
    "masking": {"prob": 0.65, "length": 3, "min_spans": 1, "trim": True},
    "batch": {"global_s": 8.0, "group_s": 2.0},
    "optimizer": {"lr": 3e-3, "betas": [0.9, 0.98], "eps": 1e-6, "weight_decay": 0.01, "clip_norm": 10.0},
    "schedule": {"kind": "polynomial", "warmup_updates": 4},
    "valid_every": 8, "log_every": 1, "checkpoint_every": 3,
}  # fmt: skip
HUBERT = PRETRAINING | {
    "kind": "hubert", "labels": "tiny-k7", "codebook_dim": 8, "temperature": 0.1, "feature_penalty": 10.0,
    "cnn_grad_scale": 0.1,
}  # fmt: skip
DATA2VEC = PRETRAINING | {
    "kind": "data2vec", "average_top_k": 2, "ema": {"start": 0.9, "end": 0.99, "anneal_updates": 10},
    "guard": {"after_updates": 1000, "min_target_std": 0.1, "min_prediction_std": 0.01, "max_target_agreement": 1.0},
}  # fmt: skip


def recipe(entry: dict[str, Any], digest: str = "0123456789", **changes: Any) -> dict[str, Any]:
    """Return the recipe dictionary a job receives, with some fields of the entry changed."""
    names = {"corpus": ("corpora", "corpus0000"), "labels": ("labels", "labels0000")}
    inputs = {role: {"noun": noun, "name": "tiny", "digest": own, "inputs": {}} for role, (noun, own) in names.items()}
    return {"noun": "models", "name": "tiny", "digest": digest, "entry": entry | changes, "inputs": inputs}


def entry(values: dict[str, Any] = HUBERT, **changes: Any) -> Any:
    """Return the dataclass of a model entry."""
    return build_kind(values | changes)


def write_corpus(
    folder: Path, lengths: list[list[int]], rate: int = 100, valid_every: int = 4
) -> tuple[list[Path], list[Path], list[np.ndarray]]:
    """Write audio and label shards of clips with the given numbers of samples.

    Label j of a clip is ``(7 * clip + j) % NUM_CLUSTERS``; every ``valid_every``-th clip is held out.

    Returns:
        Shards of audio and of labels, and the clips.
    """
    rng, clips, number = np.random.default_rng(5), [], 0
    for shard, shard_lengths in enumerate(lengths):
        numbers = range(number, number + len(shard_lengths))
        splits = ["valid" if n % valid_every == valid_every - 1 else "train" for n in numbers]
        audio = RaggedWriter(
            folder / "audio" / f"{shard:03d}.npy", np.int16, (), "corpus0000", sample_rate_hz=16000, splits=splits
        )
        labels = RaggedWriter(
            folder / "labels" / f"{shard:03d}.npy", np.uint16, (), "labels0000",
            frame_rate_hz=rate, num_clusters=NUM_CLUSTERS, splits=splits,
        )  # fmt: skip
        with audio, labels:
            for n, length in zip(numbers, shard_lengths):
                clip = (rng.normal(size=length) * 2000 + 300).astype(np.int16)
                clips.append(clip)
                audio.append(f"file{n}.wav#0", clip)
                hop = 16000 // rate
                labels.append(f"file{n}.wav#0", (7 * n + np.arange((length - 400) // hop + 1)) % NUM_CLUSTERS)
        number += len(shard_lengths)
    shards = [f"{shard:03d}.npy" for shard in range(len(lengths))]
    return [folder / "audio" / name for name in shards], [folder / "labels" / name for name in shards], clips


def write_job(
    folder: Path, recipe: dict[str, Any], audio: list[Path], labels: list[list[Path]], out: Path, **place: Any
) -> Path:
    """Write what a training job writes for its processes, and begin its record; the log is ``folder/log``."""
    job = Job("pretrain", ["tiny"], recipe, [], [], str(folder / "results"), str(folder / "log"))
    record = Record(job.rule, job.names).begin(job.results)
    sets = [[str(path) for path in files] for files in labels]
    training = launch.Training(
        asdict(job), list(map(str, audio)), sets, str(out), str(out / "speed.jsonl"), place, [], 0, str(record)
    )
    write_json(training.path, asdict(training))
    return training.path


class Output(NamedTuple):
    loss_sum: torch.Tensor
    num_masked: torch.Tensor
    sums: dict[str, torch.Tensor]


class TinyObjective(nn.Module):
    """Predicts labels from frames, with dropout, layers that may be skipped, and a moving average in its state."""

    def __init__(self, num_layers: int, num_clusters: int) -> None:
        super().__init__()
        self.encoder = nn.Linear(400, 16)
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(num_layers))
        self.head = nn.Linear(16, num_clusters)
        self.dropout = nn.Dropout(0.2)
        self.register_buffer("slow", self.head.bias.detach().clone())

    def before_forward(self, update: int) -> None:
        send_signal(update)
        self.slow.lerp_(self.head.bias.detach(), 0.1)

    def forward(
        self, wave: torch.Tensor, mask: torch.Tensor, labels: torch.Tensor, keep_layers: Any, rows: torch.Tensor
    ) -> Output:
        hidden = self.dropout(self.encoder(wave.unfold(1, 400, 320)))
        for layer, keep in zip(self.layers, keep_layers):
            hidden = hidden + torch.tanh(layer(hidden)) if keep else hidden
        picked = labels.flatten()[rows]
        logits = self.head(self.dropout(hidden)).flatten(0, 1)[rows] + self.slow
        loss = nn.functional.cross_entropy(logits, picked, reduction="sum")
        counts = torch.bincount(picked, minlength=self.head.out_features)
        return Output(loss, mask.sum(), {"frames": torch.tensor(mask.numel()), "counts": counts})

    def metrics(self, sums: dict[str, torch.Tensor], num_masked: float) -> dict[str, float]:
        share = float(sums["counts"].max()) / num_masked
        return {"masked_fraction": num_masked / float(sums["frames"]), "majority_share": share}


def send_signal(update: int) -> None:
    """Make one rank signal itself at one update: ``TEST_SIGNAL="rank update number"``."""
    rank, when, number = os.environ.get("TEST_SIGNAL", "0 -1 0").split()
    if update == int(when) and os.environ["RANK"] == rank:
        os.kill(os.getpid(), int(number))


def real_objective(recipe: Any, num_clusters: int | None, spectrum: Any = None) -> nn.Module:
    """Build the objective of the library, obeying ``TEST_SIGNAL``."""
    objective = BUILD(recipe, num_clusters, spectrum)
    before_forward = objective.before_forward
    objective.before_forward = lambda update: (send_signal(update), before_forward(update))
    return objective


def uneven_objective(recipe: Any, num_clusters: int | None, spectrum: Any = None) -> nn.Module:
    """Build the objective of the library on a rank whose processor rounds its initial weights otherwise."""
    objective = BUILD(recipe, num_clusters, spectrum)
    with torch.no_grad():
        for weight in objective.parameters():
            weight.mul_(1 + 0.01 * int(os.environ["RANK"]))
    return objective


def tiny_objective(recipe: Any, num_clusters: list[int], spectrum: Any = None) -> TinyObjective:
    """Stand in for ``musicssl.models.build_objective``."""
    return TinyObjective(recipe.architecture.num_layers, num_clusters[0])


def dying_objective(recipe: Any, num_clusters: int | None, spectrum: Any = None) -> nn.Module:
    """Build a tiny objective that is killed at update 11."""
    os.environ["TEST_SIGNAL"] = "0 11 9"
    return tiny_objective(recipe, num_clusters)


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def start_ranks(size: int, arguments: tuple[Any, ...], build: Any = tiny_objective) -> list[multiprocessing.Process]:
    """Fork ``size`` processes that call ``pretrain(*arguments)`` on objectives of ``build``, as torchrun would."""
    context = multiprocessing.get_context("fork")
    port = free_port()
    ranks = [context.Process(target=_rank, args=(rank, size, port, arguments, build)) for rank in range(size)]
    for process in ranks:
        process.start()
    return ranks


def run_ranks(size: int, *arguments: Any, build: Any = tiny_objective) -> list[int]:
    """Run ``pretrain(*arguments)`` on ``size`` processes; return their exit codes."""
    ranks = start_ranks(size, arguments, build)
    for process in ranks:
        process.join()
    return [process.exitcode for process in ranks]


def _rank(rank: int, size: int, port: int, arguments: tuple[Any, ...], build: Any) -> None:
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    models.build_objective = build
    pretrain(*arguments)
