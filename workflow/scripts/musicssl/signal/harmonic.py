"""Chroma on the time axis of the MFCC, and feature blocks side by side: label sources that follow harmony.

Frame j is centered on sample ``hop j + 200``, the middle of the 400 samples MFCC frame j (100 Hz, hop 160) or encoder
frame j (50 Hz, hop 320) covers; there are as many frames. The windows are longer than 400 samples, as pitch needs;
where they reach past the clip they see zeros. Tuning is taken as A4 = 440 Hz: an estimate per clip would turn the same
chord into different labels in different clips.

Sources: Ma et al., ISMIR 2023, footnote 5 (harmonic features); Li et al., MERT, 2024, section 3 (chroma k-means);
Müller, Fundamentals of Music Processing, 2015, sections 3.1.2 (logarithmic compression) and 3.1.3 (chroma).
"""

from __future__ import annotations

from collections.abc import Sequence

import librosa
import numpy as np
import numpy.typing as npt

from ..geometry import RECEPTIVE_FIELD, SAMPLE_RATE_HZ, num_frames

VERSION = 1
Array = npt.NDArray[np.float32]


def chroma(wave: Array, frame_rate_hz: int, num_chroma: int, window_samples: int, compression: float) -> Array:
    """Return the energy of each pitch class, unit length in each frame; silence is equal in all classes.

    Args:
        wave: (S,) float32 in [-1, 1] at 16 kHz, at least 400 samples.
        frame_rate_hz: 100 or 50.
        num_chroma: classes of an octave, from C upwards.
        window_samples: even length of the Hann window, at least 720.
        compression: gamma of ``log(1 + gamma * energy)``, with a full-scale sine at 1.

    Returns:
        (L, num_chroma) float32.
    """
    hop = SAMPLE_RATE_HZ // frame_rate_hz
    count = num_frames(len(wave), hop)
    padded = np.zeros(window_samples + (count - 1) * hop, np.float32)
    before = (window_samples - RECEPTIVE_FIELD) // 2
    padded[before : before + len(wave)] = wave[: len(padded) - before]
    spectrum = librosa.stft(padded, n_fft=window_samples, hop_length=hop, center=False)
    power = np.square(np.abs(spectrum) * (4 / window_samples))  # the Hann window sums up to half its length
    energy = librosa.feature.chroma_stft(
        S=power, sr=SAMPLE_RATE_HZ, n_fft=window_samples, n_chroma=num_chroma, tuning=0.0, norm=None
    )
    features = librosa.util.normalize(np.log1p(compression * energy), norm=2, axis=0, fill=True)
    assert features.shape == (num_chroma, count)
    return np.ascontiguousarray(features.T, dtype=np.float32)


def combine(blocks: Sequence[Array], scales: Sequence[float]) -> Array:
    """Return feature blocks (L, d_i) side by side, each times its scale: (L, sum of d_i) float32.

    Euclidean k-means weighs a block by its variance, and MFCC vary a hundred times as much as chroma of unit length;
    the scales set the balance.
    """
    return np.concatenate([np.float32(scale) * block for block, scale in zip(blocks, scales, strict=True)], axis=1)
