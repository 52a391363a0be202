"""Encoders without learning, whose scores stand beside every other.

Axes: B clips, S samples, T frames (those of the encoders), N = 1 state, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..config.recipes import MfccFloor
from ..geometry import HOP, MFCC_HOP, SAMPLE_RATE_HZ, num_frames


class MfccEncoder(nn.Module):
    """MFCC with first and second differences, every second frame; pooled to mean and standard deviation."""

    num_states = 1
    frame_rate_hz = SAMPLE_RATE_HZ / HOP
    normalize = False

    def __init__(self, recipe: MfccFloor) -> None:
        super().__init__()
        self.recipe = recipe
        self.width = 3 * recipe.num_ceps
        self.pooled_width = 2 * self.width

    @torch.no_grad()
    def states(self, wave: Tensor) -> Tensor:
        """Return (B, T, 1, W) of float32 waveforms (B, S) in [-1, 1]; frame i sees the samples of encoder frame i."""
        from ..signal.mfcc import mfcc  # torchaudio's import takes a second

        return mfcc(wave, self.recipe.num_ceps, self.recipe.num_mel_bins)[:, :: HOP // MFCC_HOP, None]

    @staticmethod
    def pool(states: Tensor) -> Tensor:
        """Return mean and standard deviation over time, (B, 1, 2 W), of states (B, T, 1, W)."""
        std, mean = torch.std_mean(states, dim=1, correction=0)
        return torch.cat([mean, std], dim=-1)


class ConstantEncoder(nn.Module):
    """One zero a frame: a probe can only learn the training prior."""

    num_states = width = pooled_width = 1
    frame_rate_hz = SAMPLE_RATE_HZ / HOP
    normalize = False

    @staticmethod
    def states(wave: Tensor) -> Tensor:
        """Return zeros (B, T, 1, 1) for waveforms (B, S)."""
        return wave.new_zeros(len(wave), num_frames(wave.shape[1]), 1, 1)

    @staticmethod
    def pool(states: Tensor) -> Tensor:
        """Return the mean over time, (B, 1, 1), of states (B, T, 1, 1)."""
        return states.mean(1)
