"""A constant-Q spectrum on the encoder's frames, as matrix products on any device: what a regression head predicts.

Seven octaves of semitones from C1 (32.7 Hz), log-compressed as the features of the same name. MERT (Li et al. 2024,
section 3.2) regresses a constant-Q spectrum at masked frames beside its discrete targets.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..geometry import HOP, RECEPTIVE_FIELD, SAMPLE_RATE_HZ

NUM_BINS = 84
BINS_PER_OCTAVE = 12
MIN_HZ = 440 * 2 ** (-45 / 12)
COMPRESSION = 100.0


class ConstantQ(nn.Module):
    """Log-compressed amplitudes of Hann-windowed tones; a full-scale sine at a bin's frequency gives log(101)."""

    def __init__(self) -> None:
        super().__init__()
        quality = 1 / (2 ** (1 / BINS_PER_OCTAVE) - 1)
        frequencies = MIN_HZ * 2 ** (np.arange(NUM_BINS) / BINS_PER_OCTAVE)
        lengths = quality * SAMPLE_RATE_HZ / frequencies
        reach = int(np.ceil(lengths[0] / 2))
        time = np.arange(-reach, reach)[:, None]
        window = np.where(np.abs(time) < lengths / 2, 0.5 + 0.5 * np.cos(2 * np.pi * time / lengths), 0.0)
        tones = 2 * window / window.sum(0) * np.exp(-2j * np.pi * time * frequencies / SAMPLE_RATE_HZ)
        kernels = torch.from_numpy(np.concatenate([tones.real, tones.imag], 1)).float()
        self.register_buffer("kernels", kernels, persistent=False)

    @torch.no_grad()
    def forward(self, wave: Tensor) -> Tensor:
        """Return (B, T, 84) of waveforms (B, S); frame t is centred on sample 320 t + 200, zeros lie outside."""
        reach = len(self.kernels) // 2
        middle = RECEPTIVE_FIELD // 2
        frames = (wave.shape[1] - RECEPTIVE_FIELD) // HOP + 1
        after = (frames - 1) * HOP + middle + reach - wave.shape[1]
        windows = F.pad(wave, (reach - middle, after)).unfold(1, 2 * reach, HOP)
        real, imaginary = torch.stack([clip @ self.kernels for clip in windows]).chunk(2, -1)
        return torch.log1p(COMPRESSION * torch.hypot(real, imaginary))
