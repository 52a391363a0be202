"""A constant-Q spectrum on the time axis of MFCC or encoder, as matrix products on any device.

One implementation serves clustering (a label source that follows harmony; Ma et al., ISMIR 2023, footnote 5) and
training (a spectrum to predict beside clusters; MERT, Li et al. 2024, section 3.2).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..geometry import RECEPTIVE_FIELD, SAMPLE_RATE_HZ, num_frames

VERSION = 2  # 1 was librosa's


class ConstantQ(nn.Module):
    """Log-compressed amplitudes of Hann-windowed tones, Q periods long for each bin.

    Args:
        frame_rate_hz: 100 or 50.
        num_bins: of the spectrum.
        bins_per_octave: 12 is one a semitone.
        min_hz: center of the first bin.
        compression: gamma of ``log(1 + gamma * amplitude)``, with a full-scale sine at 1.
    """

    kernels: Tensor

    def __init__(
        self, frame_rate_hz: int, num_bins: int, bins_per_octave: int, min_hz: float, compression: float
    ) -> None:
        super().__init__()
        self.hop, self.num_bins, self.compression = SAMPLE_RATE_HZ // frame_rate_hz, num_bins, compression
        quality = 1 / (2 ** (1 / bins_per_octave) - 1)
        frequencies = min_hz * 2 ** (np.arange(num_bins) / bins_per_octave)
        lengths = quality * SAMPLE_RATE_HZ / frequencies
        reach = int(np.ceil(lengths[0] / 2))
        time = np.arange(-reach, reach)[:, None]
        window = np.where(np.abs(time) < lengths / 2, 0.5 + 0.5 * np.cos(2 * np.pi * time / lengths), 0.0)
        tones = 2 * window / window.sum(0) * np.exp(-2j * np.pi * time * frequencies / SAMPLE_RATE_HZ)
        kernels = torch.from_numpy(np.concatenate([tones.real, tones.imag], 1)).float()
        self.register_buffer("kernels", kernels, persistent=False)

    @torch.no_grad()
    def forward(self, wave: Tensor) -> Tensor:
        """Return (B, T, bins) of waveforms (B, S); frame t is centered on sample hop t + 200, zeros lie outside."""
        reach, middle = len(self.kernels) // 2, RECEPTIVE_FIELD // 2
        after = (num_frames(wave.shape[1], self.hop) - 1) * self.hop + middle + reach - wave.shape[1]
        windows = F.pad(wave, (reach - middle, after)).unfold(1, 2 * reach, self.hop)
        real, imaginary = torch.stack([clip @ self.kernels for clip in windows]).chunk(2, -1)
        return torch.log1p(self.compression * torch.hypot(real, imaginary))
