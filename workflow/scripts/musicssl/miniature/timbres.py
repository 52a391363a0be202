"""The eleven instrument families of NSynth as distributions over instruments.

Families differ in method and envelope, and overlap in the numbers: two instruments of one family differ as two
guitars do. Ranges are our own choice, by ear.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .synth import Fm, Instrument, Pluck, Voice, Wave

FAMILIES = ("bass", "brass", "flute", "guitar", "keyboard", "mallet", "organ", "reed", "string", "synth_lead", "vocal")
VOWELS_HZ = {  # first four formants of a male voice (Peterson & Barney, JASA 24(2), 1952; the fourth is typical)
    "a": (730.0, 1090.0, 2440.0, 3400.0),
    "e": (530.0, 1840.0, 2480.0, 3500.0),
    "i": (270.0, 2290.0, 3010.0, 3600.0),
    "o": (570.0, 840.0, 2410.0, 3300.0),
    "u": (300.0, 870.0, 2240.0, 3300.0),
}
PLUCKED = {"attack_s": 0.001, "decay_s": 60.0, "sustain": 1.0, "vibrato_cents": 0.0, "vibrato_hz": 5.0, "hiss": 0.0}
STRUCK = {"attack_s": 0.002, "sustain": 0.0, "vibrato_cents": 0.0, "vibrato_hz": 5.0, "hiss": 0.0}


def wave(tilt: float, even: float = 1.0, darkening: float = 0.5, darken_s: float = 0.3, **more: Any) -> Wave:
    """Return a harmonic tone without the settings that most families share."""
    more = {"formant": 1.0, "num_partials": 40, **more}
    return Wave(tilt=tilt, even=even, darkening=darkening, darken_s=darken_s, **more)


def draw(family: str, rng: np.random.Generator) -> Instrument:
    """Return a random instrument of ``family``, one of FAMILIES."""
    return Instrument(family=family, **DRAWS[family](rng.uniform))


def _bass(u: Any) -> dict[str, Any]:
    if u() < 0.5:
        tone: Any = Pluck(ring_s=u(1.0, 2.5), damping=u(0.6, 1.0), position=u(0.1, 0.3))
        return {**PLUCKED, "tone": tone, "release_s": u(0.03, 0.1)}
    tone = wave(u(1.4, 2.0), even=u(0.3, 1), darkening=u(0.6, 1.5), darken_s=u(0.05, 0.2), num_partials=12)
    return {**STRUCK, "tone": tone, "decay_s": u(0.3, 0.9), "sustain": u(0.1, 0.4), "release_s": u(0.03, 0.1)}


def _brass(u: Any) -> dict[str, Any]:
    tone = wave(u(0.6, 1.0), darkening=u(-0.2, 0.3), formant=u(2, 5))
    return _blown(tone, u, attack=(0.04, 0.1), cents=(4, 15), hiss=(0.005, 0.02))


def _flute(u: Any) -> dict[str, Any]:
    tone = wave(u(2.2, 3.0), even=u(0.4, 1.0), darkening=0.0, num_partials=6)
    return _blown(tone, u, attack=(0.05, 0.15), cents=(10, 25), hiss=(0.05, 0.15))


def _reed(u: Any) -> dict[str, Any]:
    tone = wave(u(0.9, 1.4), even=u(0.0, 0.35), darkening=u(0, 0.2), formant=u(3, 7))
    return _blown(tone, u, attack=(0.02, 0.06), cents=(3, 15), hiss=(0.01, 0.04))


def _string(u: Any) -> dict[str, Any]:
    tone = wave(u(0.9, 1.3), darkening=u(0, 0.3), formant=u(4, 9))
    return _blown(tone, u, attack=(0.08, 0.25), cents=(12, 30), hiss=(0.01, 0.05))


def _blown(tone: Wave, u: Any, attack: Any, cents: Any, hiss: Any) -> dict[str, Any]:
    """Return the envelope of anything that is blown or bowed: it sounds as long as it is fed."""
    return {
        "tone": tone,
        "attack_s": u(*attack),
        "decay_s": u(0.2, 0.6),
        "sustain": u(0.6, 0.9),
        "release_s": u(0.05, 0.15),
        "vibrato_cents": u(*cents),
        "vibrato_hz": u(4.5, 6.5),
        "hiss": u(*hiss),
    }


def _guitar(u: Any) -> dict[str, Any]:
    tone = Pluck(ring_s=u(1.5, 5.0), damping=u(0.15, 0.5), position=u(0.08, 0.35))
    return {**PLUCKED, "tone": tone, "release_s": u(0.05, 0.2)}


def _keyboard(u: Any) -> dict[str, Any]:
    if u() < 0.5:
        tone: Any = Fm(ratio=float(np.floor(u(1, 4))), index=u(0.8, 2.5), rest=u(0.1, 0.3), index_s=u(0.1, 0.5))
    else:
        tone = wave(u(1.2, 1.8), darkening=u(0.8, 1.8), darken_s=u(0.1, 0.4), num_partials=24)
    return {**STRUCK, "tone": tone, "decay_s": u(0.5, 1.5), "release_s": u(0.05, 0.25)}


def _mallet(u: Any) -> dict[str, Any]:
    tone = Fm(ratio=u(2.4, 4.6), index=u(0.8, 3.0), rest=u(0, 0.1), index_s=u(0.03, 0.15))
    return {**STRUCK, "tone": tone, "decay_s": u(0.15, 0.7), "release_s": u(0.1, 0.4)}


def _organ(u: Any) -> dict[str, Any]:
    tone = wave(u(0.3, 0.9), even=u(0.5, 1.5), darkening=0.0, num_partials=int(u(5, 10)))
    steady = {"attack_s": u(0.005, 0.03), "decay_s": 1.0, "sustain": 1.0, "release_s": u(0.03, 0.1)}
    return {**steady, "tone": tone, "vibrato_cents": u(2, 10), "vibrato_hz": u(5.5, 7.5), "hiss": 0.0}


def _synth_lead(u: Any) -> dict[str, Any]:
    tone = wave(u(0.5, 1.0), even=u(0, 1), darkening=u(0, 1), darken_s=u(0.1, 0.8))
    steady = {"attack_s": u(0.002, 0.02), "decay_s": u(0.3, 1.0), "sustain": u(0.5, 1), "release_s": u(0.02, 0.2)}
    return {**steady, "tone": tone, "vibrato_cents": u(0, 20), "vibrato_hz": u(4, 7), "hiss": 0.0}


def _vocal(u: Any) -> dict[str, Any]:
    vowel = tuple(VOWELS_HZ.values())[int(u(0, 5))]
    tract = u(0.95, 1.25)
    formants = tuple(tract * f for f in vowel)
    tone = Voice(formants_hz=formants, width_hz=u(60, 110), tilt=u(1.0, 1.6), breath=u(0.0, 0.15))
    return {**_blown(wave(1.0), u, attack=(0.04, 0.12), cents=(15, 50), hiss=(0, 0.01)), "tone": tone}


DRAWS = {
    "bass": _bass,
    "brass": _brass,
    "flute": _flute,
    "guitar": _guitar,
    "keyboard": _keyboard,
    "mallet": _mallet,
    "organ": _organ,
    "reed": _reed,
    "string": _string,
    "synth_lead": _synth_lead,
    "vocal": _vocal,
}
