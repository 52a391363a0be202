"""Measure samples while they are decoded: full scale, direct current, channels that cancel, silence.

Lossy codecs overshoot full scale now and then, which is no fault; float files written at the scale of integers are
beyond it nearly always.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from .errors import DecodeError

Audio = npt.NDArray[np.float32]
SILENT_PEAK = 0.5 / 32768  # 16 bits round it to zero
QUIET_DB = -70.0
MAX_CLIPPED = 0.05  # of the samples
NOTED_CLIPPED = 0.001
CANCELLED_DB = -40.0  # the mean of the channels against the channels, by energy
NOTED_CANCELLED_DB = -20.0
NOTED_OFFSET = 0.05


class Levels:
    """What was measured so far of one file."""

    def __init__(self) -> None:
        self.num_samples = 0
        self.peak = self.channel_peak = 0.0
        self._low, self._high = math.inf, -math.inf
        self._sum = self._energy = self._channel_energy = 0.0
        self._clipped = 0

    def add(self, block: Audio, mono: Audio) -> bool:
        """Take in samples (n, channels) or (n,) and their mean (n,); return whether all are finite."""
        high, low = float(mono.max()), float(mono.min())
        self._low, self._high = min(self._low, low), max(self._high, high)
        self.num_samples += len(mono)
        self._sum += float(mono.sum())
        if max(high, -low) > 1:
            self._clipped += int(np.count_nonzero(np.abs(mono) > 1))
        self.peak = max(self.peak, high, -low)
        if block is not mono:
            flat = block.reshape(-1)
            self._energy += float(np.dot(mono, mono))
            self._channel_energy += float(np.dot(flat, flat)) / block.shape[1]
        return math.isfinite(high) and math.isfinite(low)

    def judge(self) -> list[str]:
        """Return notes on what is odd.

        Raises:
            DecodeError: the samples cannot be meant: beyond full scale, a constant, or channels that cancel.
        """
        if not self.num_samples:
            return []
        notes = []
        clipped, quiet = self._clipped / self.num_samples, 10 ** (QUIET_DB / 20)
        if clipped > MAX_CLIPPED:
            raise DecodeError(
                "clipped",
                f"{clipped:.1%} of the samples lie beyond full scale, peak {self.peak:.6g}, expected at most 1; "
                "write them at the scale of floats, or lower the level",
            )
        if clipped > NOTED_CLIPPED:
            notes.append(f"{clipped:.2%} of the samples lie beyond full scale and are clipped")
        if self.peak > quiet and self._high - self._low < min(quiet, self.peak / 10):
            raise DecodeError("constant", f"all samples are near {self._sum / self.num_samples:.4g}: direct current")
        if abs(offset := self._sum / self.num_samples) > NOTED_OFFSET:
            notes.append(f"direct current of {offset:.3f} of full scale")
        if self._channel_energy > self.num_samples * quiet**2:
            loss_db = 10 * math.log10(max(self._energy / self._channel_energy, 1e-20))
            if loss_db < CANCELLED_DB:
                raise DecodeError(
                    "cancelled",
                    f"the channels cancel: their mean is {-loss_db:.0f} dB below them; turn the sign of one channel",
                )
            if loss_db < NOTED_CANCELLED_DB:
                notes.append(f"the channels nearly cancel: their mean is {-loss_db:.0f} dB below them")
        return notes

    def require_sound(self) -> None:
        """Check that there is something to hear.

        Raises:
            DecodeError: 16 bits round every sample to zero.
        """
        if self.num_samples and self.peak < SILENT_PEAK:
            raise DecodeError("silent", f"peak {self.peak:.2g} of 1 in {self.num_samples} samples")
