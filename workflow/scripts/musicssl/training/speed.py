"""How fast a run is: rows of speed.jsonl and the progress line."""

from __future__ import annotations

import logging
import time
from typing import Any

import torch

from ..config.recipes import Data2vec, Hubert
from ..costs.flops import train_step
from ..runtime import peak_resident_bytes
from .devices import peak_rate
from .distributed import World

logger = logging.getLogger(__name__)


class Meter:
    """Measures from one logged update to the next."""

    def __init__(self, recipe: Hubert | Data2vec, world: World, update: int, audio_s: float) -> None:
        """Args: recipe, processes, updates already done, and seconds of audio of one update."""
        self.recipe, self.world, self._audio_s = recipe, world, audio_s
        peak = peak_rate(world.device)
        self._peak = None if peak is None else peak * world.size
        self._flops = train_step(recipe.architecture, recipe.crop_s, isinstance(recipe, Data2vec))
        self._update, self._time, self._waited = update, time.perf_counter(), 0.0

    def row(self, update: int, loss: float, waited_s: float) -> dict[str, Any]:
        """Return the numbers since the last call and log them as a line.

        Args:
            update: updates done.
            loss: to show.
            waited_s: total time this rank has waited for batches.
        """
        now = time.perf_counter()
        seconds, done = now - self._time, update - self._update
        rate = done * self._audio_s / seconds
        row = {
            "update": update,
            "seconds_per_update": seconds / done,
            "audio_s_per_s": rate,
            "data_wait_fraction": (waited_s - self._waited) / seconds,
            "flops_per_s": rate * self._flops,
            "model_flops_utilisation": None if self._peak is None else rate * self._flops / self._peak,
            "peak_memory_bytes": peak_memory(self.world.device),
            "world": self.world.size,
        }
        left = (self.recipe.updates - update) * seconds / done
        logger.info(
            "update %d/%d, loss %.4f, %.1f s of audio a second, %s left",
            update,
            self.recipe.updates,
            loss,
            rate,
            clock(left),
        )
        self._update, self._time, self._waited = update, now, waited_s
        return row

    def skip(self, seconds: float) -> None:
        """Leave out time that was not spent on updates."""
        self._time += seconds


def clock(seconds: float) -> str:
    """Return a duration as ``1 h 02 min`` or ``12 s``."""
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if seconds >= 120 else f"{seconds:.0f} s"


def peak_memory(device: torch.device) -> int:
    """Return the most memory this process has held: on the GPU, or in all on a machine without."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return peak_resident_bytes()
