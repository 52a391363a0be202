"""Samples and frames: one frame each 320 samples of 16 kHz audio, made by the 7 convolutions both encoders start with.

Only the standard library is imported.
"""

from __future__ import annotations

SAMPLE_RATE_HZ = 16000
CONV_KERNELS = (10, 3, 3, 3, 3, 2, 2)
CONV_STRIDES = (5, 2, 2, 2, 2, 2, 2)
HOP = 320
RECEPTIVE_FIELD = 400


def times(part: float, whole: float) -> int:
    """Return how often a stretch of time goes into another, 0 where that is no whole number but for rounding."""
    count = round(whole / part)
    return count if abs(count * part - whole) <= 1e-6 * whole else 0


def num_frames(num_samples: int) -> int:
    """Return how many frames the encoders make of ``num_samples``; frame i sees samples ``[320 i, 320 i + 400)``."""
    return max(0, (num_samples - RECEPTIVE_FIELD) // HOP + 1)
