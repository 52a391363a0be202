"""Sung recordings in the layout of VocalSet 1.1 (Wilkins et al., ISMIR 2018).

Singer, context and technique are folders. Twenty voices differ in tract length, formants, pressedness and habits of
vibrato. The ten techniques of the task are played as what they are physically; a few recordings of another technique, a
misspelt folder, a second copy, a missing prefix and the leftovers of an archiver are there as in the original.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..config.recipes import Miniature
from .folder import Folder, fresh_folder
from .mixing import double_rate
from .synth import SINE, Audio, Voice, generator, look_up, noise, num_partials, single_cycle
from .timbres import VOWELS_HZ

RATE = 22050
SINGERS = (*(f"female{i}" for i in range(1, 10)), *(f"male{i}" for i in range(1, 12)))
TEST_SINGERS = ("female2", "female8", "male3", "male5", "male10")
CONTEXTS = ("arpeggios", "scales", "long_tones", "excerpts")
# fmt: off
TECHNIQUES = (
    "belt", "breathy", "inhaled", "lip_trill", "spoken", "straight", "trill", "trillo", "vibrato", "vocal_fry",
)
# fmt: on
STEPS = {"arpeggios": (0, 4, 7, 12, 7, 4, 0), "scales": (0, 2, 4, 5, 7, 5, 4, 2, 0), "long_tones": (0,)}
Curve = npt.NDArray[np.floating]
Manner = tuple[Curve, Curve, float, float, float]


@dataclass(frozen=True)
class Singer:
    """A voice: tract length against the male average, pressedness, lowest comfortable pitch, vibrato."""

    tract: float
    tilt: float
    width_hz: float
    low: float
    vibrato_hz: float
    vibrato_cents: float


def write(root: Path, miniature: Miniature) -> None:
    """Write recordings under ``root``: test counts on the published test singers, the others evenly on the other 15.

    Which of those fifteen validate is the reader's choice, so train and valid counts hold for it only in sum.
    """
    train, valid, test = miniature.items["vocalset"]
    others = [singer for singer in SINGERS if singer not in TEST_SINGERS]
    with fresh_folder(root, miniature.seed, {"train": train, "valid": valid, "test": test}) as folder:
        for singers, count in ((others, train + valid), (TEST_SINGERS, test)):
            for i in range(count):
                lap = math.lcm(len(singers), len(TECHNIQUES))  # without a shift a singer would repeat after it
                technique = TECHNIQUES[(i + i // lap) % len(TECHNIQUES)]
                write_recording(folder, singers[i % len(singers)], technique, i // len(singers), miniature.seed)
        write_oddities(folder, miniature.seed)


def write_recording(folder: Folder, singer: str, technique: str, index: int, seed: int) -> None:
    """Write the ``index``-th recording of a singer; every seventh lacks the singer in its name."""
    rng = generator(seed, "vocalset", singer, index)
    context = CONTEXTS[int(rng.integers(len(CONTEXTS)))]
    vowel = str(rng.choice(list(VOWELS_HZ)))
    prefix = "" if index % 7 == 6 else f"{singer[0]}{singer.removeprefix('female').removeprefix('male')}_"
    spelt = "vibrado" if technique == "vibrato" and context == "arpeggios" and singer == "female2" else technique
    name = f"FULL/{singer}/{context}/{spelt}/{prefix}{context}_{technique}_{vowel}_{index}.wav"
    folder.audio(name, double_rate(sing(draw_singer(singer, seed), context, technique, vowel, rng)), 2 * RATE)


def write_oddities(folder: Folder, seed: int) -> None:
    """Write what a reader has to see through."""
    rng = generator(seed, "vocalset", "odd")
    wave = double_rate(sing(draw_singer("female2", seed), "scales", "straight", "u", rng))
    home = "FULL/female2/scales"
    folder.audio(f"{home}/straight/f2_scales_straight_u.wav", wave, 2 * RATE)
    folder.audio(f"{home}/straight/f2_scales_straight_u(1).wav", wave, 2 * RATE)
    folder.audio(f"{home}/fast_forte/f2_scales_fast_forte_a.wav", wave[::-1], 2 * RATE)
    folder.data(f"__MACOSX/{home}/straight/._f2_scales_straight_u.wav", b"\x00\x05\x16\x07")
    folder.data("FULL/.DS_Store", b"\x00\x00\x00\x01Bud1")
    folder.text("FULL/test_singers_technique.txt", "".join(f"{name}\n" for name in TEST_SINGERS))
    others = [name for name in SINGERS if name not in TEST_SINGERS]
    folder.text("FULL/train_singers_technique.txt", "".join(f"{name}\n" for name in others))


def draw_singer(name: str, seed: int) -> Singer:
    """Return the voice of one of SINGERS."""
    rng = generator(seed, "vocalset", name)
    female = name.startswith("female")
    return Singer(
        tract=rng.uniform(1.12, 1.3) if female else rng.uniform(0.9, 1.08),
        tilt=rng.uniform(1.0, 1.7),
        width_hz=rng.uniform(50, 120),
        low=rng.uniform(55, 61) if female else rng.uniform(43, 50),
        vibrato_hz=rng.uniform(4.8, 6.8),
        vibrato_cents=rng.uniform(50, 120),
    )


def melody(context: str, n: int, rng: np.random.Generator) -> Curve:
    """Return semitones above the first note (n,), gliding for about 30 ms from one to the next."""
    steps = np.array(STEPS.get(context) or np.cumsum([0, *rng.choice([-4, -2, -1, 1, 2, 3, 5], 9)]), dtype=np.float32)
    sharp = np.clip(steps, -5, 14)[np.arange(n) * len(steps) // n]
    glide = int(0.03 * RATE)
    total = np.cumsum(np.pad(sharp, (glide, 0), mode="edge"), dtype=np.float64)
    return ((total[glide:] - total[:-glide]) / glide).astype(np.float32)


def sing(singer: Singer, context: str, technique: str, vowel: str, rng: np.random.Generator) -> Audio:
    """Return one recording (n,) at RATE, 3.2 to 6.5 s."""
    n = int(rng.uniform(3.2, 6.5) * RATE)
    t = np.arange(n, dtype=np.float32) / RATE
    semitones = melody(context, n, rng)
    pitch = singer.low + rng.uniform(0, 7) + (4 if technique == "belt" else 0)
    cents, loudness, tilt, breath, formants = play(technique, singer, t, rng)
    if technique == "vocal_fry":
        pitch, semitones = 24 + rng.uniform(-2, 4), 0.3 * semitones
    if technique == "spoken":
        semitones = 0.3 * semitones - 1.2 * t
    drift = 8 * look_up(SINE, 0.7 * t + rng.random())
    hz = 440 * 2 ** ((pitch + semitones - 69) / 12 + (cents + drift) / 1200)
    k = np.arange(1, num_partials(float(hz.max()), RATE, 80) + 1)
    source = look_up(single_cycle(k**-tilt, rng), np.cumsum(hz, dtype=np.float64) / RATE) * loudness
    scale = singer.tract * formants
    voice = Voice(
        formants_hz=tuple(scale * f for f in VOWELS_HZ[vowel]), width_hz=singer.width_hz, tilt=tilt, breath=breath
    )
    wave = voice.resonate(source.astype(np.float32), RATE, rng)
    edge = np.minimum(1, np.minimum(t, t[-1] - t) / 0.08)
    wave = wave * edge + np.float32(10 ** rng.uniform(-2.8, -2.2)) * noise(rng, n)
    return (wave * rng.uniform(0.3, 0.9) / np.abs(wave).max()).astype(np.float32)


def play(technique: str, singer: Singer, t: Curve, rng: np.random.Generator) -> Manner:
    """Return cents (n,), loudness (n,), tilt, breath and the raise of the formants that make a technique."""
    still, full = np.zeros_like(t), np.ones_like(t)
    rate = singer.vibrato_hz * rng.uniform(0.95, 1.05)
    wobble = look_up(SINE, rate * t + rng.random())
    jitter = np.repeat(noise(rng, len(t) // 200 + 1), 200)[: len(t)]
    recipes = {
        "straight": (still, full, singer.tilt, 0.05, 1.0),
        "vibrato": (singer.vibrato_cents * wobble, 1 + 0.1 * wobble, singer.tilt, 0.05, 1.0),
        "trill": (100 + 100 * np.tanh(4 * wobble), full, singer.tilt, 0.05, 1.0),
        "trillo": (still, 0.1 + 0.9 * np.clip(look_up(SINE, 1.5 * rate * t), 0, 1), singer.tilt, 0.08, 1.0),
        "breathy": (still, full, singer.tilt + 0.7, 0.7, 1.0),
        "belt": (0.3 * singer.vibrato_cents * wobble, full, singer.tilt - 0.5, 0.02, 1.12),
        "lip_trill": (20 * jitter, 0.25 + 0.75 * (look_up(SINE, 4.2 * rate * t) > 0), singer.tilt + 0.6, 0.15, 0.6),
        "inhaled": (60 * jitter, 0.6 + 0.2 * jitter, singer.tilt + 0.4, 2.0, 1.05),
        "spoken": (60 * wobble, np.clip(0.5 + look_up(SINE, 0.8 * rate * t), 0, 1), singer.tilt, 0.15, 1.0),
        "vocal_fry": (250 * jitter, full, singer.tilt - 0.4, 0.1, 1.0),
    }
    return recipes[technique]
