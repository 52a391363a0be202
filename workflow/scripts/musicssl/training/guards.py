"""When a run must not go on: numbers that are none, and a teacher that has collapsed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..config.recipes import Data2vec, Hubert
from ..runtime import UserError
from .reduction import Report

COLLAPSED = (
    "the teacher has collapsed",
    "the teacher tells a frame's place in its clip and little of the audio",
)


class Guard:
    """Watches a run and stops it with a diagnosis."""

    def __init__(self, recipe: Hubert | Data2vec, folder: Path) -> None:
        """Args: the recipe, and the folder of the resume states, for the message."""
        self.recipe, self.folder = recipe, folder
        self.saved: int | None = None
        self._last_finite: tuple[int, float] | None = None

    def check_finite(self, report: Report) -> None:
        """Raise UserError when loss or gradient of an update are not finite."""
        if report.is_finite:
            self._last_finite = (report.update, report.loss)
            return
        before = "no update of this process was finite"
        if self._last_finite is not None:
            before = "last finite loss {1:.4g} at update {0}".format(*self._last_finite)
        raise UserError(
            f"update {report.update} of {self.recipe.updates}: found loss {report.loss:g} with gradient norm "
            f"{report.grad_norm:g}, expected numbers ({before}); {self._state()}. The same command would meet the same "
            f"numbers: look at grad_norm in {self.folder / 'metrics.jsonl'}, then lower optimizer.lr "
            f"({self.recipe.optimizer.lr:g}) or set precision: fp32, which is a new recipe and trains from the start"
        )

    def check_collapse(self, row: dict[str, Any]) -> None:
        """Raise UserError when targets or predictions of data2vec hardly vary (fairseq ``data2vec_audio.py``), or when
        targets hardly differ from clip to clip."""
        if not isinstance(self.recipe, Data2vec) or row["update"] <= self.recipe.guard.after_updates:
            return
        guard = self.recipe.guard
        for name, bound, most in (
            ("target_std", guard.min_target_std, False),
            ("prediction_std", guard.min_prediction_std, False),
            ("target_agreement", guard.max_target_agreement, True),
        ):
            found = row[name]
            if found is None or (found <= bound if most else found >= bound):
                continue
            end, side = ("max", "most") if most else ("min", "least")
            raise UserError(
                f"update {row['update']}: found {name} {found:.3g}, expected at {side} {bound:g} "
                f"(guard.{end}_{name}): {COLLAPSED[most]}; {self._state()}. Lower optimizer.lr "
                f"({self.recipe.optimizer.lr:g}), raise batch.global_s ({self.recipe.batch.global_s:g} s) or slow the "
                f"teacher (ema.start {self.recipe.ema.start:g}), which is a new recipe and trains from the start"
            )

    def _state(self) -> str:
        if self.saved is None:
            return "no state was saved yet"
        return f"the last good state, after update {self.saved}, is in {self.folder}"
