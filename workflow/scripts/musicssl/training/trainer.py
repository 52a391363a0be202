"""One optimizer update and one validation pass, over any number of processes, without waiting for the device.

Ranks take micro-batches in turn and add up gradients of summed losses; one all-reduce of the gradients and one of the
counts make global sums, and the division by the global number of masked frames comes last (fairseq ``trainer.py``).
So the result depends on the global batch, not on how many processes shared it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterator
from typing import Any

import torch

from ..config.recipes import Data2vec, Hubert
from ..runtime import UserError
from .batches import Batches, MicroBatch, prefetch
from .devices import precision
from .distributed import World
from .optimizer import FlatGradients, adamw
from .reduction import Report, Sums
from .schedule import learning_rate

VERSION = 3


class Trainer:
    """An objective, its optimizer and its data.

    Attributes:
        objective: as ``musicssl.models.build_objective`` makes it, on this rank's device.
        waited_s: time this rank has waited for batches.
    """

    def __init__(self, recipe: Hubert | Data2vec, objective: Any, batches: Batches, world: World) -> None:
        self.recipe, self.objective, self.batches, self.world = recipe, objective, batches, world
        self.gradients = FlatGradients(objective.parameters())
        self.optimizer = adamw(self.gradients.parameters, recipe.optimizer)
        self.waited_s = 0.0
        self._mixed = precision(recipe, world.device) == "bf16"
        self._mine = range(world.rank, batches.sizes.num_micro, world.size)

    def stream(self, start: int) -> Generator[MicroBatch, None, None]:
        """Yield this rank's micro-batches from update ``start`` to the last."""
        keys = ((update, micro) for update in range(start, self.recipe.updates) for micro in self._mine)
        return prefetch(self.batches.train, keys)

    def step(self, update: int, stream: Iterator[MicroBatch], stop: bool) -> Report:
        """Do one update.

        Args:
            update: its number, from 0.
            stream: gives this rank's micro-batches of this update next.
            stop: whether this rank was asked to stop; all ranks learn it from the report.

        Raises:
            UserError: the device's memory is too small for a micro-batch.
        """
        lr = learning_rate(self.recipe.schedule, self.recipe.optimizer.lr, update, self.recipe.updates)
        sums = Sums(stop, self.world.device)
        self.objective.train()
        self.objective.before_forward(update)
        self.gradients.flat.zero_()
        with self._memory():
            for _ in self._mine:
                sums.add(self._backward(stream))
            sums.reduce(self.world)
            self.gradients.sum_(self.world)
            divisor, norm = self.gradients.divisor(sums.num_masked, self.recipe.optimizer.clip_norm)
            setattr(self.optimizer, "grad_scale", divisor)  # noqa: B010 - as GradScaler gives it to fused optimizers
            for group in self.optimizer.param_groups:
                group["lr"] = lr
            self.optimizer.step()
        return sums.report(update + 1, norm, lr)

    @torch.no_grad()
    def evaluate(self, update: int) -> Report:
        """Return the sums over all held-out clips after ``update`` updates, in evaluation mode."""
        self.objective.eval()
        mine = range(self.world.rank, self.batches.num_valid_micro, self.world.size)
        keys = [(micro,) for micro in mine] or [(0,)]  # an idle rank still learns the shape of the sums
        sums = Sums(False, self.world.device)
        with self._memory():
            for batch in prefetch(self.batches.valid, keys):
                sums.add(self._forward(batch.to(self.world.device)), weight=float(len(mine) > 0))
        sums.reduce(self.world)
        return sums.report(update, torch.zeros(()), 0.0)

    @contextlib.contextmanager
    def _memory(self) -> Iterator[None]:
        """Say which number to lower where the device's memory ends."""
        try:
            yield
        except RuntimeError as error:
            if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
                raise
            sizes, crop_s = self.batches.sizes, self.recipe.crop_s
            if sizes.micro > 1:
                fewer = next(clips for clips in range(sizes.micro - 1, 0, -1) if sizes.group % clips == 0)
                cure = (
                    f"give a smaller micro_batch_s in the models table (pretrain.py --micro-batch-s), such as "
                    f"{fewer * crop_s:g}, which keeps the global batch"
                )
            else:
                cure = f"that is one clip: give a shorter crop_s than {crop_s:g} s in the models table, another recipe"
            raise UserError(
                f"micro-batch: {sizes.micro * crop_s:g} s of audio in one forward pass do not fit into the memory of "
                f"{self.world.device}; {cure}"
            ) from error

    def state(self) -> dict[str, Any]:
        """Return all that the next updates depend on; randomness needs no state."""
        return {"objective": self.weights(), "optimizer": self.optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what :meth:`state` returned."""
        self.objective.load_state_dict(state["objective"])
        self.optimizer.load_state_dict(state["optimizer"])

    def weights(self) -> dict[str, Any]:
        """Return the objective's state on the CPU."""
        state = self.objective.state_dict()
        return {name: value.cpu() if isinstance(value, torch.Tensor) else value for name, value in state.items()}

    def _backward(self, stream: Iterator[MicroBatch]) -> Any:
        """Add one micro-batch's gradients; return the objective's output."""
        start = time.perf_counter()
        batch = next(stream)
        self.waited_s += time.perf_counter() - start
        torch.manual_seed(batch.seed)  # dropout depends on the micro-batch, not on the rank or on earlier updates
        output = self._forward(batch.to(self.world.device))
        output.loss_sum.backward()
        return output

    def _forward(self, batch: MicroBatch) -> Any:
        """Run the objective, in the recipe's precision where the device has it."""
        with torch.autocast(self.world.device.type, torch.bfloat16, enabled=self._mixed):
            return self.objective(batch.wave, batch.mask, batch.labels, batch.keep_layers, batch.rows)
