"""Recipes of the golden runs, of tiny encoders and of the base encoders."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import torch

from musicssl.config import recipes
from musicssl.models.fairseq import fairseq_name

GOLDEN = Path(__file__).parents[2] / "golden"
TINY = recipes.Architecture(
    conv_width=32,
    hidden_size=48,
    num_layers=3,
    num_heads=4,
    ffn_size=96,
    pos_conv_kernel=16,
    pos_conv_groups=4,
    pos_conv_depth=1,
    dropout=0.0,
    attention_dropout=0.0,
    activation_dropout=0.0,
    input_dropout=0.0,
    layer_drop=0.0,
    init_std=0.02,
)
COMMON = {
    "corpus": "music",
    "seed": 1,
    "updates": 10,
    "crop_s": 3.0,
    "precision": "fp32",
    "masking": recipes.Masking(prob=0.8, length=4, min_spans=2, trim=True),
    "batch": recipes.Batch(global_s=6.0, group_s=6.0),
    "optimizer": recipes.Optimizer(lr=5e-4, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.01, clip_norm=0.0),
    "schedule": recipes.PolynomialSchedule(kind="polynomial", warmup_updates=1),
    "valid_every": 5,
    "log_every": 1,
    "checkpoint_every": 5,
}


def make_hubert(**size):
    return recipes.Hubert(
        **COMMON,
        kind="hubert",
        architecture=dataclasses.replace(TINY, **size),
        normalize=False,
        labels="labels",
        codebook_dim=24,
        temperature=0.1,
        feature_penalty=10.0,
        cnn_grad_scale=0.1,
    )


def make_data2vec(average_top_k=2, **size):
    size = {"num_layers": 4, "pos_conv_kernel": 6, "pos_conv_depth": 3} | size
    return recipes.Data2vec(
        **COMMON,
        kind="data2vec",
        architecture=dataclasses.replace(TINY, **size),
        normalize=True,
        average_top_k=average_top_k,
        ema=recipes.Ema(start=0.9, end=0.99, anneal_updates=4),
        guard=recipes.CollapseGuard(
            after_updates=5000, min_target_std=0.1, min_prediction_std=0.01, max_target_agreement=1.0
        ),
    )


def to_fairseq(encoder, paradigm):
    """Return an encoder's weights under fairseq's names."""
    return {fairseq_name(name, paradigm): weight for name, weight in encoder.state_dict().items()}


class Golden:
    """One npz of numbers that fairseq wrote."""

    def __init__(self, name):
        self.arrays = np.load(GOLDEN / name)
        self.config = json.loads(str(self.arrays["config"]))

    def __getitem__(self, key):
        return self.arrays[key]

    def table(self, prefix):
        return {k.removeprefix(prefix): self.arrays[k] for k in self.arrays.files if k.startswith(prefix)}

    def weights(self, prefix):
        return {name: torch.from_numpy(value) for name, value in self.table(prefix).items()}

    @property
    def wave(self):
        return torch.from_numpy(self["pcm16"].astype(np.float32) / 32768)
