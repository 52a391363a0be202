"""MFCC against fairseq's numbers, against the definition in NumPy, and in time."""

from pathlib import Path

import numpy as np
import pytest
import torch

from musicssl import geometry
from musicssl.geometry import MFCC_HOP, to_float32
from musicssl.signal.mfcc import mfcc as batched

GOLDEN = np.load(Path(__file__).parents[2] / "golden/mfcc.npz")
WAVE = to_float32(GOLDEN["pcm16"])


def mfcc(wave, num_ceps, num_mel_bins):
    return batched(torch.from_numpy(wave)[None], num_ceps, num_mel_bins)[0].numpy()


def num_frames(num_samples):
    return geometry.num_frames(num_samples, MFCC_HOP)


@pytest.mark.parametrize(("key", "num_ceps"), [("mfcc39", 13), ("mfcc60", 20)])
def test_numbers_of_fairseq(key, num_ceps):
    features = mfcc(WAVE, num_ceps, 23)
    assert features.dtype == np.float32
    assert np.abs(features - GOLDEN[key]).max() < 1e-3


def by_definition(wave, num_ceps, num_mel_bins):
    """Return static cepstra (L, num_ceps) in float64: Kaldi's feature-mfcc.cc and mel-computations.cc."""
    frames = np.lib.stride_tricks.sliding_window_view(wave.astype(np.float64), 400)[::160]
    frames = frames - frames.mean(1, keepdims=True)
    frames = frames - 0.97 * np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399)) ** 0.85
    power = np.abs(np.fft.rfft(frames * window, 512)) ** 2
    edges = np.linspace(*(1127 * np.log1p(np.array([20, 8000]) / 700)), num_mel_bins + 2)
    mel = 1127 * np.log1p(np.arange(257) * 16000 / 512 / 700)
    left, center, right = (edges[i : num_mel_bins + i, None] for i in range(3))
    bank = np.maximum(0, np.minimum((mel - left) / (center - left), (right - mel) / (right - center)))
    log_mel = np.log(np.maximum(power @ bank.T, np.finfo(np.float32).eps))
    n, k = np.arange(num_mel_bins), np.arange(num_ceps)
    basis = np.sqrt(2 / num_mel_bins) * np.cos(np.pi / num_mel_bins * (n[:, None] + 0.5) * k)
    basis[:, 0] = np.sqrt(1 / num_mel_bins)
    return log_mel @ basis * (1 + 11 * np.sin(np.pi * k / 22))


def test_static_cepstra_follow_the_definition():
    assert np.abs(mfcc(WAVE, 13, 23)[:, :13] - by_definition(WAVE, 13, 23)).max() < 1e-2


def test_differences_are_regression_slopes_over_five_frames():
    features = mfcc(WAVE, 13, 23).astype(np.float64)
    for block in (features[:, :26], features[:, 13:]):
        padded = np.pad(block[:, :13], ((2, 2), (0, 0)), mode="edge")
        slope = sum(w * padded[2 + w : 2 + w + len(block)] for w in (-2, -1, 1, 2)) / 10
        assert np.abs(block[:, 13:] - slope).max() < 1e-4


@pytest.mark.parametrize("num_samples", [400, 559, 560, 16000, 79999, 80000])
def test_only_whole_frames_count(num_samples):
    assert len(mfcc(WAVE[:num_samples] if num_samples <= 64000 else np.resize(WAVE, num_samples), 13, 23)) == (
        num_frames(num_samples)
    )
    assert num_frames(num_samples) == len(range(0, num_samples - 399, 160))


def test_frame_counts_of_the_reference_clips():
    assert [num_frames(n) for n in (80_000, 250_000, 320_000, 480_000, 399, 0)] == [498, 1561, 1998, 2998, 0, 0]


@pytest.mark.parametrize("position", [0, 399, 400, 4000, 4159, 4160, 12345, 15999])
def test_frame_j_sees_samples_160_j_to_160_j_plus_400(position):
    """A change of one sample changes the frames that hold it and no others."""
    quiet = 0.01 * np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    struck = quiet.copy()
    struck[position] += 0.5
    changed = np.flatnonzero((mfcc(quiet, 13, 23)[:, :13] != mfcc(struck, 13, 23)[:, :13]).any(1))
    expected = [j for j in range(num_frames(16000)) if 160 * j <= position < 160 * j + 400]
    assert changed.tolist() == expected


def test_an_impulse_train_is_periodic_in_frames():
    train = np.zeros(16000, np.float32)
    train[200::1600] = 0.5  # one each ten frames, in the middle of frames 0, 10, 20, ...
    loudness = mfcc(train, 13, 23)[:, 0]
    assert np.flatnonzero(loudness > loudness.min() + 1)[:6].tolist() == [0, 1, 9, 10, 11, 19]
    assert loudness[0:90:10] == pytest.approx(loudness[0], abs=1e-3)


def test_digital_silence_is_finite():
    features = mfcc(np.zeros(16000, np.float32), 13, 23)
    assert np.isfinite(features).all()
    assert features[:, 0] == pytest.approx(-76.46, abs=0.01)  # log of the float32 epsilon times sqrt(23)
    assert np.abs(features[:, 1:]).max() < 1e-3


def test_clips_of_a_batch_do_not_see_each_other():
    clips = torch.from_numpy(WAVE[:48000].reshape(3, 16000))
    together = batched(clips, 13, 23)
    assert together.shape == (3, 98, 39)
    assert all(torch.equal(rows, batched(clip[None], 13, 23)[0]) for rows, clip in zip(together, clips, strict=True))
