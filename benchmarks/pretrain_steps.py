"""The steps that ``pretrain.py`` times: our update, and a peer's forward, backward and optimizer on the same audio."""

from __future__ import annotations

import argparse
import atexit
import copy
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musicssl import models
from musicssl.artefacts.ragged import RaggedWriter
from musicssl.config.catalogue import Catalogue
from musicssl.config.load import load
from musicssl.config.recipes import build_kind
from musicssl.costs.flops import train_step
from musicssl.geometry import SAMPLE_RATE_HZ, num_frames
from musicssl.runtime import seed_everything
from musicssl.training.batches import Batches, MicroBatch, Plan, plan, prefetch
from musicssl.training.data import Clips
from musicssl.training.distributed import World
from musicssl.training.reduction import Report
from musicssl.training.trainer import Trainer

LOADED = 64  # updates that the loader alone is timed on
PAPER = {"hubert": "hubert-k2000-mfcc39", "data2vec": "music2vec-vanilla"}
Step = Callable[[], Any]


# ---------------------------------------------------------------- the work


def paper_recipe(paradigm: str) -> Any:
    """Return the paper's recipe."""
    return build_kind(Catalogue(load()[0]).entry("models", PAPER[paradigm]))


def recipe(paradigm: str, a: argparse.Namespace) -> Any:
    """Return the paper's recipe, an update being the benchmark's clips."""
    entry = Catalogue(load()[0]).entry("models", PAPER[paradigm])
    seconds = a.clips * a.clip_s
    batch = {"global_s": seconds, "group_s": seconds}
    return build_kind(entry | {"crop_s": a.clip_s, "batch": batch, "updates": 400_000})


def operations(entry: Any) -> float:
    """Return operations of a training step for one second of audio."""
    return train_step(entry.architecture, entry.crop_s, entry.kind == "data2vec")


def batch(entry: Any, a: argparse.Namespace) -> MicroBatch:
    """Return noise, a mask as the recipe draws it, and labels; the same for every contestant.

    Nobody drops layers: the shortest step would be the one that dropped most.
    """
    torch.manual_seed(0)
    wave = 0.1 * torch.randn(a.clips, round(a.clip_s * SAMPLE_RATE_HZ))
    frames = num_frames(wave.shape[1])
    mask = models.sample_mask(np.random.default_rng(0), entry.masking, a.clips, frames)
    labels = torch.randint(a.clusters, (a.clips, frames))
    hidden = torch.from_numpy(mask)
    keep = np.ones((entry.architecture.num_layers, 1), bool)
    return MicroBatch(
        wave, hidden, models.masked_rows(hidden), labels if entry.kind == "hubert" else None, keep, seed=1
    )


def ours(paradigm: str, a: argparse.Namespace) -> tuple[Trainer, Step]:
    """Return the trainer and one update of it, as the loop does it: its numbers are read one update later."""
    entry, device = recipe(paradigm, a), torch.device(a.device)
    micro = batch(entry, a)
    micro = micro.pin() if device.type == "cuda" else micro
    sizes = Plan(micro.wave.shape[1], a.clips, a.clips, a.clips)
    seed_everything(0)
    torch.utils.deterministic.fill_uninitialized_memory = False
    objective = models.build_objective(entry, a.clusters if paradigm == "hubert" else None).to(device)
    if a.compile:
        objective.compile_layers()
    trainer = Trainer(entry, objective, SimpleNamespace(sizes=sizes, num_valid_micro=0), World(0, 1, device))
    updates = iter(range(40_000, 400_000))  # after the warm-up
    unseen: list[Report] = []

    def step() -> None:
        unseen.append(trainer.step(next(updates), iter([micro]), stop=False))
        if len(unseen) > 1:
            unseen.pop(0).wait()

    return trainer, step


def loop(model: nn.Module, loss: Callable[[], Tensor], a: argparse.Namespace) -> Step:
    """Return forward, backward and AdamW of a peer, in bf16 on a GPU."""
    model.to(a.device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.01)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(a.device, torch.bfloat16, enabled=a.device == "cuda"):
            value = loss()
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()

    return step


# ---------------------------------------------------------------- contestants: each returns a step


def ours_hubert(a: argparse.Namespace) -> Step:
    return ours("hubert", a)[1]


def ours_data2vec(a: argparse.Namespace) -> Step:
    return ours("data2vec", a)[1]


def ours_data2vec_without_teacher(a: argparse.Namespace) -> Step:
    trainer, step = ours("data2vec", a)
    teacher = trainer.objective.teacher
    teacher.targets = lambda hidden, top_k, run: torch.randn(hidden.shape, device=hidden.device)
    teacher.follow = lambda encoder, decay: None
    return step


def transformers_hubert(a: argparse.Namespace) -> Step:
    """HubertModel with our masks, and logits of masked frames by ``F.cosine_similarity``'s matrix form."""
    entry = recipe("hubert", a)
    data = batch(entry, a).to(torch.device(a.device))
    model = nn.ModuleDict({"encoder": models.build_encoder(entry), "project": nn.Linear(768, entry.codebook_dim)})
    model.encoder.config.update({"apply_spec_augment": True, "layerdrop": 0.0})  # or the given mask is ignored
    model.codes = nn.Parameter(torch.rand(a.clusters, entry.codebook_dim))

    def loss() -> Tensor:
        hidden = model.encoder(data.wave, mask_time_indices=data.mask).last_hidden_state
        projected = model.project(hidden[data.mask])
        logits = F.normalize(projected, dim=-1) @ F.normalize(model.codes, dim=-1).T / 0.1
        return F.cross_entropy(logits, data.labels[data.mask])

    return loop(model, loss, a)


def torchaudio_hubert(a: argparse.Namespace) -> Step:
    """hubert_pretrain_base; it draws its own masks of the same law, and its logits are fairseq's."""
    import torchaudio

    data = batch(recipe("hubert", a), a).to(torch.device(a.device))
    model = torchaudio.models.hubert_pretrain_base(num_classes=a.clusters, encoder_layer_drop=0.0)
    lengths = torch.full((a.clips,), data.wave.shape[1], device=a.device)

    def loss() -> Tensor:
        masked, _, penalty = model(data.wave, data.labels, lengths)
        targets = torch.zeros(len(masked), dtype=torch.long, device=a.device)
        return F.cross_entropy(masked, targets, reduction="sum") / len(masked) + 10 * penalty

    return loop(model, loss, a)


def s3prl_hubert(a: argparse.Namespace) -> Step:
    """s3prl's port of fairseq's model, settings of hubert_base_librispeech.yaml."""
    from s3prl.upstream.hubert.hubert_model import HubertConfig, HubertModel, HubertPretrainingConfig

    data = batch(recipe("hubert", a), a).to(torch.device(a.device))
    settings = {"dropout_input": 0.1, "final_dim": 256, "mask_prob": 0.8, "feature_grad_mult": 0.1, "label_rate": 50}
    model = HubertModel(HubertConfig(**settings, encoder_layerdrop=0.0), HubertPretrainingConfig(), [range(a.clusters)])
    padding = torch.zeros(data.wave.shape, dtype=torch.bool, device=a.device)

    def loss() -> Tensor:
        output = model(data.wave, [data.labels], padding)
        logits = model.get_logits(output)[0]
        return F.cross_entropy(logits, logits.new_zeros(len(logits), dtype=torch.long)) + 10 * output["features_pen"]

    return loop(model, loss, a)


def transformers_data2vec(a: argparse.Namespace) -> Step:
    """Data2VecAudioModel as the student, a whole copy as the teacher, targets by hooks."""
    entry = recipe("data2vec", a)
    data = batch(entry, a).to(torch.device(a.device))
    model = nn.ModuleDict({"encoder": models.build_encoder(entry), "project": nn.Linear(768, 768)})
    model.encoder.config.update({"apply_spec_augment": True, "layerdrop": 0.0})
    model.to(a.device)
    teacher = copy.deepcopy(model.encoder).eval().requires_grad_(False)
    outputs: list[Tensor] = []
    for layer in teacher.encoder.layers[-entry.average_top_k :]:
        layer.feed_forward.register_forward_hook(lambda module, args, output: outputs.append(output))

    def loss() -> Tensor:
        outputs.clear()
        with torch.no_grad():
            for slow, fast in zip(teacher.parameters(), model.encoder.parameters(), strict=True):
                slow.lerp_(fast, 1e-4)
            teacher(data.wave)
            targets = sum(F.instance_norm(value.transpose(1, 2)).transpose(1, 2) for value in outputs) / len(outputs)
        hidden = model.encoder(data.wave, mask_time_indices=data.mask).last_hidden_state
        return F.mse_loss(model.project(hidden[data.mask]), targets[data.mask]) * 768**0.5

    return loop(model, loss, a)


def loader(a: argparse.Namespace) -> Step:
    """Crops, labels and masks of 64 updates from memory-mapped shards of 30 s clips, as the trainer gets them."""
    entry = recipe("hubert", a)
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    rng = np.random.default_rng(0)
    attrs = {"splits": ["train"] * 64}
    with (
        RaggedWriter(folder / "audio" / "000.npy", np.int16, (), "", sample_rate_hz=SAMPLE_RATE_HZ, **attrs) as audio,
        RaggedWriter(
            folder / "labels" / "000.npy", np.uint16, (), "", frame_rate_hz=100, num_clusters=a.clusters, **attrs
        ) as labels,
    ):
        for clip in range(64):
            audio.append(str(clip), rng.integers(-3000, 3000, 30 * SAMPLE_RATE_HZ, dtype=np.int16))
            labels.append(str(clip), rng.integers(0, a.clusters, 2998))
    sizes = plan(entry)
    batches = Batches(Clips(folder / "audio", [folder / "labels"], sizes.crop), entry, sizes)
    return lambda: [None for _ in prefetch(batches.train, ((update, 0) for update in range(LOADED)))]


def matmul(a: argparse.Namespace) -> Step:
    """The device's bare products: 2048 x 2048 in float32, 17 GFLOP each; on a GPU 8192 x 8192 in bf16."""
    size, dtype = (8192, torch.bfloat16) if a.device == "cuda" else (2048, torch.float32)
    left, right = torch.randn(2, size, size, device=a.device, dtype=dtype)
    return lambda: left @ right


CONTESTANTS = {
    f.__name__: f
    for f in (
        *(matmul, loader, ours_hubert, transformers_hubert, torchaudio_hubert, s3prl_hubert),
        *(ours_data2vec, ours_data2vec_without_teacher, transformers_data2vec),
    )
}
