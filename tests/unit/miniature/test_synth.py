"""Instruments: right pitch, right decay, no aliases, equal bytes for equal seeds."""

import listening
import numpy as np
import pytest

from musicssl.miniature.synth import Instrument, Pluck, draw_kit, generator, hertz
from musicssl.miniature.timbres import FAMILIES, PLUCKED, draw

RATE = 16000


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("pitch", [43, 57.3, 74])
def test_fundamental_lies_where_the_pitch_says(family, pitch):
    for seed in range(4):
        rng = generator(seed, family)
        chosen = draw(family, rng)
        wave = chosen.play(pitch, 1.5, RATE, rng)
        assert abs(listening.nearest_peak_cents(wave, RATE, pitch)) < 8 + chosen.vibrato_cents


@pytest.mark.parametrize("family", FAMILIES)
def test_notes_are_finite_of_unit_order_and_as_long_as_asked(family):
    rng = generator(7, family)
    chosen = draw(family, rng)
    wave = chosen.play(60, 0.5, RATE, rng)
    assert wave.dtype == np.float32
    assert len(wave) == int(0.5 * RATE) + int(chosen.release_s * RATE) + 1
    assert 0.3 < np.abs(wave).max() < 5
    assert abs(wave[-1]) < 0.01


@pytest.mark.parametrize("family", FAMILIES)
def test_equal_generators_play_equal_notes(family):
    def play(seed):
        rng = generator(seed, "x")
        return draw(family, rng).play(60, 0.3, RATE, rng)

    assert np.array_equal(play(1), play(1))
    assert not np.array_equal(play(1)[:1000], play(2)[:1000])


def test_string_loses_sixty_decibels_in_its_ring_time():
    string = Instrument(family="guitar", tone=Pluck(ring_s=1.5, damping=0.0, position=0.13), release_s=0.0, **PLUCKED)
    wave = string.play(57, 1.6, RATE, generator(0))
    blocks = wave[: RATE // 10 * 15].reshape(15, -1)
    level_db = 10 * np.log10((blocks**2).mean(1))
    slope = np.polyfit(np.arange(15) * 0.1, level_db, 1)[0]
    assert slope == pytest.approx(-60 / 1.5, rel=0.05)


@pytest.mark.parametrize("family", ["brass", "synth_lead", "string", "reed"])
def test_high_notes_do_not_alias_below_their_fundamental(family):
    rng = generator(3, family)
    wave = draw(family, rng).play(93.37, 1.0, RATE, rng)
    hz, magnitude = listening.spectrum(wave, RATE)
    tonal = magnitude[(hz > 0.9 * hertz(93.37)) & (hz < 1.1 * hertz(93.37))].max()
    assert magnitude[hz < 0.8 * hertz(93.37)].max() < 0.02 * tonal


def test_drums_are_told_apart_by_their_spectrum():
    hits = draw_kit(generator(5)).hits(22050, generator(6))

    def centroid(wave):
        hz, magnitude = listening.spectrum(wave, 22050)
        return (hz * magnitude**2).sum() / (magnitude**2).sum()

    assert centroid(hits["k"]) < 300 < centroid(hits["s"]) < centroid(hits["h"])
    assert all(np.argmax(np.abs(hit)) < 0.05 * 22050 for hit in hits.values())
