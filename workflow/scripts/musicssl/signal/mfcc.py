"""Kaldi-compatible MFCC with first and second differences, what HuBERT clusters in its first iteration.

Source: Hsu et al., HuBERT, 2021, section 4.2, as fairseq computes it: torchaudio's ``compliance.kaldi.mfcc`` without
energy (povey window, pre-emphasis 0.97, lifter 22, no dither), then ``compute_deltas`` twice, no normalisation.
Frame j covers samples [160 j, 160 j + 400) at 16 kHz, so every second frame sees what one encoder frame sees.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torchaudio.compliance.kaldi
import torchaudio.functional

from ..geometry import RECEPTIVE_FIELD, SAMPLE_RATE_HZ

VERSION = 1
HOP_SAMPLES = 160


def num_frames(num_samples: int) -> int:
    """Return how many whole frames fit into a clip, 0 below 400 samples."""
    return max(0, (num_samples - RECEPTIVE_FIELD) // HOP_SAMPLES + 1)


def mfcc(wave: npt.NDArray[np.float32], num_ceps: int, num_mel_bins: int) -> npt.NDArray[np.float32]:
    """Return cepstra, their differences and second differences of a mono clip.

    Args:
        wave: (S,) float32 in [-1, 1] at 16 kHz, at least 400 samples.
        num_ceps: cepstra kept, the first (C0) included.
        num_mel_bins: triangular filters between 20 Hz and 8 kHz.

    Returns:
        (L, 3 * num_ceps) float32 with ``L = num_frames(S)``.
    """
    (num_samples,) = wave.shape
    assert num_samples >= RECEPTIVE_FIELD, num_samples
    static = torchaudio.compliance.kaldi.mfcc(
        torch.from_numpy(wave)[None],
        sample_frequency=SAMPLE_RATE_HZ,
        num_ceps=num_ceps,
        num_mel_bins=num_mel_bins,
        use_energy=False,
    ).T
    delta = torchaudio.functional.compute_deltas(static)
    delta2 = torchaudio.functional.compute_deltas(delta)
    features = torch.cat([static, delta, delta2]).T.contiguous().numpy()
    assert features.shape == (num_frames(num_samples), 3 * num_ceps)
    return features
