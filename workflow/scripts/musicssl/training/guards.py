"""When a run must not go on: numbers that are none, and a teacher that has collapsed."""

from __future__ import annotations

from pathlib import Path

from ..config.recipes import Data2vec, Hubert
from ..runtime import UserError
from .report import Report


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

    def check_collapse(self, row: dict[str, float]) -> None:
        """Raise UserError when targets or predictions of data2vec hardly vary (fairseq ``data2vec_audio.py``)."""
        if not isinstance(self.recipe, Data2vec) or row["update"] <= self.recipe.guard.after_updates:
            return
        guard = self.recipe.guard
        for name, least in (("target_std", guard.min_target_std), ("prediction_std", guard.min_prediction_std)):
            if row[name] < least:
                raise UserError(
                    f"update {row['update']}: found {name} {row[name]:.3g}, expected at least {least:g} "
                    f"(guard.min_{name}): the teacher has collapsed; {self._state()}. Lower optimizer.lr "
                    f"({self.recipe.optimizer.lr:g}) or raise batch.global_s ({self.recipe.batch.global_s:g} s), "
                    "which is a new recipe and trains from the start"
                )

    def _state(self) -> str:
        if self.saved is None:
            return "no state was saved yet"
        return f"the last good state, after update {self.saved}, is in {self.folder}"
