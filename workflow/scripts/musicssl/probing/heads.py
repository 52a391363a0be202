"""Probing heads of many replicas (seed x learning rate) as one batched program.

Every replica is its own head: softmax-weighted sum of the states (logits start at zero), Linear(W, hidden), ReLU,
dropout, Linear(hidden, outputs), trained by its own Adam. All tensors carry a leading replica axis, so a step of all
replicas costs about what one costs on hardware that one cannot fill. A replica depends on its own seed alone.

Source: the paper, section 3.3 (weighted sum, one hidden layer of 512, Adam 1e-3); s3prl (zero logits).

Axes: R replicas, M rows, N states, W width, H hidden, O outputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

BETAS, EPS = (0.9, 0.999), 1e-8
CHUNK_VALUES = {"cpu": 1 << 20, "cuda": 1 << 26}
"""Values worked on at once, states or hidden units, so that on a CPU they stay in its cache."""


class Heads:
    """Weights of R heads.

    Args:
        seeds: one a replica; equal seeds start equal.
        num_states: N.
        width: W.
        hidden: H.
        outputs: O.
        device: where they live; they are drawn on the CPU.
    """

    def __init__(
        self, seeds: Sequence[int], num_states: int, width: int, hidden: int, outputs: int, device: torch.device
    ) -> None:
        drawn = [_draw(seed, width, hidden, outputs) for seed in seeds]
        tensors = [torch.zeros(len(seeds), num_states), *(torch.stack(parts) for parts in zip(*drawn))]
        self.weights = [tensor.to(device).requires_grad_() for tensor in tensors]

    def keep(self, index: Tensor) -> None:
        """Leave only the replicas of ``index``."""
        self.weights = [tensor.detach()[index].requires_grad_() for tensor in self.weights]

    def copy_from(self, other: Heads, mine: Tensor, theirs: Tensor) -> None:
        """Take the weights of the replicas ``theirs`` of another set into the replicas ``mine``."""
        with torch.no_grad():
            for target, source in zip(self.weights, other.weights):
                target[mine] = source[theirs]

    def layer_weights(self) -> Tensor:
        """Return the softmax weights of the states, (R, N)."""
        return self.weights[0].detach().softmax(dim=1)

    def __call__(self, states: Tensor, dropout: Tensor | None = None) -> Tensor:
        """Return (R, M, O).

        Args:
            states: float32, (N, M, W) seen by all replicas or (N, R, M, W) of each.
            dropout: (R, M, H) factors of the hidden units, 0 or 1 / (1 - p).
        """
        logits, w1, b1, w2, b2 = self.weights
        mixing, width = logits.softmax(dim=1), w1.shape[1]
        shared = states.dim() == 3
        mixed = mixing @ states.flatten(1) if shared else mixing[:, None] @ states.flatten(2).transpose(0, 1)
        hidden = F.relu(torch.baddbmm(b1, mixed.view(len(logits), -1, width), w1))
        if dropout is not None:
            hidden = hidden * dropout
        return torch.baddbmm(b2, w2, hidden.transpose(1, 2)).transpose(1, 2)


def _draw(seed: int, width: int, hidden: int, outputs: int) -> list[Tensor]:
    """Return the two linear layers of one head, uniform within 1 / sqrt(fan in) as torch starts them."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(width, (width, hidden)), (width, (1, hidden)), (hidden, (outputs, hidden)), (hidden, (outputs, 1))]
    return [torch.empty(shape).uniform_(-(fan**-0.5), fan**-0.5, generator=generator) for fan, shape in shapes]


class Adam:
    """Adam (Kingma & Ba 2015) without weight decay, with one learning rate a replica."""

    def __init__(self, heads: Heads) -> None:
        self.moments = [[torch.zeros_like(w) for w in heads.weights] for _ in BETAS]
        self.steps = 0

    def keep(self, index: Tensor) -> None:
        """Leave only the replicas of ``index``."""
        self.moments = [[moment[index] for moment in order] for order in self.moments]

    @torch.no_grad()
    def step(self, heads: Heads, gradients: Sequence[Tensor], rates: Tensor) -> None:
        """Update the weights in place; ``rates`` is (R,)."""
        self.steps += 1
        first, second = (1 - beta**self.steps for beta in BETAS)
        for weight, gradient, m, v in zip(heads.weights, gradients, *self.moments):
            m.lerp_(gradient, 1 - BETAS[0])
            v.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
            scale = (rates / first).view(-1, *[1] * (weight.dim() - 1))
            weight.sub_((m / (v / second).sqrt_().add_(EPS)).mul_(scale))


class Dropout:
    """Dropout factors from one generator a replica, so that a replica does not depend on who trains beside it.

    A unit is dropped where 16 random bits, read as a signed number, lie below a threshold; drawn on the CPU, so that
    every device sees the same.
    """

    def __init__(self, seeds: Sequence[int], probability: float, hidden: int) -> None:
        self.generators = [np.random.Generator(np.random.SFC64(seed)) for seed in seeds]
        self.kept, self.hidden = 1.0 - probability, hidden
        self.threshold = round(probability * 2**16) - 2**15

    def keep(self, index: Tensor) -> None:
        """Leave only the replicas of ``index``."""
        self.generators = [self.generators[i] for i in index.tolist()]

    def draw(self, num_rows: Sequence[int], device: torch.device) -> Tensor:
        """Return (R, M, H) factors 0 or 1 / kept for the first ``num_rows[r]`` rows of each replica, M the largest."""
        words = -(-self.hidden // 4)
        bits = np.zeros((len(num_rows), max(num_rows), words), dtype=np.uint64)
        for row, count, rng in zip(bits, num_rows, self.generators):
            row[:count] = rng.integers(0, 2**64, (count, words), dtype=np.uint64)
        drawn = torch.from_numpy(bits.view(np.int16)[:, :, : self.hidden]).to(device)
        return (drawn >= self.threshold).float().div_(self.kept)


def losses(kind: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the loss of each row, (R, M).

    Args:
        kind: of the task: cross-entropy (multiclass, key), binary cross-entropy (multilabel, beats) or squared error
            (regression), the mean over outputs.
        outputs: (R, M, O).
        targets: (R, M) class indices, else (R, M, O).
    """
    if kind in ("multiclass", "key"):
        flat = F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none")
        return flat.view(targets.shape)
    if kind == "regression":
        return (outputs - targets).square().mean(dim=2)
    return F.binary_cross_entropy_with_logits(outputs, targets, reduction="none").mean(dim=2)


def gather(states: Tensor, rows: Tensor, device: torch.device) -> Tensor:
    """Return float32 (N, rows, W) of float16 states (all rows, N, W)."""
    chosen = states.index_select(0, rows).to(device)
    out = torch.empty(chosen.shape[1], chosen.shape[0], chosen.shape[2], device=device)
    return out.copy_(chosen.transpose(0, 1))


def rows_at_once(heads: Heads) -> int:
    """Return how many rows of every replica to work on at once."""
    (replicas, num_states), (_, width, hidden) = heads.weights[0].shape, heads.weights[1].shape
    return max(1, CHUNK_VALUES[heads.weights[0].device.type] // (replicas * max(hidden, num_states * width)))


@torch.no_grad()
def predict(heads: Heads, states: Tensor, rows: npt.NDArray[np.int64]) -> Tensor:
    """Return the outputs of all replicas on some rows, float32 (R, rows, O), without dropout."""
    device = heads.weights[0].device
    parts = torch.from_numpy(rows).split(rows_at_once(heads))
    return torch.cat([heads(gather(states, part, device)) for part in parts], dim=1)
