"""What the two training objectives share.

Statistics leave the objective as sums, so that micro-batches and ranks add up before :meth:`Objective.metrics` divides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..config.recipes import Data2vec, Hubert
from .encoders import build_encoder
from .masking import count_runs
from .passes import KeepLayers, RunLayer, run_layer


class ObjectiveOutput(NamedTuple):
    """One forward pass.

    Attributes:
        loss_sum: scalar to differentiate, summed over masked frames; divide by the global masked count.
        num_masked: int64 scalar, masked frames.
        sums: float64 tensors, scalars or vectors, without gradient; all are additive.
    """

    loss_sum: Tensor
    num_masked: Tensor
    sums: dict[str, Tensor]


class Objective(nn.Module):
    """An encoder and what it is trained for."""

    def __init__(self, recipe: Hubert | Data2vec) -> None:
        super().__init__()
        self.recipe = recipe
        self.encoder = build_encoder(recipe)
        self.run: RunLayer = run_layer

    def compile_layers(self) -> None:
        """Let torch compile the transformer's layers, one program for all; dropout then draws other random numbers."""
        self.run = torch.compile(run_layer, dynamic=False)

    def forward(
        self,
        wave: Tensor,
        mask: Tensor,
        labels: Tensor | None,
        keep_layers: KeepLayers,
        rows: Tensor | None = None,
    ) -> ObjectiveOutput:
        """Compute the loss of one micro-batch.

        Args:
            wave: float32 (B, S) at 16 kHz.
            mask: bool (B, T).
            labels: int64 (B, T), or (B, T, sets), at the frame rate of the encoder, for HuBERT; else None.
            keep_layers: (layers,) or (layers, equal parts of the batch), drawn by the caller.
            rows: what :func:`masked_rows` makes of the mask; computed here it would make the host wait for a GPU.
        """
        raise NotImplementedError

    def before_forward(self, update: int) -> None:
        """Prepare optimizer update ``update``, counted from 0; called once, before its first forward."""

    def metrics(self, sums: Mapping[str, Tensor], num_masked: float) -> dict[str, float]:
        """Turn summed statistics into the values of one metrics row."""
        std = mean_std(sums["cnn_sum"], sums["cnn_square"], float(sums["frames"]), 0.0)
        return {
            "loss": float(sums["loss"]) / num_masked,
            "masked_fraction": num_masked / float(sums["frames"]),
            "mask_run": num_masked / float(sums["runs"]),
            "cnn_std": std,
        }


def masked_rows(mask: Tensor) -> Tensor:
    """Return which of the B * T frames are masked in a (B, T) mask, int64 (M,)."""
    return mask.flatten().nonzero().squeeze(1)


def common_sums(loss_sum: Tensor, mask: Tensor, features: Tensor) -> dict[str, Tensor]:
    """Return the sums both objectives report: loss, frames, masked runs, first and second moment a CNN channel."""
    features = features.detach()
    return {
        "loss": loss_sum.detach().double(),
        "frames": torch.full((), mask.numel(), dtype=torch.float64, device=mask.device),
        "runs": count_runs(mask).double(),
        "cnn_sum": features.sum((0, 1), dtype=torch.float64),
        "cnn_square": features.float().square().sum((0, 1), dtype=torch.float64),
    }


def mean_std(first: Tensor, second: Tensor, count: float, floor: float) -> float:
    """Return the mean over channels of the standard deviation.

    Args:
        first: float64 (C,), sums of values.
        second: float64 (C,), sums of squares.
        count: values a channel.
        floor: added to each variance.
    """
    variance = (second - first.square() / count) / max(count - 1, 1)
    return float((variance.clamp(min=0) + floor).sqrt().mean())
