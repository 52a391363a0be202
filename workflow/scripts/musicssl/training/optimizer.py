"""AdamW over one flat gradient buffer.

Every parameter's ``.grad`` is a view of one float32 vector. So a layer that layer drop skipped has a zero gradient
instead of none (its moments decay and it is still weight-decayed, as with fairseq), ranks can sum gradients in a few
large messages without a DDP wrapper (which would wait for the gradients that skipped layers never send), and the norm
is one kernel. AdamW divides by masked frames and clips while it reads: no pass over memory of their own.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from ..config.recipes import Optimizer
from .distributed import World

ALIGNMENT = 64  # elements, so that fused kernels read whole vectors
BUCKET = 1 << 23  # elements a message, 32 MB


class FlatGradients:
    """The gradients of all trainable parameters as one float32 vector.

    Attributes:
        parameters: those that train, in order.
        flat: (N,) float32; padding between parameters stays zero.
    """

    def __init__(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        starts, end = [], 0
        for parameter in self.parameters:
            starts.append(end)
            end += -(-parameter.numel() // ALIGNMENT) * ALIGNMENT
        self.flat = torch.zeros(end, device=self.parameters[0].device)
        for parameter, start in zip(self.parameters, starts):
            parameter.grad = self.flat[start : start + parameter.numel()].view_as(parameter)

    def sum_(self, world: World) -> None:
        """Replace the gradients by their sums over ranks."""
        handles = [world.sum_(bucket, wait=False) for bucket in self.flat.split(BUCKET)]
        for handle in handles:
            if handle is not None:
                handle.wait()

    def divisor(self, count: torch.Tensor, max_norm: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what the sums must be divided by, and the norm they have after division by ``count`` alone, 0-d both.

        Args:
            count: masked frames.
            max_norm: the norm is scaled down to it; 0 means no clipping.
        """
        norm = torch.linalg.vector_norm(self.flat) / count
        excess = ((norm + 1e-6) / max_norm).clamp(min=1.0) if max_norm > 0 else 1.0
        return (count * excess).float(), norm


def adamw(parameters: list[torch.nn.Parameter], recipe: Optimizer) -> torch.optim.AdamW:
    """Return AdamW with decoupled weight decay on every tensor, biases and norms included (fairseq ``adam``)."""
    return torch.optim.AdamW(
        parameters, lr=recipe.lr, betas=recipe.betas, eps=recipe.eps, weight_decay=recipe.weight_decay, fused=True
    )
