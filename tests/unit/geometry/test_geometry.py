"""Frame counts, int16 and float32, and one standardization for training, clustering and probing."""

import subprocess
import sys

import numpy as np
import pytest
import torch

import musicssl
from musicssl.geometry import MFCC_HOP, mean_and_deviation, num_frames, standardize, to_float32, to_int16


@pytest.mark.parametrize("hop", [320, MFCC_HOP])
def test_frames_are_the_windows_that_fit(hop):
    for samples in (0, 399, 400, 401, 559, 560, 719, 720, 80000, 250000):
        windows = len(np.lib.stride_tricks.sliding_window_view(np.zeros(max(samples, 400)), 400)[::hop])
        assert num_frames(samples, hop) == (windows if samples >= 400 else 0)


def test_int16_is_rounded_and_clipped():
    block = np.array([0, 0.6 / 32768, -0.6 / 32768, 1.0, 1.5, -1.0, -1.5, 32767 / 32768], np.float32)
    assert to_int16(block).tolist() == [0, 1, -1, 32767, 32767, -32768, -32768, 32767]
    halves = (np.arange(-4, 5) + 0.5) / 32768
    assert to_int16(halves.astype(np.float32)).tolist() == [-4, -2, -2, 0, 0, 2, 2, 4, 4]  # to even
    every = np.arange(-32768, 32768, dtype=np.int16)
    assert to_float32(every).dtype == np.float32
    assert np.array_equal(to_float32(every), every / 32768)
    assert np.array_equal(to_int16(to_float32(every)), every)


@pytest.mark.parametrize(("loudness", "offset"), [(8000, 0), (8000, 3000), (300, -20), (30, 0), (1, 0), (0, 0), (0, 9)])
def test_standardize_is_torchs_layer_norm(loudness, offset):
    """fairseq's call, at levels from -12 dBFS to silence; silence and a constant stay 0."""
    rng = np.random.default_rng(0)
    wave = to_float32(np.rint(rng.normal(0, 1, 48000) * loudness + offset).astype(np.int16))
    exact = torch.from_numpy(wave).double()
    expected = torch.nn.functional.layer_norm(exact, exact.shape, eps=1e-5).numpy()
    found = standardize(wave)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


def test_int16_and_float32_have_the_same_statistics_to_the_last_bit():
    """So training, which standardizes int16 crops, sees what clustering and probing see."""
    pcm = np.rint(np.random.default_rng(1).normal(77, 900, 31999)).astype(np.int16)
    of_pcm, of_wave = mean_and_deviation(pcm), mean_and_deviation(to_float32(pcm))
    assert [value / np.float32(32768) for value in of_pcm] == list(of_wave)


def test_importing_it_loads_no_numpy():
    root = str(next(iter(musicssl.__path__)) + "/..")
    code = "import sys, musicssl.geometry; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
