"""Scores: their annotations agree with each other and with what is heard."""

import itertools
from dataclasses import replace

import listening
import numpy as np
import pytest

from musicssl.miniature.compose import SCALES, compose
from musicssl.miniature.mixing import double_rate, render
from musicssl.miniature.styles import GENRES, QUALITIES, STYLES
from musicssl.miniature.synth import generator

RATE = 22050


def song(name, seed, duration_s=12.0, **given):
    return compose(STYLES[name], duration_s, generator(seed, name), **given)


@pytest.mark.parametrize("name", STYLES)
def test_beats_follow_the_tempo_and_fill_the_recording(name):
    score = song(name, 1, duration_s=20.0)
    low, high = STYLES[name].bpm
    assert 70 <= low <= score.bpm <= high <= 180
    gaps = np.diff(score.beats)
    assert np.median(gaps) == pytest.approx(60 / score.bpm, rel=0.03)
    assert score.beats[0] < 60 / score.bpm * 1.05
    assert score.beats[-1] > 20 - 60 / score.bpm * 1.05
    where = np.searchsorted(score.beats, score.downbeats)
    assert np.allclose(score.beats[where], score.downbeats)
    assert set(np.diff(where)) == {STYLES[name].beats_per_bar}


@pytest.mark.parametrize("name", STYLES)
def test_chords_tile_the_recording_and_comping_plays_them(name):
    score = song(name, 2)
    assert all(a.end_s == b.start_s for a, b in itertools.pairwise(score.chords))
    assert score.chords[-1].end_s == 12.0
    for note in score.notes:
        assert 0 <= note.start_s < note.start_s + note.duration_s <= 12.0 + 1e-9
        middle = note.start_s + note.duration_s / 2
        chord = next((c for c in score.chords if c.start_s <= middle < c.end_s), None)
        if note.role == "comp" and chord:
            assert (note.pitch - chord.root) % 12 in {step % 12 for step in QUALITIES[chord.quality]}


def test_songs_close_on_the_tonic_and_the_melody_keeps_to_the_key():
    for seed in range(8):
        score = song("classical", seed, duration_s=16.0)
        steps = [(chord.root - score.tonic) % 12 for chord in score.chords]
        assert (7, 0) in itertools.pairwise(steps)
        tones = {(score.tonic + step) % 12 for step in SCALES[score.mode]} | {(score.tonic + 11) % 12}
        assert {note.pitch % 12 for note in score.notes if note.role == "lead"} <= tones


def test_onsets_are_heard_at_the_beats_of_every_genre_with_drums():
    for name, style in GENRES.items():
        score = song(name, 3)
        wave = render(score, style, RATE, generator(3))
        assert listening.contrast_at(score.beats, wave, RATE) > (1.3 if style.drums else 0.9), name
        off = np.delete(score.beats, -1) + np.diff(score.beats) * 0.37
        assert not style.drums or listening.contrast_at(off, wave, RATE) < 1.0, name


def test_the_key_is_heard():
    hits = 0
    for seed in range(24):
        name = ("house", "pop", "classical", "techno")[seed % 4]
        key = (seed * 5 % 12, "minor" if seed % 2 else "major")
        score = song(name, seed, key=key)
        assert (score.tonic, score.mode) == key
        wave = render(score, replace(STYLES[name], drums=()), RATE, generator(seed))
        hits += listening.recognise_key(wave, RATE) == key
    assert hits >= 10  # chance is 1 in 24


def test_rendering_repeats_and_keeps_within_full_scale():
    def make(seed):
        return render(song("rock", 4), STYLES["rock"], RATE, generator(seed))

    wave = make(1)
    assert np.array_equal(wave, make(1))
    assert not np.array_equal(wave, make(2))
    assert len(wave) == 12 * RATE
    assert 0.59 < np.abs(wave).max() < 0.96


def test_doubling_the_rate_keeps_the_samples_and_follows_a_sine():
    t = np.arange(2000) / RATE
    doubled = double_rate(np.sin(2 * np.pi * 900 * t).astype(np.float32))
    expected = np.sin(2 * np.pi * 900 * np.arange(4000) / (2 * RATE))
    assert np.abs(doubled - expected)[10:-10].max() < 1e-3
