"""data2vec 1.0 on audio: regress a slow teacher's view of the unmasked clip (Baevski et al. 2022, sections 3.3, 4).

The teacher is an exponential moving average of the transformer's layers and first norm, in float32. It shares the
convolutions, projection and positional convolution with the student (fairseq copies the last on every step, which is
the same). Targets are feed-forward outputs of the top K layers, before the residual sum, normalized over time for each
clip and channel, then averaged. Source of the details: fairseq ``data2vec_audio.py``, ``ema_module.py``.

The teacher moves once an optimizer update; fairseq moves it once a micro-batch, so that there accumulating gradients
changes the decay.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config.recipes import Data2vec, Ema
from .encoders import Encoder
from .objective import Objective, ObjectiveOutput, common_sums, masked_rows, mean_std
from .passes import KeepLayers, RunLayer, add_positions, apply_mask, convolve, dropout, encode, project, run_layer

STD_FLOOR = 1e-6


class Teacher(nn.Module):
    """Moving average of an encoder's transformer; never trained, always in evaluation mode."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.layer_norm = copy.deepcopy(encoder.encoder.layer_norm)
        self.layers = copy.deepcopy(encoder.encoder.layers)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> Teacher:
        return super().train(False)

    @torch.no_grad()
    def follow(self, encoder: Encoder, decay: float) -> None:
        """Move every weight towards the encoder's: ``decay * own + (1 - decay) * encoder``."""
        student = dict(encoder.encoder.named_parameters())
        for name, weight in self.named_parameters():
            weight.lerp_(student[name], 1 - decay)

    @torch.no_grad()
    def targets(self, hidden: Tensor, top_k: int, run: RunLayer = run_layer) -> Tensor:
        """Return what there is to predict at each frame, float32 (B, T, D).

        Args:
            hidden: (B, T, D), unmasked inputs with positions added.
            top_k: layers to average, counted from the last.
            run: runs a layer.
        """
        hidden = self.layer_norm(hidden)
        first = len(self.layers) - top_k
        total = torch.zeros((), device=hidden.device)
        for i, layer in enumerate(self.layers):
            hidden, feed_forward = run(layer, hidden)
            if i >= first:
                total = total + instance_norm(feed_forward.float())
        return total / top_k


def instance_norm(values: Tensor) -> Tensor:
    """Return (B, T, D) with zero mean and unit variance over time, for each clip and channel."""
    variance, mean = torch.var_mean(values, dim=1, correction=0, keepdim=True)
    return (values - mean) * torch.rsqrt(variance + 1e-5)


def shared(targets: Tensor) -> dict[str, Tensor]:
    """Return sums of products of targets (B, T, D) at the same frame: of pairs of clips, and of each with itself."""
    squares = targets.square().sum(dtype=torch.float64)
    pairs = targets.sum(0).square().sum(dtype=torch.float64) - squares
    return {"between_clips": pairs, "within_clips": (len(targets) - 1) * squares}


def ema_decay(ema: Ema, update: int) -> float:
    """Return the teacher's decay at an optimizer update counted from 0."""
    if update >= ema.anneal_updates:
        return ema.end
    return ema.end - (ema.end - ema.start) * (1 - update / ema.anneal_updates)


class Data2vecObjective(Objective):
    """Masked regression of the teacher's targets: squared error summed over channels, over ``sqrt(D)``."""

    recipe: Data2vec

    def __init__(self, recipe: Data2vec) -> None:
        super().__init__(recipe)
        self.final_proj = nn.Linear(recipe.architecture.hidden_size, recipe.architecture.hidden_size)
        self.teacher = Teacher(self.encoder)
        self.decay = recipe.ema.start

    def before_forward(self, update: int) -> None:
        """Move the teacher towards the student the last update left; at update 0 they are equal."""
        self.decay = ema_decay(self.recipe.ema, update)
        if update > 0:
            self.teacher.follow(self.encoder, self.decay)

    def forward(
        self,
        wave: Tensor,
        mask: Tensor,
        labels: Tensor | None,
        keep_layers: KeepLayers,
        rows: Tensor | None = None,
    ) -> ObjectiveOutput:
        assert labels is None
        encoder = self.encoder
        rows = masked_rows(mask) if rows is None else rows
        features = convolve(encoder, wave)
        projected = project(encoder, features)
        with torch.no_grad():
            positioned = add_positions(encoder, projected)
        everywhere = self.teacher.targets(positioned, self.recipe.average_top_k, self.run)
        targets = everywhere.flatten(0, 1).index_select(0, rows)
        hidden = apply_mask(encoder, dropout(projected, encoder.feature_projection.dropout), mask)
        hidden = encode(encoder, hidden, keep_layers, self.run).flatten(0, 1).index_select(0, rows)
        predictions = self.final_proj(hidden).float()
        error = F.mse_loss(predictions, targets, reduction="sum")
        loss_sum = error * targets.shape[1] ** -0.5
        sums = common_sums(loss_sum, mask, features) | {"squared_error": error.detach().double()} | shared(everywhere)
        for name, values in (("target", targets), ("prediction", predictions.detach())):
            sums[f"{name}_sum"] = values.sum(0, dtype=torch.float64)
            sums[f"{name}_square"] = values.square().sum(0, dtype=torch.float64)
        return ObjectiveOutput(loss_sum, mask.sum(), sums)

    def metrics(self, sums: Mapping[str, Tensor], num_masked: float) -> dict[str, float]:
        """Add deviations of targets and predictions, the share of target variance explained, and the decay.

        Deviations are ``mean_channels(sqrt(var + 1e-6))`` over all masked frames, as fairseq's guards compute them.
        Agreement is the correlation of different clips' targets at the same frame: about 0 where targets follow the
        audio, 1 where they only tell a frame's place in its clip, which deviations and explained variance do not show.
        """
        spread = (sums["target_square"] - sums["target_sum"].square() / num_masked).sum()
        return super().metrics(sums, num_masked) | {
            "target_std": mean_std(sums["target_sum"], sums["target_square"], num_masked, STD_FLOOR),
            "prediction_std": mean_std(sums["prediction_sum"], sums["prediction_square"], num_masked, STD_FLOOR),
            "target_agreement": float(sums["between_clips"] / sums["within_clips"]),
            "explained_variance": 1 - float(sums["squared_error"] / spread),
            "ema_decay": self.decay,
        }
