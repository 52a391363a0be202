"""HuBERT: predict the cluster of each masked frame (Hsu et al. 2021, section 3.2; fairseq ``hubert_criterion.py``).

The loss of M masked frames is the sum of their cross-entropies, in nats, plus ``feature_penalty * M`` times the mean
squared convolutional feature; with ``cqt_weight``, plus so much times the mean squared error of a constant-Q spectrum
predicted beside the clusters. Logits are cosines to the codebook over a temperature, and exist for masked frames only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config.recipes import Hubert
from .blocks import dropped, without_autocast
from .constant_q import NUM_BINS, ConstantQ
from .encoders import contextualise, convolve, hide, project
from .objective import Objective, ObjectiveOutput, common_sums, masked_rows


class ScaleGradient(torch.autograd.Function):
    """Identity whose gradient is multiplied by a constant (fairseq ``GradMultiply``)."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, scale: float) -> Tensor:
        ctx.scale = scale
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.scale, None


class HubertObjective(Objective):
    """Masked prediction of labels.

    Args:
        recipe: what to train.
        num_clusters: rows of the codebook; fairseq's four extra rows for special symbols are left out.
    """

    recipe: Hubert

    def __init__(self, recipe: Hubert, num_clusters: int) -> None:
        super().__init__(recipe)
        self.final_proj = nn.Linear(recipe.architecture.hidden_size, recipe.codebook_dim)
        self.codebook = nn.Parameter(torch.rand(num_clusters, recipe.codebook_dim))
        if recipe.cqt_weight:
            self.spectrum, self.cqt_head = ConstantQ(), nn.Linear(recipe.architecture.hidden_size, NUM_BINS)

    def forward(
        self,
        wave: Tensor,
        mask: Tensor,
        labels: Tensor | None,
        keep_layers: Sequence[bool],
        rows: Tensor | None = None,
    ) -> ObjectiveOutput:
        assert labels is not None
        assert labels.shape == mask.shape
        encoder, recipe = self.encoder, self.recipe
        rows = masked_rows(mask) if rows is None else rows
        features = ScaleGradient.apply(convolve(encoder, wave), recipe.cnn_grad_scale)
        penalty = features.float().square().mean()
        hidden = dropped(project(encoder, features), encoder.feature_projection.dropout)
        hidden = contextualise(encoder, hide(encoder, hidden, mask), keep_layers, self.run)
        hidden = hidden.flatten(0, 1).index_select(0, rows)
        logits = self.logits(hidden)
        targets = labels.flatten().index_select(0, rows)
        counts = torch.zeros(len(self.codebook), dtype=torch.int64, device=mask.device)
        cross_entropy = F.cross_entropy(logits, targets, reduction="sum")
        num_masked = mask.sum()
        loss_sum = cross_entropy + recipe.feature_penalty * penalty * num_masked
        sums = common_sums(loss_sum, mask, features) | {
            "cross_entropy": cross_entropy.detach().double(),
            "correct": (logits.detach().argmax(-1) == targets).sum().double(),
            "label_counts": counts.index_add_(0, targets, torch.ones_like(targets)).double(),
        }
        if recipe.cqt_weight:
            with without_autocast(wave.device):
                spectrum = self.spectrum(wave).flatten(0, 1).index_select(0, rows)
            error = (self.cqt_head(hidden).float() - spectrum).square().mean(-1).sum()
            loss_sum = loss_sum + recipe.cqt_weight * error
            sums |= {"loss": loss_sum.detach().double(), "cqt_error": error.detach().double()}
            sums |= {"cqt_sum": spectrum.sum(0, dtype=torch.float64)}
            sums |= {"cqt_square": spectrum.square().sum(0, dtype=torch.float64)}
        return ObjectiveOutput(loss_sum, num_masked, sums)

    def logits(self, hidden: Tensor) -> Tensor:
        """Return float32 logits (M, K) of masked frames' outputs (M, D)."""
        projected = self.final_proj(hidden)
        with without_autocast(projected.device):
            cosine = F.normalize(projected.float(), dim=-1) @ F.normalize(self.codebook, dim=-1).T
            return cosine / self.recipe.temperature

    def metrics(self, sums: Mapping[str, Tensor], num_masked: float) -> dict[str, float]:
        """Add bits a masked frame, accuracy, the share of the most frequent label, and the feature penalty.

        With a spectrum to predict, the share of its variance that is explained.
        """
        spectrum = {}
        if "cqt_error" in sums:
            spread = float((sums["cqt_square"] - sums["cqt_sum"].square() / num_masked).mean())
            spectrum = {"cqt_explained": 1 - float(sums["cqt_error"]) / spread}
        return (
            spectrum
            | super().metrics(sums, num_masked)
            | {
                "bits": float(sums["cross_entropy"]) / num_masked / math.log(2),
                "masked_accuracy": float(sums["correct"]) / num_masked,
                "majority_share": float(sums["label_counts"].max()) / num_masked,
                "feature_penalty": float(sums["cnn_square"].mean() / sums["frames"]),
            }
        )
