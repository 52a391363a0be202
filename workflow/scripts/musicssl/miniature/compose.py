"""Songs that know everything about themselves: a score with beats, key, chords and notes.

Harmony is functional: progressions of real keys that end on the dominant and tonic, a bass on chord tones, a melody
that steps through the scale and meets the chord on the beat. Times are seconds from the start of the recording;
pitches are MIDI numbers; a key is (tonic 0-11 with C = 0, ``major`` or ``minor``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .styles import QUALITIES, Style
from .synth import Instrument
from .timbres import draw

SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}


@dataclass(frozen=True)
class Note:
    """One note; ``role`` names its track."""

    start_s: float
    duration_s: float
    pitch: int
    velocity: float
    role: str


@dataclass(frozen=True)
class Hit:
    """One stroke of ``drum``: ``k`` kick, ``s`` snare, ``h`` hat."""

    start_s: float
    drum: str
    velocity: float


@dataclass(frozen=True)
class Chord:
    """One chord; ``root`` is a pitch class."""

    start_s: float
    end_s: float
    root: int
    quality: str


@dataclass(frozen=True, kw_only=True)
class Song:
    """A score; times are of the grid, only notes and hits are played a little beside it."""

    duration_s: float
    bpm: float
    swing: float
    tonic: int
    mode: str
    beats: npt.NDArray[np.float64]
    downbeats: npt.NDArray[np.float64]
    chords: tuple[Chord, ...]
    notes: tuple[Note, ...]
    hits: tuple[Hit, ...]
    instruments: dict[str, Instrument]


class Grid:
    """Beat times with drift, and the time of any sixteenth between them, swung."""

    def __init__(self, style: Style, bpm: float, swing: float, duration_s: float, rng: np.random.Generator) -> None:
        self.num_beats, self.swing = style.beats_per_bar, swing
        period = 60 / bpm
        count = int(duration_s / period) + 2 * style.beats_per_bar + 2
        periods = period * (1 + style.drift * rng.standard_normal(count))
        first = rng.uniform(0.02, period) - period * rng.integers(style.beats_per_bar)
        self.times = first + np.concatenate([[0.0], np.cumsum(periods)])
        self.num_bars = (count - 1) // style.beats_per_bar
        starts = self.times[: self.num_bars * style.beats_per_bar : style.beats_per_bar]
        self.last_bar = int(np.searchsorted(starts, duration_s - 4 * period)) - 1

    def at(self, bar: int, sixteenth: float) -> float:
        """Return the time of a place in a bar."""
        beat, part = divmod(sixteenth / 4, 1)
        part = part * 2 * self.swing if part < 0.5 else self.swing + (part - 0.5) * 2 * (1 - self.swing)
        i = bar * self.num_beats + int(beat)
        return float(self.times[i] + part * (self.times[i + 1] - self.times[i]))


def compose(
    style: Style,
    duration_s: float,
    rng: np.random.Generator,
    key: tuple[int, str] | None = None,
    bpm: float | None = None,
    instruments: dict[str, Instrument] | None = None,
) -> Song:
    """Return a song of ``style``; what is not given is drawn.

    Args:
        style: a genre template.
        duration_s: of the recording; the music begins before it and goes on after it.
        rng: decides everything that is left open.
        key: tonic pitch class and mode.
        bpm: tempo.
        instruments: by role (``bass``, ``comp``, ``lead``).
    """
    tonic, mode = key or (int(rng.integers(12)), "minor" if rng.random() < style.minor else "major")
    bpm = bpm or float(rng.uniform(*style.bpm))
    swing = float(rng.uniform(*style.swing))
    grid = Grid(style, bpm, swing, duration_s, rng)
    harmony = harmonise(style, grid, mode, rng)
    parts = {
        "bass": bass_line(style, grid, harmony, tonic, rng),
        "comp": comping(style, grid, harmony, tonic, rng),
        "lead": melody(style, grid, harmony, tonic, mode, rng),
    }
    families = {"bass": style.bass_families, "comp": style.comp_families, "lead": style.lead_families}
    drawn = {role: draw(str(rng.choice(names)), rng) for role, names in families.items()}
    notes = [note for part in parts.values() for note in part]
    bars = [grid.at(bar, 0) for bar in range(grid.num_bars + 1)]
    inside = grid.times[(grid.times >= 0) & (grid.times < duration_s)]
    starts = grid.times[:: style.beats_per_bar]
    return Song(
        duration_s=duration_s,
        bpm=bpm,
        swing=swing,
        tonic=tonic,
        mode=mode,
        beats=inside,
        downbeats=starts[(starts >= 0) & (starts < duration_s)],
        chords=tuple(
            Chord(max(0.0, a), min(b, duration_s), (tonic + root) % 12, quality)
            for a, b, (root, quality) in zip(bars, bars[1:], harmony)
            if b > 0 and a < duration_s
        ),
        notes=tuple(trim(note, duration_s) for note in loosen(notes, style, rng) if sounds(note, duration_s)),
        hits=tuple(hit for hit in drumming(style, grid, rng) if 0 <= hit.start_s < duration_s),
        instruments=instruments or drawn,
    )


def sounds(note: Note, duration_s: float) -> bool:
    """Tell whether at least 60 ms of ``note`` lie in the recording."""
    return note.start_s + note.duration_s > 0.06 and note.start_s < duration_s - 0.06


def trim(note: Note, duration_s: float) -> Note:
    """Return the part of ``note`` that lies in the recording."""
    start = max(0.0, note.start_s)
    return replace(note, start_s=start, duration_s=min(note.start_s + note.duration_s, duration_s) - start)


def loosen(notes: list[Note], style: Style, rng: np.random.Generator) -> list[Note]:
    """Move every onset a little, as hands do."""
    offsets = style.loose_s * rng.standard_normal(len(notes))
    return [replace(note, start_s=note.start_s + float(offset)) for note, offset in zip(notes, offsets)]


def harmonise(style: Style, grid: Grid, mode: str, rng: np.random.Generator) -> list[tuple[int, str]]:
    """Return one chord (semitones above the tonic, quality) a bar: a loop that cadences in the last two whole bars."""
    options = style.major_progressions if mode == "major" else style.minor_progressions
    loop = options[int(rng.integers(len(options)))]
    bars = [loop[bar % len(loop)] for bar in range(grid.num_bars)]
    if grid.last_bar >= 2:
        bars[grid.last_bar - 1 : grid.last_bar + 1] = [(7, "maj"), (0, "maj" if mode == "major" else "min")]
    return bars


def steps(pattern: str, style: Style) -> list[tuple[int, str]]:
    """Return (sixteenth, sign) of what sounds in one bar of ``pattern``."""
    return [(i, sign) for i, sign in enumerate(pattern[: 4 * style.beats_per_bar]) if sign != "."]


def bass_line(style: Style, grid: Grid, harmony: list[Any], tonic: int, rng: np.random.Generator) -> list[Note]:
    """Return chord tones in the second octave below middle C, by a pattern that repeats every bar."""
    if not style.bass:
        return []
    pattern = steps(style.bass[int(rng.integers(len(style.bass)))], style)
    notes = []
    for bar, (root, quality) in enumerate(harmony):
        low = 28 + (tonic + root - 28) % 12
        third, fifth = (QUALITIES[quality] + (7,))[1:3] if quality != "5" else (7, 7)
        interval = {"1": 0, "3": third, "5": fifth, "8": 12}
        for i, (place, sign) in enumerate(pattern):
            end = pattern[i + 1][0] if i + 1 < len(pattern) else 4 * style.beats_per_bar
            start, stop = grid.at(bar, place), grid.at(bar, min(end, place + 7) - 0.2)
            notes.append(Note(start, stop - start, low + interval[sign], 0.9 if place == 0 else 0.7, "bass"))
    return notes


def comping(style: Style, grid: Grid, harmony: list[Any], tonic: int, rng: np.random.Generator) -> list[Note]:
    """Return chords around middle C, within one octave whatever the root, by a pattern that repeats every bar."""
    pattern = steps(style.comp[int(rng.integers(len(style.comp)))], style)
    low = int(rng.integers(49, 60))
    last = 4 * style.beats_per_bar
    notes = []
    for bar, (root, quality) in enumerate(harmony):
        pitches = sorted({low + (tonic + root + step - low) % 12 for step in QUALITIES[quality]})
        for place, _ in pattern:
            start, stop = grid.at(bar, place), grid.at(bar, min(last, place + style.comp_hold) - 0.1)
            velocity = 0.8 if place % 4 == 0 else 0.65
            notes += [Note(start, stop - start, pitch, velocity, "comp") for pitch in pitches]
    return notes


def melody(style: Style, grid: Grid, harmony: list[Any], tonic: int, mode: str, rng: np.random.Generator) -> list[Note]:
    """Return a walk on the scale through two octaves, on chord tones where the beat falls."""
    tones_of_key = {(tonic + step) % 12 for step in SCALES[mode]}
    scale = [pitch for pitch in range(style.lead_low, style.lead_low + 24) if pitch % 12 in tones_of_key]
    place = int(rng.integers(3, len(scale) - 3))
    notes: list[Note] = []
    for bar, (root, quality) in enumerate(harmony):
        tones = {(tonic + root + step) % 12 for step in QUALITIES[quality]}
        for eighth in range(2 * style.beats_per_bar):
            if rng.random() >= style.lead_density * (1.2 if eighth % 2 == 0 else 0.8):
                continue
            place = int(np.clip(place + rng.integers(-2, 3), 0, len(scale) - 1))
            near = sorted(scale, key=lambda pitch: abs(pitch - scale[place]))
            pitch = next((p for p in near if p % 12 in tones), near[0]) if eighth % 2 == 0 else near[0]
            start = grid.at(bar, 2 * eighth)
            length = grid.at(bar, 2 * eighth + float(rng.choice([1.8, 1.8, 3.6]))) - start
            notes.append(Note(start, length, pitch, float(rng.uniform(0.6, 1)), "lead"))
    return notes


def drumming(style: Style, grid: Grid, rng: np.random.Generator) -> list[Hit]:
    """Return the strokes of a pattern that repeats every bar, now and then one left out or added."""
    if not style.drums:
        return []
    pattern = style.drums[int(rng.integers(len(style.drums)))]
    hits = []
    for bar in range(grid.num_bars):
        for drum, line in zip("ksh", pattern):
            for place, _ in steps(line, style):
                if place % 4 and rng.random() < 0.05:
                    continue
                time = grid.at(bar, place) + 0.5 * style.loose_s * rng.standard_normal()
                hits.append(Hit(float(time), drum, float((0.9 if place % 4 == 0 else 0.7) * rng.uniform(0.85, 1.1))))
    return hits
