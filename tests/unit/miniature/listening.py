"""Plain signal analysis that tests listen with; it shares nothing with the synthesis."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

PROFILES = json.loads((Path(__file__).parents[2] / "golden" / "key_profiles.json").read_text())


def hertz(pitch):
    return 440.0 * 2.0 ** ((np.asarray(pitch, dtype=float) - 69) / 12)


def spectrum(wave, rate):
    """Return frequencies and magnitudes, zero-padded fourfold."""
    size = 4 * len(wave)
    return np.fft.rfftfreq(size, 1 / rate), np.abs(np.fft.rfft(wave * np.hanning(len(wave)), size))


def nearest_peak_cents(wave, rate, pitch):
    """Return how far the strongest partial within a semitone of ``pitch`` lies from it."""
    hz, magnitude = spectrum(wave, rate)
    near = np.abs(12 * np.log2(np.maximum(hz, 1) / hertz(pitch))) < 1
    return 1200 * np.log2(hz[near][np.argmax(magnitude[near])] / hertz(pitch))


def loudest_pitch(wave, rate, pitches):
    """Return which of ``pitches`` has the strongest first five partials (sum of logarithms)."""
    hz, magnitude = spectrum(wave, rate)
    scores = []
    for pitch in pitches:
        bands = [np.abs(hz / (hertz(pitch) * k) - 1) < 0.02 for k in range(1, 6)]
        scores.append(sum(np.log(magnitude[band].max() + 1e-9) / k**0.5 for k, band in enumerate(bands, 1)))
    return list(pitches)[int(np.argmax(scores))]


def onset_strength(wave, rate, hop_s=0.01):
    """Return frame times and the rise of the log spectrum from frame to frame."""
    hop = int(hop_s * rate)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(wave, 512), 1024)[::hop] * np.hanning(1024)
    levels = np.log1p(100 * np.abs(np.fft.rfft(frames)))
    rise = np.maximum(0, np.diff(levels, axis=0, prepend=levels[:1])).sum(1)
    return np.arange(len(rise)) * hop / rate, rise


def contrast_at(times_s, wave, rate):
    """Return the mean onset strength within 30 ms of ``times_s`` over that elsewhere."""
    t, strength = onset_strength(wave, rate)
    near = (np.abs(t[:, None] - np.asarray(times_s)[None]) < 0.03).any(1)
    return strength[near].mean() / strength[~near].mean()


def recognise_key(wave, rate):
    """Return (tonic, mode) whose profile correlates best with the pitch classes that sound."""
    frames = wave[: len(wave) // 8192 * 8192].reshape(-1, 8192) * np.hanning(8192)
    magnitude = np.abs(np.fft.rfft(frames)).sum(0)
    hz = np.fft.rfftfreq(8192, 1 / rate)
    heard = (hz > 60) & (hz < 1500)
    chroma = np.zeros(12)
    np.add.at(chroma, np.round(12 * np.log2(hz[heard] / 440) + 69).astype(int) % 12, magnitude[heard])
    fits = {(t, m): np.corrcoef(np.roll(PROFILES[m], t), chroma)[0, 1] for t in range(12) for m in PROFILES}
    return max(fits, key=fits.get)
