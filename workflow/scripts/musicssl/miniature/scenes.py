"""Music that comes with words: scenes whose instruments, voices, tempo and mood are the tags of a tagging data set.

Every scene sounds as its words say, so tags are true by construction. Scenes take turns, and their words together
cover each vocabulary: with at least as many items as scenes, no tag is missing in any split.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .compose import Song, compose
from .mixing import render
from .styles import GENRES, STYLES, Style
from .synth import Audio, Fm, Instrument, Pluck, Voice
from .timbres import PLUCKED, STRUCK, VOWELS_HZ, draw, wave

RATE = 22050
SLOW_BPM, FAST_BPM = 90, 130


def _plucked(ring_s: tuple[float, float], damping: tuple[float, float]) -> Callable[[np.random.Generator], Instrument]:
    def make(rng: np.random.Generator) -> Instrument:
        tone = Pluck(ring_s=rng.uniform(*ring_s), damping=rng.uniform(*damping), position=rng.uniform(0.08, 0.3))
        return Instrument(family="guitar", tone=tone, release_s=rng.uniform(0.05, 0.3), **PLUCKED)

    return make


def _piano(rng: np.random.Generator) -> Instrument:
    tone = wave(rng.uniform(1.3, 1.7), darkening=rng.uniform(1, 1.6), darken_s=rng.uniform(0.15, 0.4))
    return Instrument(family="keyboard", tone=tone, decay_s=rng.uniform(0.6, 1.2), release_s=0.15, **STRUCK)


def _rhodes(rng: np.random.Generator) -> Instrument:
    tone = Fm(ratio=1.0, index=rng.uniform(1, 2), rest=0.2, index_s=rng.uniform(0.1, 0.3))
    return Instrument(family="keyboard", tone=tone, decay_s=rng.uniform(0.6, 1.2), release_s=0.2, **STRUCK)


def _singer(tract: tuple[float, float], breath: float) -> Callable[[np.random.Generator], Instrument]:
    def make(rng: np.random.Generator) -> Instrument:
        size = rng.uniform(*tract)
        vowel = VOWELS_HZ[str(rng.choice(list(VOWELS_HZ)))]
        tone = Voice(
            formants_hz=tuple(size * f for f in vowel),
            width_hz=rng.uniform(60, 110),
            tilt=rng.uniform(1, 1.5),
            breath=breath,
        )
        return replace(draw("vocal", rng), tone=tone)

    return make


def _family(name: str) -> Callable[[np.random.Generator], Instrument]:
    return lambda rng: draw(name, rng)


INSTRUMENTS = {
    "guitar": _plucked((1.5, 4.0), (0.15, 0.5)),
    "harp": _plucked((2.0, 5.0), (0.6, 1.0)),
    "harpsichord": _plucked((1.0, 2.0), (0.0, 0.03)),
    "sitar": _plucked((5.0, 9.0), (0.0, 0.05)),
    "piano": _piano,
    "rhodes": _rhodes,
    "violin": _family("string"),
    "cello": _family("string"),
    "strings": _family("string"),
    "flute": _family("flute"),
    "saxophone": _family("reed"),
    "trumpet": _family("brass"),
    "organ": _family("organ"),
    "synthesizer": _family("synth_lead"),
    "bell": _family("mallet"),
    "male": _singer((0.92, 1.02), 0.03),
    "female": _singer((1.15, 1.28), 0.06),
    "choir": _singer((0.95, 1.25), 0.25),
    "bass": _family("bass"),
}
LOW = {"male": 43, "cello": 40, "female": 60, "violin": 64, "flute": 69}


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A style with given instruments, and the words for what the instruments do not say.

    Attributes:
        style: patterns and harmony.
        lead, comp, bass: names of INSTRUMENTS; "" where the style gives that part no notes.
        genres, moods: words of MTG-Jamendo.
        words: words of MagnaTagATune.
        bpm: range of tempi, also decides ``slow`` and ``fast``.
        minor: probability of a minor key.
        level: peak of the recording.
    """

    style: Style
    lead: str
    comp: str
    bass: str = "bass"
    genres: tuple[str, ...]
    moods: tuple[str, ...]
    words: tuple[str, ...]
    bpm: tuple[float, float]
    minor: float = 0.3
    level: float = 0.7

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what plays, drums included."""
        drums = ("drums",) if self.style.drums else ()
        return tuple(dict.fromkeys(name for name in (self.lead, self.comp, self.bass) if name)) + drums


SOLO = replace(GENRES["classical"], bass=(), comp=("x...............",))
CALM = replace(SOLO, lead_density=0.25, loose_s=0.03)
# fmt: off
SCENES = (
    Scene(style=GENRES["rock"], lead="male", comp="guitar", genres=("rock",), moods=("energetic",),
          words=("rock", "loud", "beat"), bpm=(100, 125), level=0.95),
    Scene(style=GENRES["metal"], lead="male", comp="guitar", genres=("metal", "rock"), moods=("dark", "energetic"),
          words=("metal", "rock", "loud", "fast"), bpm=(140, 175), minor=1.0, level=0.95),
    Scene(style=GENRES["country"], lead="male", comp="guitar", genres=("country", "folk"), moods=("happy",),
          words=("country",), bpm=(95, 125), minor=0.0),
    Scene(style=GENRES["pop"], lead="female", comp="piano", genres=("pop",), moods=("happy", "love"),
          words=("pop", "beat"), bpm=(95, 125), minor=0.1),
    Scene(style=STYLES["techno"], lead="synthesizer", comp="synthesizer", genres=("techno", "electronic"),
          moods=("energetic",), words=("techno", "electronic", "dance", "beat", "beats", "fast"), bpm=(132, 140),
          level=0.9),
    Scene(style=STYLES["house"], lead="female", comp="organ", genres=("house", "electronic", "dance"),
          moods=("party",), words=("electronic", "dance", "beats", "beat"), bpm=(118, 128)),
    Scene(style=GENRES["classical"], lead="violin", comp="cello", bass="cello", genres=("classical",),
          moods=("emotional",), words=("classical", "classic", "strings"), bpm=(92, 125), level=0.5),
    Scene(style=SOLO, lead="harpsichord", comp="harpsichord", bass="", genres=("classical", "baroque"),
          moods=("happy",), words=("classical", "solo", "fast"), bpm=(132, 150), level=0.5),
    Scene(style=CALM, lead="piano", comp="piano", bass="", genres=("newage",), moods=("calm", "sad", "relaxing"),
          words=("solo", "slow", "quiet", "soft", "classic"), bpm=(70, 85), minor=0.7, level=0.2),
    Scene(style=SOLO, lead="female", comp="strings", bass="", genres=("opera", "classical"),
          moods=("dramatic", "emotional"), words=("opera", "classical", "strings", "slow"), bpm=(70, 88), level=0.8),
    Scene(style=replace(CALM, comp_hold=16), lead="choir", comp="choir", bass="", genres=("choir",),
          moods=("meditative",), words=("choral", "slow", "quiet"), bpm=(70, 82), level=0.3),
    Scene(style=replace(SOLO, comp=("x...x...x...x...",), minor_progressions=(((0, "5"),),)), lead="sitar",
          comp="sitar", bass="", genres=("ethnic", "indian"), moods=("meditative",), words=("indian",), bpm=(92, 125),
          minor=1.0),
    Scene(style=replace(CALM, comp_hold=16), lead="bell", comp="synthesizer", bass="", genres=("ambient",),
          moods=("calm", "space", "relaxing"), words=("ambient", "new age", "slow", "quiet", "electronic"),
          bpm=(70, 80), minor=0.5, level=0.15),
    Scene(style=SOLO, lead="flute", comp="harp", bass="", genres=("folk", "newage"), moods=("relaxing", "nature"),
          words=("new age", "soft"), bpm=(92, 110), level=0.35),
    Scene(style=replace(STYLES["drum-and-bass"], drive=8.0), lead="bell", comp="synthesizer",
          genres=("experimental", "electronic"), moods=("dark", "space"),
          words=("weird", "electronic", "beats", "fast", "loud"), bpm=(165, 178), minor=0.9, level=0.95),
    Scene(style=GENRES["jazz"], lead="saxophone", comp="rhodes", genres=("jazz",), moods=("groovy",),
          words=(), bpm=(95, 125)),
    Scene(style=GENRES["disco"], lead="trumpet", comp="strings", genres=("disco", "funk"), moods=("party", "groovy"),
          words=("dance", "strings", "beat"), bpm=(110, 128)),
)
# fmt: on


def perform(scene: Scene, duration_s: float, rng: np.random.Generator) -> tuple[Song, Audio]:
    """Return a song of ``scene`` and its sound at RATE.

    Args:
        scene: one of SCENES.
        duration_s: of the recording.
        rng: decides the rest.
    """
    style = replace(scene.style, lead_low=LOW.get(scene.lead, 57))
    key = (int(rng.integers(12)), "minor" if rng.random() < scene.minor else "major")
    parts = {"lead": scene.lead, "comp": scene.comp, "bass": scene.bass or "bass"}
    played = {role: INSTRUMENTS[name](rng) for role, name in parts.items()}
    song = compose(style, duration_s, rng, key=key, bpm=float(rng.uniform(*scene.bpm)), instruments=played)
    sound = render(song, style, RATE, rng, noise_db=float(rng.uniform(-45, -25)))
    return song, sound * np.float32(scene.level * rng.uniform(0.8, 1) / np.abs(sound).max())
