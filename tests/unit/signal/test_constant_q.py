"""The constant-Q spectrum of clustering and training, against sines and librosa."""

import math

import librosa
import numpy as np
import pytest
import torch

from musicssl.geometry import num_frames
from musicssl.signal.constant_q import ConstantQ

C1_HZ = 32.70319566257483
SEMITONES = (50, 84, 12, C1_HZ, 100.0)


@pytest.mark.parametrize("bin_", [9, 40, 80])
def test_a_full_scale_sine_is_log_101_in_its_bin_and_less_elsewhere(bin_):
    time = torch.arange(48000) / 16000
    wave = torch.sin(2 * math.pi * 32.70319566257483 * 2 ** (bin_ / 12) * time)[None]
    spectrum = ConstantQ(*SEMITONES)(wave)
    assert spectrum.shape == (1, num_frames(48000), 84)
    middle = spectrum[0, 60:90]
    assert (middle.argmax(1) == bin_).all()
    torch.testing.assert_close(middle[:, bin_], torch.full((30,), math.log(101)), rtol=1e-3, atol=0)


def librosas(wave, rate, num_bins, bins_per_octave, min_hz, compression):
    """Return librosa's spectrum (T, bins) at frame centers: recursive resampling and other edges, the same picture."""
    hop = 16000 // rate
    before = -200 % hop  # the center of frame 0 must fall on one of librosa's frames
    padded = np.concatenate([np.zeros(before, np.float32), wave])
    options = {"fmin": min_hz, "n_bins": num_bins, "bins_per_octave": bins_per_octave}
    magnitude = np.abs(librosa.cqt(padded, sr=16000, hop_length=hop, tuning=0.0, scale=False, **options))
    lengths, _ = librosa.filters.wavelet_lengths(freqs=librosa.cqt_frequencies(**options), sr=16000)
    first = (200 + before) // hop
    return np.log1p(compression * magnitude[:, first : first + num_frames(len(wave), hop)] * 2 / lengths[:, None]).T


@pytest.mark.parametrize("settings", [SEMITONES, (100, 84, 12, C1_HZ, 100.0), (50, 120, 24, 110.0, 10.0)])
def test_it_is_librosas_constant_q(settings):
    rng = np.random.default_rng(0)
    time = np.arange(64000) / 16000
    wave = sum(0.2 * np.sin(2 * np.pi * f * time * (1 + 0.02 * rng.random())) for f in (110, 220.5, 440, 1001, 1800))
    wave = wave.astype(np.float32)
    ours = ConstantQ(*settings)(torch.from_numpy(wave)[None])[0].numpy()[80:-80]
    theirs = librosas(wave, *settings)[80:-80]
    assert ours.shape == theirs.shape
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.99
    assert np.abs(ours - theirs).mean() < 0.1
