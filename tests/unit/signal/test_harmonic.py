"""Chroma and CQT name the right pitch, at the right time, one vector for each MFCC or encoder frame."""

import numpy as np
import pytest
import torch

from musicssl.geometry import MFCC_HOP, num_frames
from musicssl.signal.constant_q import ConstantQ
from musicssl.signal.harmonic import chroma, combine

C1_HZ = 440 * 2 ** (-45 / 12)


def cqt(wave, rate=100):
    return ConstantQ(rate, 84, 12, C1_HZ, 100.0)(torch.from_numpy(wave)[None])[0].numpy()


EXTRACT = {"chroma": lambda wave, rate=100: chroma(wave, rate, 12, 4096, 100.0), "cqt": cqt}


def tone(*pitches, seconds=2.0):
    """Return a sum of sines at MIDI pitches, peak at most 0.9."""
    time = np.arange(round(seconds * 16000)) / 16000
    wave = sum(np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time) for pitch in pitches)
    return (0.9 / len(pitches) * wave).astype(np.float32)


@pytest.mark.parametrize("kind", EXTRACT)
@pytest.mark.parametrize("num_samples", [400, 719, 720, 5000, 48000, 48123])
def test_as_many_frames_as_mfcc_or_encoder(kind, num_samples):
    wave = np.random.default_rng(0).standard_normal(num_samples).astype(np.float32)
    assert len(EXTRACT[kind](wave)) == num_frames(num_samples, MFCC_HOP)
    half = EXTRACT[kind](wave, 50)
    assert len(half) == (num_samples - 400) // 320 + 1
    assert half.dtype == np.float32


@pytest.mark.parametrize("pitch", [36, 49, 60, 69, 83])
def test_a_sine_lands_in_its_pitch_class_and_bin(pitch):
    wave = tone(pitch)
    assert EXTRACT["chroma"](wave)[100].argmax() == pitch % 12
    amplitude = np.expm1(EXTRACT["cqt"](wave)[100]) / 100
    assert amplitude.argmax() == pitch - 24  # C1 is MIDI 24
    assert amplitude.max() == pytest.approx(0.9, rel=0.05)


def test_octaves_fold_and_chords_stay_apart():
    folded = EXTRACT["chroma"](tone(48, 60, 72))[100]
    assert folded.argmax() == 0
    triad = EXTRACT["chroma"](tone(60, 64, 67))[100]
    assert set(np.argsort(triad)[-3:]) == {0, 4, 7}
    assert np.linalg.norm(triad) == pytest.approx(1, abs=1e-5)


def test_level_does_not_turn_a_chord_into_another():
    """Labels should follow harmony: at a tenth of the level the same classes sound."""
    loud, soft = (EXTRACT["chroma"](gain * tone(60, 64, 67))[100] for gain in (1.0, 0.1))
    assert loud @ soft > 0.9


def test_compression_lifts_quiet_notes():
    """A note 20 dB below another has a hundredth of its energy, and log(1 + g / 100) / log(1 + g) of its chroma."""
    wave = tone(60) + 0.1 * tone(66)
    for gamma, expected in ((1e-3, 0.01), (1e4, np.log1p(100) / np.log1p(1e4))):
        features = chroma(wave, 100, 12, 8192, gamma)[100]
        assert features[6] / features[0] == pytest.approx(expected, rel=0.25)  # FFT bins miss the notes a little


@pytest.mark.parametrize("position", [4040, 8000, 12345, 20120])
def test_an_impulse_peaks_in_the_frame_whose_middle_is_nearest(position):
    wave = np.zeros(32000, np.float32)
    wave[position] = 1.0
    nearest = (position - 200) / 160
    assert abs(np.expm1(EXTRACT["cqt"](wave)).sum(1).argmax() - nearest) <= 0.5
    assert abs(np.expm1(EXTRACT["cqt"](wave, 50)).sum(1).argmax() - nearest / 2) <= 0.5
    sounding = np.flatnonzero(EXTRACT["chroma"](wave).std(1) > 1e-6)  # silence is equal in all classes
    assert abs((sounding[0] + sounding[-1]) / 2 - nearest) <= 1


@pytest.mark.parametrize("kind", EXTRACT)
def test_a_change_of_chord_is_seen_half_way_at_its_time(kind):
    change = 16200  # the middle of frame 100
    wave = np.concatenate([tone(69)[:change], tone(76)[: 32000 - change]])
    features = EXTRACT[kind](wave)
    before, after = features[40], features[160]
    nearer_after = np.linalg.norm(features - after, axis=1) < np.linalg.norm(features - before, axis=1)
    assert abs(np.argmax(nearer_after) - 100) <= 2
    assert not nearer_after[:98].any()
    assert nearer_after[103:].all()


def test_every_second_frame_is_the_50_hz_feature():
    wave = np.random.default_rng(1).standard_normal(32000).astype(np.float32)
    assert np.abs(EXTRACT["chroma"](wave)[::2] - EXTRACT["chroma"](wave, 50)).max() < 1e-5


@pytest.mark.parametrize("kind", EXTRACT)
def test_silence_is_finite_and_flat(kind):
    features = EXTRACT[kind](np.zeros(16000, np.float32))
    assert features == pytest.approx(12**-0.5 if kind == "chroma" else 0.0, abs=1e-6)


def test_scales_set_the_share_of_each_block():
    left, right = np.ones((5, 39), np.float32), np.ones((5, 12), np.float32)
    both = combine([left, right], [1.0, 30.0])
    assert both.shape == (5, 51)
    assert both.dtype == np.float32
    assert both[0, [0, 38, 39, 50]].tolist() == [1, 1, 30, 30]
    with pytest.raises(ValueError):
        combine([left, right], [1.0])
