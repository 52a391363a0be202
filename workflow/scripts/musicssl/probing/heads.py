"""Probing heads of many replicas (seed x learning rate) as one batched program.

Every replica is its own head: softmax-weighted sum of the states (logits start at zero), Linear(W, hidden), ReLU,
dropout, Linear(hidden, outputs), trained by its own Adam. All tensors carry a leading replica axis, so states are read,
converted and mixed once for all replicas, and a step costs a few large operations instead of many small ones.

Source: the paper, section 3.3 (weighted sum, one hidden layer of 512, Adam 1e-3); s3prl (zero logits).

Axes: R replicas, M rows, N states, W width, H hidden, O outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.adam import adam

from ..artefacts.states import Halves, Rows
from ..tasks.kinds import KINDS
from .items import Examples

BETAS, EPS = (0.9, 0.999), 1e-8
CHUNK_VALUES = {"cpu": 1 << 20, "cuda": 1 << 26}
"""Values worked on at once, states or hidden units, so that on a CPU they stay in its cache."""


class Heads:
    """Weights of R heads: logits of the states (R, N), then (R, W, H), (R, 1, H), (R, O, H), (R, O, 1).

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
            states: float32 (M, N, W).
            dropout: (R, M, H) factors of the hidden units, 0 or 1 / (1 - p).
        """
        logits, w1, b1, w2, b2 = self.weights
        shares = logits.softmax(dim=1).expand(len(states), -1, -1)
        mixed = torch.bmm(shares, states)  # (M, R, W): one small product a row, in the order states are stored
        hidden = F.relu(torch.baddbmm(b1, mixed.transpose(0, 1), w1))
        if dropout is not None:
            hidden = hidden * dropout
        outputs: Tensor = _Output.apply(hidden, w2, b2)  # type: ignore[no-untyped-call]
        return outputs


def _draw(seed: int, width: int, hidden: int, outputs: int) -> list[Tensor]:
    """Return the two linear layers of one head, uniform within 1 / sqrt(fan in) as torch starts them."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(width, (width, hidden)), (width, (1, hidden)), (hidden, (outputs, hidden)), (hidden, (outputs, 1))]
    return [torch.empty(shape).uniform_(-(fan**-0.5), fan**-0.5, generator=generator) for fan, shape in shapes]


class _Output(torch.autograd.Function):
    """Output layer, (R, M, H) to (R, M, O), whose products are laid out so that few outputs cost little.

    As plain matrix products their transposes make strided operands of the hidden units, many times slower on a CPU.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(hidden, weight)
        return torch.baddbmm(bias, weight, hidden.transpose(1, 2)).transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden, weight = ctx.saved_tensors
        return gradient @ weight, gradient.transpose(1, 2) @ hidden, gradient.sum(dim=1)[..., None]


class Adam:
    """Torch's fused Adam without weight decay, on each replica's part of the stacked weights, with its own rate.

    The function is called instead of the optimizer class, whose construction imports torch's compiler (a second).
    """

    def __init__(self, heads: Heads) -> None:
        self.first, self.second = ([torch.zeros_like(w) for w in heads.weights] for _ in BETAS)
        self.steps = torch.zeros(len(heads.weights), device=heads.weights[0].device)

    def keep(self, index: Tensor) -> None:
        """Leave only the replicas of ``index``."""
        self.first, self.second = ([moment[index] for moment in moments] for moments in (self.first, self.second))

    @torch.no_grad()
    def step(self, heads: Heads, gradients: Sequence[Tensor], rates: Sequence[float]) -> None:
        """Update the weights in place from stacked gradients, with one rate a replica."""
        for r, rate in enumerate(rates):  # each call advances its own copy of the step counts
            stacked = (heads.weights, gradients, self.first, self.second)
            weights, own, first, second = ([tensor[r] for tensor in group] for group in stacked)
            adam(
                weights, own, first, second, [], list(self.steps.clone()), fused=True, amsgrad=False, maximize=False,
                lr=rate, beta1=BETAS[0], beta2=BETAS[1], weight_decay=0.0, eps=EPS,
            )  # fmt: skip
        self.steps += 1


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

    def draw(self, num_rows: int, device: torch.device) -> Tensor:
        """Return (R, M, H) factors 0 or 1 / (1 - p)."""
        size = (num_rows, -(-self.hidden // 4))
        bits = np.stack([rng.integers(0, 2**64, size, dtype=np.uint64) for rng in self.generators])
        drawn = torch.from_numpy(bits.view(np.int16)[:, :, : self.hidden]).to(device)
        return (drawn >= self.threshold).float().div_(self.kept)


def losses(kind: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the summed loss of the rows in each replica, (R,).

    Args:
        kind: of the task, which has its loss in :data:`~musicssl.tasks.kinds.KINDS`; the mean over outputs.
        outputs: (R, M, O).
        targets: (M,) class indices, else (M, O).
    """
    targets = targets.expand(len(outputs), *targets.shape)
    loss = KINDS[kind].loss
    if loss == "cross entropy":
        flat = F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), reduction="none")
        return flat.view(targets.shape).sum(dim=1)
    if loss == "squared error":
        return (outputs - targets).square().mean(dim=2).sum(dim=1)
    each = F.binary_cross_entropy_with_logits(outputs, targets, reduction="none")
    return each.mean(dim=2).sum(dim=1)


def gather(states: Rows | Halves, rows: Tensor, device: torch.device) -> Tensor:
    """Return float32 (M, N, W) of the rows (M,) of float16 states (all rows, N, W).

    By numpy's indexing: torch's takes many times as long where the N are one state of many.
    """
    return torch.from_numpy(states[rows.numpy()]).to(device).float()


def rows_at_once(heads: Heads) -> int:
    """Return how many rows of every replica to work on at once."""
    (replicas, num_states), (_, width, hidden) = heads.weights[0].shape, heads.weights[1].shape
    row_values = max(replicas * hidden, replicas * width, num_states * width)
    return max(1, CHUNK_VALUES[heads.weights[0].device.type] // row_values)


@torch.no_grad()
def predict(heads: Heads, data: Examples, rows: npt.NDArray[np.int64]) -> Tensor:
    """Return the outputs of all replicas on some rows, float32 (R, rows, O), without dropout."""
    device = heads.weights[0].device
    parts = torch.split(data.places[torch.from_numpy(rows)], rows_at_once(heads))
    return torch.cat([heads(gather(data.states, part, device)) for part in parts], dim=1)
