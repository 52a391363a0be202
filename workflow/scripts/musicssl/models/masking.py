"""Span masks as fairseq's ``compute_mask_indices`` draws them (static lengths, overlap allowed), vectorised.

Per clip: ``prob * T / length`` spans, rounded at random; distinct starts in ``[0, T - length)``, so that the last frame
is never masked; overlapping spans merge. With ``trim`` (fairseq's ``require_same_masks``) clips then lose single random
frames until all have as many as the one with fewest, which punches holes into spans. wav2vec 2.0 (Baevski et al.
2020), appendix A; HuBERT (Hsu et al. 2021), section 3.2.

Axes: B clips, T frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..config.recipes import Masking
from ..runtime import UserError


def sample_mask(
    rng: np.random.Generator | Sequence[np.random.Generator], masking: Masking, num_clips: int, num_frames: int
) -> npt.NDArray[np.bool_]:
    """Draw the mask of clips that are trimmed together.

    Args:
        rng: one generator for all, or one for each clip; then a clip's spans depend on its own generator alone.
        masking: span probability, length, least number of spans, and whether to trim.
        num_clips: B.
        num_frames: T.

    Returns:
        bool (B, T), True where the encoder sees the mask embedding.

    Raises:
        UserError: ``min_spans`` is 0, or clips are so short that every frame of one is masked.

    Source: fairseq ``data_utils.compute_mask_indices``.
    """
    if masking.min_spans < 1:
        raise UserError(
            f"masking.min_spans: found {masking.min_spans}, expected 1 or more; a clip without a mask trains nothing"
        )
    shape = (num_clips, 2 * num_frames + 1)
    draws = rng.random(shape) if isinstance(rng, np.random.Generator) else np.stack([g.random(shape[1]) for g in rng])
    assert draws.shape == shape, "one generator a clip"
    rounding, start_keys, trim_keys = draws[:, :1], draws[:, 1 : num_frames + 1], draws[:, num_frames + 1 :]
    spans = np.maximum(masking.min_spans, (masking.prob * num_frames / masking.length + rounding).astype(np.int64))
    num_starts = np.maximum(num_frames - masking.length, spans + 1)  # fairseq's way out when clips are very short
    start_keys = np.where(np.arange(num_frames) < num_starts, start_keys, np.inf)
    mask = _cover(_smallest(start_keys, spans), masking.length)
    if mask.all(axis=1).any():
        raise UserError(
            f"masking: every frame of a clip of {num_frames} frames is masked by {int(spans.max())} spans of "
            f"{masking.length}; expected some to be left; raise crop_s or lower masking.prob, length or min_spans"
        )
    if masking.trim:
        mask = _smallest(np.where(mask, trim_keys, np.inf), mask.sum(axis=1).min())
    return mask


def _smallest(keys: npt.NDArray[np.float64], count: Any) -> npt.NDArray[np.bool_]:
    """Mark the ``count`` smallest finite keys of each row (B, T)."""
    last = np.broadcast_to(np.minimum(count, keys.shape[1]), (len(keys), 1)) - 1
    threshold = np.take_along_axis(np.sort(keys, axis=1), last, axis=1)
    return (keys <= threshold) & np.isfinite(keys)


def _cover(starts: npt.NDArray[np.bool_], length: int) -> npt.NDArray[np.bool_]:
    """Spread each start (B, T) over the ``length`` frames from it on."""
    total = np.cumsum(starts, axis=1, dtype=np.int64)
    total[:, length:] -= total[:, :-length].copy()
    return total > 0


def count_runs(mask: Any) -> Any:
    """Count the runs of neighboring masked frames in a NumPy array or torch tensor (B, T) of bool."""
    return mask[:, 0].sum() + (mask[:, 1:] & ~mask[:, :-1]).sum()
