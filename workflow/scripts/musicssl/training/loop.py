"""The loop of a run: update, log, validate, save; stop when asked, go on where it stopped."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ..runtime import UserError
from . import checkpoint
from .checkpoint import ResumeStates
from .guards import Guard
from .journal import Journal
from .reduction import Report
from .signals import StopRequest
from .speed import Meter
from .trainer import Trainer

logger = logging.getLogger(__name__)


class Run:
    """One training run, held together by the states it saves."""

    def __init__(self, trainer: Trainer, digest: str, out: Path, snapshots: Sequence[int] = ()) -> None:
        """Args: trainer at its initial weights, digest of the recipe, folder of the model, updates to keep."""
        self.trainer, self.digest, self.out, self.snapshots = trainer, digest, out, snapshots
        self.recipe, self.world = trainer.recipe, trainer.world
        self.states = ResumeStates(out / "resume", digest)
        self.guard = Guard(self.recipe, self.states.folder)
        self._journals: dict[str, Journal] = {}  # rank 0 only

    def go(self) -> None:
        """Resume or start, train to the end, write the outputs.

        Raises:
            UserError: the disk is full, a state does not fit, or training diverged.
            SystemExit: a signal asked to stop; the state is saved.
        """
        with StopRequest() as request:
            start = self._resume()
            with contextlib.closing(self.trainer.stream(start)) as stream:
                self._train(start, stream, request)
            self.world.on_main(self._finish)

    def _train(self, start: int, stream: Any, request: StopRequest) -> None:
        """Do all updates from ``start`` on.

        The numbers of an update are looked at one update later, so the device always has work; only updates that log,
        validate or save wait for their own.
        """
        updates = self.recipe.updates
        meter = Meter(self.recipe, self.world, start, self.recipe.batch.global_s)
        unseen: Report | None = None
        for update in range(start, updates):
            report = self.trainer.step(update, stream, stop=request.number > 0)
            stop = unseen is not None and self._review(unseen)
            unseen, done = report, update + 1
            log = done % self.recipe.log_every == 0 or done == updates
            validate = done % self.recipe.valid_every == 0 or done == updates
            save = done % self.recipe.checkpoint_every == 0 and done < updates
            keep = done in self.snapshots
            if log or validate or save or keep or stop:
                stop |= self._review(report)
                unseen = None
            if log:
                self._log(report, meter)
            before = time.perf_counter()
            if validate:
                self._validate(done)
            if keep:
                self.world.on_main(partial(self._keep, done))
            if save or (stop and done < updates):
                self._save(done)
            meter.skip(time.perf_counter() - before)
            if stop and done < updates:
                logger.warning("stopped by a signal after update %d; the same command goes on from there", done)
                raise SystemExit(request.exit_code)

    def _review(self, report: Report) -> bool:
        """Check an update's numbers; return whether to stop after them, equally on all ranks."""
        report.wait()
        self.guard.check_finite(report)
        return report.stop

    def _row(self, report: Report, split: str) -> dict[str, Any]:
        """Return a row of metrics.jsonl; what has no value (a variance of nothing) becomes null."""
        values = self.trainer.objective.metrics(report.sums(), report.num_masked)
        row = {"update": report.update, "split": split, "loss": report.loss, **values}
        if split == "train":
            row |= {"grad_norm": report.grad_norm, "lr": report.lr}
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()
        }

    def _log(self, report: Report, meter: Meter) -> None:
        row = self._row(report, "train")
        if self.world.is_main:
            self._journals["metrics"].write(row)
            self._journals["speed"].write(meter.row(report.update, report.loss, self.trainer.waited_s))
        self.guard.check_collapse(row)

    def _validate(self, update: int) -> None:
        """Add a row about the held-out clips, if there are any."""
        if self.trainer.batches.num_valid_micro == 0:
            return
        report = self.trainer.evaluate(update)
        self._review(report)
        row = self._row(report, "valid")
        if self.world.is_main:
            self._journals["metrics"].write(row)
            logger.info("update %d, held-out loss %.4f", update, report.loss)

    def _about(self) -> dict[str, int | str]:
        """Return what is not in the recipe and yet changes the last bits of the result."""
        device = self.world.device
        name = torch.backends.cpu.get_cpu_capability() if device.type == "cpu" else torch.cuda.get_device_name(device)
        return {
            "processes": self.world.size,
            "threads": torch.get_num_threads(),
            "device": f"{device.type} {name}",
            "micro_batch_clips": self.trainer.batches.sizes.micro,
            "compile": self.recipe.compile,
            "torch": torch.__version__,
        }

    def _save(self, update: int) -> None:
        def work() -> None:
            for journal in self._journals.values():
                journal.sync()
            self.states.save(update, self.trainer.state(), self._about())

        self.world.on_main(work)
        self.guard.saved = update
        logger.info("state after update %d saved in %s", update, self.states.folder)

    def _keep(self, update: int) -> None:
        """Save the encoder beside the resume states, until the run is done."""
        weights = {name: value for name, value in self.trainer.weights().items() if name.startswith("encoder.")}
        self.states.keep(update, weights)

    def _resume(self) -> int:
        """Load the newest good state, if any; return the updates done."""
        found = self.world.on_main(partial(self.states.latest, self.snapshots))
        update = 0
        if found is not None:
            update, about = found
            self._restore(update)
            self.guard.saved = update
            logger.info("resumed after update %d of %d from %s", update, self.recipe.updates, self.states.folder)
            if about != self._about():
                logger.warning(
                    "resumed with %s, saved with %s: the result is equivalent, but not equal to the last bit",
                    self._about(),
                    about,
                )
        if self.world.is_main:
            for name in ("metrics", "speed"):
                self._journals[name] = Journal(self.states.folder / f"{name}.jsonl", update)
        return update

    def _restore(self, update: int) -> None:
        """Load one state into the trainer."""
        try:
            self.trainer.restore(self.states.load(update))
        except OSError as error:
            path = self.states.path(update)
            raise UserError(f"{path}: unreadable here ({error.strerror}); every node must see {path.parent}") from error
        except (RuntimeError, KeyError, ValueError) as error:
            raise UserError(
                f"{self.states.path(update)}: its tensors do not fit this version of the code "
                f"({str(error).splitlines()[0]}); finish the run with the version that began it, or delete "
                f"{self.states.folder} to train from the start"
            ) from error

    def _finish(self) -> None:
        """Write the outputs, then drop the resume states."""
        value = {"objective": self.trainer.weights(), "digest": self.digest, "update": self.recipe.updates}
        if self.snapshots:
            value["snapshots"] = {update: self.states.load_snapshot(update) for update in self.snapshots}
        try:
            checkpoint.save(self.out / "checkpoint.pt", value)
            for name, journal in self._journals.items():
                journal.finish(self.out / f"{name}.jsonl")
        except OSError as error:
            raise UserError(
                f"{self.out}: outputs could not be written ({error.strerror}); the states in {self.states.folder} are "
                "untouched; free space or quota there and run the same command again"
            ) from error
        self.states.delete()
