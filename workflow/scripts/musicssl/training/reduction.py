"""Sums over micro-batches and ranks, and their way to the host."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from .distributed import World

HEAD = 3  # ranks asked to stop, loss sum, masked frames


class Sums:
    """Adds up what the objective returns, as one float64 vector on the device."""

    def __init__(self, stop: bool, device: torch.device) -> None:
        self._vector = torch.zeros(HEAD, dtype=torch.float64, device=device)  # filled there: a copy would wait
        self._vector[0].fill_(float(stop))
        self._shapes: dict[str, torch.Size] = {}

    def add(self, output: Any, weight: float = 1.0) -> None:
        """Add one ``ObjectiveOutput``, ``weight`` times."""
        values = [output.loss_sum, output.num_masked, *output.sums.values()]
        flat = torch.cat([value.detach().to(self._vector).reshape(-1) for value in values]) * weight
        if not self._shapes:
            self._shapes = {name: value.shape for name, value in output.sums.items()}
            self._vector = torch.cat([self._vector, self._vector.new_zeros(len(flat) - HEAD + 1)])
        self._vector[1:] += flat

    def reduce(self, world: World) -> None:
        """Sum over ranks."""
        world.sum_(self._vector)

    @property
    def num_masked(self) -> torch.Tensor:
        """Masked frames, 0-d float64 on the device."""
        return self._vector[2]

    def report(self, update: int, grad_norm: torch.Tensor, lr: float) -> Report:
        """Start the copy to the host."""
        vector = torch.cat([self._vector, grad_norm.to(self._vector).reshape(1)])
        if vector.device.type != "cuda":
            return Report(update, lr, self._shapes, vector, None)
        host = torch.empty(vector.shape, dtype=vector.dtype, pin_memory=True)
        host.copy_(vector, non_blocking=True)
        arrived = torch.cuda.Event()
        arrived.record()
        return Report(update, lr, self._shapes, host, arrived)


@dataclass(frozen=True)
class Report:
    """Global numbers of one update or validation pass; every rank holds the same.

    Attributes:
        update: updates done.
        lr: learning rate of the update.
        shapes: of the objective's sums, by name, in the order of the vector.
        vector: float64 in host memory.
        arrived: CUDA event after which ``vector`` may be read.
    """

    update: int
    lr: float
    shapes: dict[str, torch.Size]
    vector: torch.Tensor
    arrived: Any

    def wait(self) -> None:
        """Wait until the numbers are here."""
        if self.arrived is not None:
            self.arrived.synchronize()

    @property
    def stop(self) -> bool:
        """Whether any rank was asked to stop."""
        return bool(self.vector[0] > 0)

    @property
    def num_masked(self) -> int:
        """Masked frames."""
        return int(self.vector[2])

    @property
    def loss(self) -> float:
        """Mean loss of a masked frame."""
        return float(self.vector[1] / self.vector[2])

    @property
    def grad_norm(self) -> float:
        """2-norm of the gradient of the mean loss, before clipping."""
        return float(self.vector[-1])

    @property
    def is_finite(self) -> bool:
        """Whether loss and gradient are numbers."""
        return math.isfinite(self.loss) and math.isfinite(self.grad_norm)

    def sums(self) -> dict[str, torch.Tensor]:
        """Return the objective's sums, float64."""
        parts = self.vector[HEAD:-1].split([shape.numel() for shape in self.shapes.values()])
        return {name: part.reshape(shape) for (name, shape), part in zip(self.shapes.items(), parts)}
