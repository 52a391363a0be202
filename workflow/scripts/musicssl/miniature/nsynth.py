"""Notes in the layout of NSynth (Engel et al., ICML 2017): ``nsynth-<split>/examples.json`` and ``audio/*.wav``.

Unlike the real notes these sound over a soft chord and noise, are up to 30 cents out of tune, and span one octave
and a half: with a few hundred notes the clean task would be solved by anything. Instruments of validation and test
do not occur in training, and neither has a ``synth_lead``, as in the original.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ..artefacts.task import SPLITS
from ..config.recipes import Miniature
from .folder import Folder, fresh_folder
from .mixing import add
from .synth import Audio, Instrument, Pluck, generator, noise
from .timbres import FAMILIES, draw

RATE = 16000
NOTE_S, HELD_S = 4.0, 3.0
PITCHES = range(48, 66)
VELOCITIES = (25, 50, 75, 100, 127)
SOURCES = ("acoustic", "electronic", "synthetic")
QUALITIES = (
    "bright",
    "dark",
    "distortion",
    "fast_decay",
    "long_release",
    "multiphonic",
    "nonlinear_env",
    "percussive",
    "reverb",
    "tempo-synced",
)
NUM_INSTRUMENTS = {"train": 5, "valid": 3, "test": 3}  # of a family; valid and test share theirs


def write(root: Path, miniature: Miniature) -> None:
    """Write the three splits under ``root``."""
    counts = dict(zip(SPLITS, miniature.items["nsynth"]))
    with fresh_folder(root, miniature.seed, counts) as folder:
        taken: set[str] = set()
        for split, count in counts.items():
            write_split(folder, split, count, taken, miniature.seed)


def write_split(folder: Folder, split: str, count: int, taken: set[str], seed: int) -> None:
    """Write ``count`` notes; families take turns, ``taken`` holds the names in use."""
    families = [family for family in FAMILIES if split == "train" or family != "synth_lead"]
    examples: dict[str, Any] = {}
    for index in range(count):
        rng = generator(seed, "nsynth", split, index)
        family = families[index % len(families)]
        first = 0 if split == "train" else NUM_INSTRUMENTS["train"]
        number = first + (index // len(families)) % NUM_INSTRUMENTS[split]
        entry = describe(family, number, taken, rng, seed)
        taken.add(entry["note_str"])
        entry["note"] = zlib.crc32(entry["note_str"].encode())
        examples[entry["note_str"]] = entry
        wave = note(instrument(family, number, seed), entry["pitch"], entry["velocity"], rng)
        folder.audio(f"nsynth-{split}/audio/{entry['note_str']}.wav", wave, RATE)
    folder.json(f"nsynth-{split}/examples.json", examples)


def instrument(family: str, number: int, seed: int) -> Instrument:
    """Return the instrument behind a family and a number."""
    return draw(family, generator(seed, "nsynth", "instrument", family, number))


def describe(family: str, number: int, taken: set[str], rng: np.random.Generator, seed: int) -> dict[str, Any]:
    """Return the fields of ``examples.json`` for a random note of an instrument that is not yet ``taken``."""
    source = 2 if family == "synth_lead" else number % 3
    name = f"{family}_{SOURCES[source]}_{number:03d}"
    free = [(p, v) for p in PITCHES for v in VELOCITIES if f"{name}-{p:03d}-{v:03d}" not in taken]
    pitch, velocity = free[int(rng.integers(len(free)))]
    chosen = instrument(family, number, seed)
    struck = chosen.sustain == 0 or isinstance(chosen.tone, Pluck)
    marks = {
        "bright": getattr(chosen.tone, "tilt", 1.5) < 0.8,
        "dark": getattr(chosen.tone, "tilt", 1.5) > 2,
        "fast_decay": chosen.decay_s < 0.5,
        "long_release": chosen.release_s > 0.2,
        "percussive": struck,
    }
    flags = [int(marks.get(quality, False)) for quality in QUALITIES]
    return {
        "note_str": f"{name}-{pitch:03d}-{velocity:03d}",
        "instrument": FAMILIES.index(family) * 100 + number,
        "instrument_str": name,
        "pitch": pitch,
        "velocity": velocity,
        "sample_rate": RATE,
        "qualities": flags,
        "qualities_str": [quality for quality, flag in zip(QUALITIES, flags) if flag],
        "instrument_family": FAMILIES.index(family),
        "instrument_family_str": family,
        "instrument_source": source,
        "instrument_source_str": SOURCES[source],
    }


def note(chosen: Instrument, pitch: int, velocity: int, rng: np.random.Generator) -> Audio:
    """Return one note (64000,) over its bed: a chord 8 to 20 dB and noise 15 to 40 dB below it."""
    n = int(NOTE_S * RATE)
    wave, bed = np.zeros(n, dtype=np.float32), np.zeros(n, dtype=np.float32)
    add(wave, chosen.play(pitch + rng.uniform(-0.3, 0.3), HELD_S, RATE, rng), rng.uniform(0, 0.05), RATE)
    other = draw(FAMILIES[int(rng.integers(len(FAMILIES)))], rng)
    for pitch_of_bed in rng.choice(np.arange(43, 72), 3, replace=False):
        add(bed, other.play(float(pitch_of_bed), HELD_S, RATE, rng), rng.uniform(0, 0.3), RATE)
    level = wave.std()
    wave += np.float32(level * 10 ** (rng.uniform(-20, -8) / 20) / (bed.std() + 1e-9)) * bed
    wave += np.float32(level * 10 ** (rng.uniform(-40, -15) / 20)) * noise(rng, n)
    return wave * np.float32((0.3 + 0.65 * velocity / 127) / np.abs(wave).max())
