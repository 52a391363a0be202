"""Kaldi-compatible MFCC with first and second differences: what HuBERT clusters in its first iteration, and a floor.

Source: Hsu et al., HuBERT, 2021, section 4.2, as fairseq computes it: torchaudio's ``compliance.kaldi.mfcc`` without
energy (povey window, pre-emphasis 0.97, lifter 22, no dither), then ``compute_deltas`` twice, no normalization.
Frame j covers samples [160 j, 160 j + 400) at 16 kHz, so every second frame sees what one encoder frame sees.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchaudio.compliance import kaldi
from torchaudio.functional import compute_deltas

from ..geometry import RECEPTIVE_FIELD, SAMPLE_RATE_HZ

VERSION = 1


def mfcc(wave: Tensor, num_ceps: int, num_mel_bins: int) -> Tensor:
    """Return cepstra, their differences and second differences of mono clips.

    Args:
        wave: (B, S) float32 in [-1, 1] at 16 kHz, at least 400 samples.
        num_ceps: cepstra kept, the first (C0) included.
        num_mel_bins: triangular filters between 20 Hz and 8 kHz.

    Returns:
        (B, L, 3 * num_ceps) float32 with L the clips' number of frames at hop 160.
    """
    assert wave.shape[1] >= RECEPTIVE_FIELD, wave.shape
    return torch.stack([_of_clip(clip, num_ceps, num_mel_bins) for clip in wave])


def _of_clip(clip: Tensor, num_ceps: int, num_mel_bins: int) -> Tensor:
    """Return (L, 3 * num_ceps) of one clip (S,): torchaudio takes no batch."""
    static = kaldi.mfcc(
        clip[None], sample_frequency=SAMPLE_RATE_HZ, use_energy=False, num_ceps=num_ceps, num_mel_bins=num_mel_bins
    ).T
    delta = compute_deltas(static)
    return torch.cat([static, delta, compute_deltas(delta)]).T
