"""Training of all replicas of a task at once: batches, plateau, early stopping, the best epoch's weights.

After each epoch every replica is scored on validation. More than ``plateau_patience`` epochs without a better score
halve its learning rate (torch's ReduceLROnPlateau), ``stop_patience`` end its training; the weights of its best epoch
are kept. Replicas that have ended leave the program. Batches hold items, so an item with many windows brings all of
them and each window counts once (MARBLE v1). All replicas see the same batches, shuffled and cropped by one fixed
seed, so that each state is read once an epoch however many replicas there are: seeds differ in initial weights and
dropout, and learning rates are compared on common random numbers.

Axes: R replicas, M rows.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..artefacts.states import Ints
from ..config.recipes import Probe
from ..runtime import UserError
from .heads import Adam, Dropout, Heads, gather, losses, rows_at_once
from .items import Examples, spans

logger = logging.getLogger(__name__)
Validate = Callable[[Heads], npt.NDArray[np.float64]]
VERSION = 1
"""Raised when the same states give other heads."""
REPORT_EVERY_S = 10.0
ORDER_SEED = 0


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


@dataclass
class Fitted:
    """What training leaves.

    Attributes:
        heads: each replica with the weights of its best epoch.
        seeds: of the replicas.
        rates: their initial learning rates.
        epochs: their best epochs, from 1; 0 where training diverged at once.
        scores: their best validation scores.
        curves: rows of seed, learning_rate, epoch, train_loss, valid; None stands for a number that is not finite.
    """

    heads: Heads
    seeds: list[int]
    rates: list[float]
    epochs: Ints
    scores: npt.NDArray[np.float64]
    curves: list[dict[str, Any]] = field(default_factory=list)

    def take(
        self, heads: Heads, alive: Ints, epoch: int, train_loss: npt.NDArray[np.float64], valid: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.bool_]:
        """Record an epoch of the replicas ``alive``, keep the weights of those at their best, and return which."""
        valid = np.where(np.isfinite(valid) & np.isfinite(train_loss), valid, -np.inf)
        better = valid > self.scores[alive]
        self.scores[alive[better]], self.epochs[alive[better]] = valid[better], epoch
        self.heads.copy_from(heads, torch.from_numpy(alive[better]), torch.from_numpy(np.flatnonzero(better)))
        for r, loss, score in zip(alive, train_loss, valid):
            values = {"train_loss": _finite(loss), "valid": _finite(score)}
            self.curves.append({"seed": self.seeds[r], "learning_rate": self.rates[r], "epoch": epoch, **values})
        return better

    def chosen(self) -> list[int]:
        """Return, for each seed, the replica with the best validation score; the first of equals.

        Raises:
            UserError: every learning rate of a seed diverged.
        """
        picks = []
        for seed in dict.fromkeys(self.seeds):
            own = [r for r, other in enumerate(self.seeds) if other == seed]
            best = max(own, key=lambda r: self.scores[r])
            if not np.isfinite(self.scores[best]):
                raise UserError(
                    f"probe.learning_rates: found {[self.rates[r] for r in own]}, with which seed {seed} diverges at "
                    "once; add a smaller one, or look for infinite embeddings"
                )
            picks.append(best)
        return picks


class Batches:
    """Shuffled batches of items, the same for all replicas."""

    def __init__(self, data: Examples, items: Ints, size: int, crop_rows: int) -> None:
        self.data, self.items, self.size, self.crop_rows = data, items, size, crop_rows
        self.rng = np.random.default_rng(ORDER_SEED)

    def __iter__(self) -> Iterator[Tensor]:
        """Yield the row numbers (M,) of each batch of one epoch; items are cropped at random where a length is set."""
        order = self.rng.permutation(self.items)
        for first in range(0, len(order), self.size):
            items = order[first : first + self.size]
            starts = self.data.offsets[items]
            lengths = self.data.offsets[items + 1] - starts
            if self.crop_rows:
                cropped = np.minimum(lengths, self.crop_rows)
                starts, lengths = starts + self.rng.integers(0, lengths - cropped + 1), cropped
            yield torch.from_numpy(spans(starts, lengths))


class Patience:
    """Learning rate and waiting time of every replica still training.

    Attributes:
        alive: (R,) numbers of these replicas.
        rates: (R,) their learning rates now.
    """

    def __init__(self, rates: Sequence[float], protocol: Probe) -> None:
        self.alive, self.rates, self.protocol = np.arange(len(rates)), np.array(rates), protocol
        self.since_best = np.zeros(len(rates), np.int64)
        self.since_cut = np.zeros(len(rates), np.int64)

    def after_epoch(self, better: npt.NDArray[np.bool_], finite: npt.NDArray[np.bool_]) -> Ints:
        """Halve rates, end replicas, and return the positions of those that go on."""
        self.since_best = np.where(better, 0, self.since_best + 1)
        self.since_cut = np.where(better, 0, self.since_cut + 1)
        cut = self.since_cut > self.protocol.plateau_patience
        self.rates, self.since_cut = np.where(cut, self.rates / 2, self.rates), np.where(cut, 0, self.since_cut)
        on = np.flatnonzero((self.since_best < self.protocol.stop_patience) & finite)
        self.alive, self.rates = self.alive[on], self.rates[on]
        self.since_best, self.since_cut = self.since_best[on], self.since_cut[on]
        return on


def fit(data: Examples, kind: str, protocol: Probe, crop_rows: int, validate: Validate, device: torch.device) -> Fitted:
    """Train every seed with every learning rate.

    Args:
        data: embedded items with their targets.
        kind: of the task.
        protocol: sizes, rates, patience and seeds.
        crop_rows: longest stretch of an item seen in one epoch, 0 for all of it.
        validate: returns the validation score of each replica, larger is better.
        device: to train on.
    """
    pairs = [(seed, rate) for seed in protocol.seeds for rate in protocol.learning_rates]
    seeds, rates = [seed for seed, _ in pairs], [rate for _, rate in pairs]
    size = (data.states.shape[1], data.states.shape[2], protocol.hidden_size, data.num_outputs)
    best = Heads(seeds, *size, device)
    fitted = Fitted(best, seeds, rates, np.zeros(len(pairs), np.int64), np.full(len(pairs), -np.inf))
    training = Training(data, kind, Heads(seeds, *size, device), protocol, crop_rows, seeds)
    patience = Patience(rates, protocol)
    start = last = time.monotonic()
    for epoch in range(1, protocol.max_epochs + 1):
        train_loss = training.epoch(patience.rates)
        better = fitted.take(training.heads, patience.alive, epoch, train_loss, validate(training.heads))
        on = patience.after_epoch(better, np.isfinite(train_loss))
        if not len(on):
            break
        if len(on) < len(better):
            training.keep(torch.from_numpy(on).to(device))
        if time.monotonic() - last > REPORT_EVERY_S:
            last = time.monotonic()
            logger.info("epoch %d, %d of %d replicas left, %.0f s", epoch, len(on), len(pairs), last - start)
    logger.info("%d replicas, %d epochs in %.1f s", len(pairs), epoch, time.monotonic() - start)
    return fitted


class Training:
    """What an epoch changes: weights, moments and dropout of the replicas still training, and the order of items."""

    def __init__(
        self, data: Examples, kind: str, heads: Heads, protocol: Probe, crop_rows: int, seeds: Sequence[int]
    ) -> None:
        self.data, self.kind, self.heads, self.device = data, kind, heads, heads.weights[0].device
        self.adam = Adam(heads)
        self.dropout = Dropout(seeds, protocol.dropout, protocol.hidden_size)
        self.batches = Batches(data, data.of_split("train"), protocol.batch_size, crop_rows)

    def keep(self, index: Tensor) -> None:
        """Leave only the replicas of ``index``."""
        self.heads.keep(index)
        self.adam.keep(index)
        self.dropout.keep(index)

    def epoch(self, rates: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Train one epoch with one learning rate a replica and return the mean loss of a row in each, (R,)."""
        total, num_rows = torch.zeros(len(rates), dtype=torch.float64, device=self.device), 0
        for rows in self.batches:
            parts = [self._gradients(part, len(rows)) for part in torch.split(rows, rows_at_once(self.heads))]
            gradients = [torch.stack(same).sum(dim=0) if len(same) > 1 else same[0] for same in zip(*parts)]
            self.adam.step(self.heads, gradients[1:], rates.tolist())
            total += gradients[0]
            num_rows += len(rows)
        return total.cpu().numpy() / num_rows

    def _gradients(self, rows: Tensor, batch_rows: int) -> tuple[Tensor, ...]:
        """Return the summed losses (R,) of some rows of a batch and what they add to the gradients of its mean."""
        outputs = self.heads(
            gather(self.data.states, self.data.places[rows], self.device), self.dropout.draw(len(rows), self.device)
        )
        summed = losses(self.kind, outputs, self.data.targets[rows].to(self.device))
        return summed.detach(), *torch.autograd.grad(summed.sum() / batch_rows, self.heads.weights)
