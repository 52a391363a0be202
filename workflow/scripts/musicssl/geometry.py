"""Samples and frames: rates, hops, frame counts, int16 and float32, and the one standardization of waveforms.

An encoder makes one frame each 320 samples of 16 kHz audio, by the 7 convolutions that both paradigms start with; MFCC
have one each 160. Either frame sees 400 samples. Only the standard library is imported: the configuration stands on
this module, so NumPy waits for the first array.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SAMPLE_RATE_HZ = 16000
CONV_KERNELS = (10, 3, 3, 3, 3, 2, 2)
CONV_STRIDES = (5, 2, 2, 2, 2, 2, 2)
HOP = 320
MFCC_HOP = 160
RECEPTIVE_FIELD = 400
FRAME_CENTER_S = RECEPTIVE_FIELD / 2 / SAMPLE_RATE_HZ  # of frame 0
FULL_SCALE = 32768  # int16 value of 1.0
EPSILON = 1e-5  # added to the variance of a waveform in [-1, 1]; of fairseq's layer norm over a whole clip


def times(part: float, whole: float) -> int:
    """Return how often a stretch of time goes into another, 0 where that is no whole number but for rounding."""
    count = round(whole / part)
    return count if abs(count * part - whole) <= 1e-6 * whole else 0


def num_frames(num_samples: int, hop: int = HOP) -> int:
    """Return how many whole frames a clip has; frame i sees samples ``[hop i, hop i + 400)``."""
    return max(0, (num_samples - RECEPTIVE_FIELD) // hop + 1)


def to_int16(wave: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
    """Return samples of [-1, 1) as int16, rounded to nearest and clipped."""
    return (wave * FULL_SCALE).round().clip(-FULL_SCALE, FULL_SCALE - 1).astype("int16")


def to_float32(pcm: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
    """Return int16 samples as float32 in [-1, 1)."""
    import numpy as np

    return pcm.astype(np.float32) / np.float32(FULL_SCALE)


def mean_and_deviation(samples: npt.NDArray[np.int16] | npt.NDArray[np.float32]) -> tuple[np.float32, np.float32]:
    """Return what to subtract from samples (S,) and divide by for zero mean and unit variance.

    Statistics are taken in float64; :data:`EPSILON` keeps silence silent. Int16 samples give 32768 times the numbers of
    their float32 values, to the last bit. Source: fairseq's layer norm over a waveform (``raw_audio_dataset.py``).
    """
    import numpy as np

    scale = FULL_SCALE if samples.dtype.kind == "i" else 1
    exact = samples.astype("float64")
    mean = exact.mean()
    variance = exact.dot(exact) / len(exact) - mean**2
    deviation = math.sqrt(variance + EPSILON * scale**2)
    return np.float32(mean), np.float32(deviation)


def standardize(wave: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return a waveform (S,) with zero mean and unit variance, as training, clustering and probing all see it."""
    mean, deviation = mean_and_deviation(wave)
    return (wave - mean) / deviation
