"""HuBERT: predict the cluster of each masked frame (Hsu et al. 2021, section 3.2; fairseq ``hubert_criterion.py``).

The loss of M masked frames is the sum of their cross-entropies, in nats, plus ``feature_penalty * M`` times the mean
squared convolutional feature. Logits are cosines to the codebook over a temperature, and exist for masked frames only.
Several label sets have a projection and a codebook each, and their cross-entropies add up (fairseq's
``untie_final_proj``). With ``cqt_weight`` comes so much times the mean squared error of a constant-Q spectrum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config.recipes import CqtFeatures, Hubert
from ..signal.constant_q import ConstantQ
from .objective import Objective, ObjectiveOutput, common_sums, masked_rows
from .passes import KeepLayers, apply_mask, convolve, dropout, encode, project
from .precision import without_autocast


class ScaleGradient(torch.autograd.Function):
    """Identity whose gradient is multiplied by a constant (fairseq ``GradMultiply``)."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, scale: float) -> Tensor:
        ctx.scale = scale
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.scale, None


scale_gradient: Callable[..., Tensor] = ScaleGradient.apply


class HubertObjective(Objective):
    """Masked prediction of labels.

    Args:
        recipe: what to train.
        num_clusters: rows of the codebook, or of each label set's; fairseq's four for special symbols are left out.
        spectrum: what ``recipe.cqt_features`` names, where there is a spectrum to predict.
    """

    recipe: Hubert

    def __init__(self, recipe: Hubert, num_clusters: int | Sequence[int], spectrum: CqtFeatures | None = None) -> None:
        super().__init__(recipe)
        self.sizes = [num_clusters] if isinstance(num_clusters, int) else list(num_clusters)
        self.final_proj = nn.Linear(recipe.architecture.hidden_size, len(self.sizes) * recipe.codebook_dim)
        self.codebook = nn.Parameter(torch.rand(sum(self.sizes), recipe.codebook_dim))
        if recipe.cqt_weight:
            assert spectrum is not None, recipe.cqt_features
            self.spectrum = ConstantQ(
                spectrum.frame_rate_hz,
                spectrum.num_bins,
                spectrum.bins_per_octave,
                spectrum.min_hz,
                spectrum.compression,
            )
            self.cqt_head = nn.Linear(recipe.architecture.hidden_size, spectrum.num_bins)

    def forward(
        self,
        wave: Tensor,
        mask: Tensor,
        labels: Tensor | None,
        keep_layers: KeepLayers,
        rows: Tensor | None = None,
    ) -> ObjectiveOutput:
        assert labels is not None
        assert labels.shape[:2] == mask.shape
        encoder, recipe = self.encoder, self.recipe
        rows = masked_rows(mask) if rows is None else rows
        features = scale_gradient(convolve(encoder, wave), recipe.cnn_grad_scale)
        penalty = features.float().square().mean()
        hidden = dropout(project(encoder, features), encoder.feature_projection.dropout)
        hidden = encode(encoder, apply_mask(encoder, hidden, mask), keep_layers, self.run)
        hidden = hidden.flatten(0, 1).index_select(0, rows)
        targets = labels.flatten(0, 1).index_select(0, rows).view(len(rows), len(self.sizes))
        about: dict[str, Tensor] = {}
        cross_entropy = torch.zeros((), device=mask.device)
        for i, logits in enumerate(self.logits(hidden)):
            loss = F.cross_entropy(logits, targets[:, i], reduction="sum")
            about |= _statistics(logits.detach(), targets[:, i], loss.detach(), suffix(i))
            cross_entropy = cross_entropy + loss
        num_masked = mask.sum()
        loss_sum = cross_entropy + recipe.feature_penalty * penalty * num_masked
        sums = common_sums(loss_sum, mask, features) | about
        if recipe.cqt_weight:
            with without_autocast(wave.device):
                spectrum = self.spectrum(wave).flatten(0, 1).index_select(0, rows)
            error = (self.cqt_head(hidden).float() - spectrum).square().mean(-1).sum()
            loss_sum = loss_sum + recipe.cqt_weight * error
            sums |= {"loss": loss_sum.detach().double(), "cqt_error": error.detach().double()}
            sums |= {"cqt_sum": spectrum.sum(0, dtype=torch.float64)}
            sums |= {"cqt_square": spectrum.square().sum(0, dtype=torch.float64)}
        return ObjectiveOutput(loss_sum, num_masked, sums)

    def logits(self, hidden: Tensor) -> list[Tensor]:
        """Return float32 logits (M, K) of masked frames' outputs (M, D), for each label set."""
        projected = self.final_proj(hidden)
        with without_autocast(projected.device):
            parts = projected.float().chunk(len(self.sizes), -1)
            pairs = zip(parts, torch.split(self.codebook, self.sizes))
            return [F.normalize(x, dim=-1) @ F.normalize(y, dim=-1).T / self.recipe.temperature for x, y in pairs]

    def metrics(self, sums: Mapping[str, Tensor], num_masked: float) -> dict[str, float]:
        """Add bits a masked frame, accuracy, the share of the most frequent label, and the feature penalty.

        With a spectrum to predict, the share of its variance that is explained.
        """
        spectrum = {}
        if "cqt_error" in sums:
            spread = float((sums["cqt_square"] - sums["cqt_sum"].square() / num_masked).mean())
            spectrum = {"cqt_explained": 1 - float(sums["cqt_error"]) / spread}
        found = super().metrics(sums, num_masked)
        for end in map(suffix, range(len(self.sizes))):
            found |= {
                f"bits{end}": float(sums[f"cross_entropy{end}"]) / num_masked / math.log(2),
                f"masked_accuracy{end}": float(sums[f"correct{end}"]) / num_masked,
                f"majority_share{end}": float(sums[f"label_counts{end}"].max()) / num_masked,
            }
        return found | {"feature_penalty": float(sums["cnn_square"].mean() / sums["frames"])} | spectrum


def suffix(label_set: int) -> str:
    """Return what is added to the names of a label set's numbers: nothing, "_2", "_3", ..."""
    return f"_{label_set + 1}" if label_set else ""


def _statistics(logits: Tensor, targets: Tensor, loss: Tensor, end: str) -> dict[str, Tensor]:
    """Return the sums that one label set reports."""
    counts = torch.zeros(logits.shape[1], dtype=torch.int64, device=logits.device)
    return {
        f"cross_entropy{end}": loss.double(),
        f"correct{end}": (logits.argmax(-1) == targets).sum().double(),
        f"label_counts{end}": counts.index_add_(0, targets, torch.ones_like(targets)).double(),
    }
