"""Learning rate of every update, as fairseq computes it (``polynomial_decay`` and ``tri_stage`` schedulers).

Updates count from 0: the first step of a warm-up from zero moves nothing.
"""

from __future__ import annotations

from ..config.recipes import PolynomialSchedule, TriStageSchedule


def learning_rate(schedule: PolynomialSchedule | TriStageSchedule, peak: float, update: int, updates: int) -> float:
    """Return the learning rate used by one update.

    Args:
        schedule: shape of the curve.
        peak: its largest value.
        update: 0 ... ``updates`` - 1.
        updates: length of the whole run.
    """
    if isinstance(schedule, PolynomialSchedule):
        return _polynomial(schedule, peak, update, updates)
    return _tri_stage(schedule, peak, update, updates)


def _polynomial(schedule: PolynomialSchedule, peak: float, update: int, updates: int) -> float:
    warmup = schedule.warmup_updates
    if update < warmup:
        return peak * update / warmup
    return peak * (updates - update) / (updates - warmup)


def _tri_stage(schedule: TriStageSchedule, peak: float, update: int, updates: int) -> float:
    warmup, hold = int(schedule.warmup_fraction * updates), int(schedule.hold_fraction * updates)
    if update < warmup:
        first = schedule.init_lr_scale * peak
        return first + (peak - first) * update / warmup
    decayed = update - warmup - hold
    if decayed <= 0:
        return peak
    return peak * schedule.final_lr_scale ** (decayed / (updates - warmup - hold))
