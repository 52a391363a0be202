"""Music for pre-training: songs of all styles and solos, in mixed formats, with everything that sounds written down."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..config.recipes import Miniature
from .compose import Song, compose
from .folder import fresh_folder
from .mixing import double_rate, render
from .styles import STYLES, Style
from .synth import Audio, generator
from .timbres import FAMILIES, draw

RATE = 22050
FORMATS = ("wav", "flac", "ogg", "mp3")
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
DRUMS = {"k": "kick", "s": "snare", "h": "hat"}
COLUMNS = ("file", "start_s", "end_s", "role", "instrument", "pitch", "chord", "key")


def write_corpus(root: Path, miniature: Miniature) -> None:
    """Write ``num_tracks`` tracks of ``track_s`` and ``annotations.csv`` under ``root``.

    Three of four tracks are songs, the fourth is a solo; formats, 44.1 and 22.05 kHz, mono and stereo take turns.
    """
    rows: list[tuple[object, ...]] = [COLUMNS]
    with fresh_folder(root, miniature.seed, {"tracks": miniature.num_tracks}) as folder:
        for index in range(miniature.num_tracks):
            rng = generator(miniature.seed, "corpus", index)
            name, style = sorted(STYLES.items())[index % len(STYLES)]
            if index % 4 == 3:
                family = FAMILIES[index // 4 % len(FAMILIES)]
                song = compose(solo(style), miniature.track_s, rng, instruments={"lead": draw(family, rng)})
                name = f"solo-{family}"
            else:
                song = compose(style, miniature.track_s, rng)
            file = f"{name}/track-{index:03d}.{FORMATS[(index + index // 4) % len(FORMATS)]}"
            wave = render(song, style, RATE, rng, noise_db=float(rng.uniform(-60, -30)))
            high, stereo = index % 2 == 0, index % 5 in (1, 2)
            wave = double_rate(wave) if high else wave
            folder.audio(file, widen(wave, rng) if stereo else wave, RATE * (1 + high))
            rows += [(file, *row) for row in annotate(song)]
        folder.table("annotations.csv", rows)


def solo(style: Style) -> Style:
    """Return ``style`` with nothing but a busy melody."""
    return replace(style, drums=(), bass=(), comp=("",), lead_density=0.8, drive=0.0)


def widen(wave: Audio, rng: np.random.Generator) -> Audio:
    """Return ``wave`` (n,) in two channels (n, 2): the right one later by up to 10 ms and softer."""
    delay = int(rng.integers(1, 400))
    return np.stack([wave, np.float32(rng.uniform(0.6, 1)) * np.pad(wave, (delay, 0))[: len(wave)]], axis=1)


def annotate(song: Song) -> list[tuple[str, ...]]:
    """Return what sounds when, by start: notes with instrument and pitch, drums, chords with the key."""
    key = f"{NAMES[song.tonic]} {song.mode}"
    chords = [(c.start_s, c.end_s, "harmony", "", "", f"{NAMES[c.root]}:{c.quality}", key) for c in song.chords]
    notes = [
        (n.start_s, n.start_s + n.duration_s, n.role, song.instruments[n.role].family, str(n.pitch), "", "")
        for n in song.notes
    ]
    hits = [(h.start_s, h.start_s, "drums", DRUMS[h.drum], "", "", "") for h in song.hits]
    return [(f"{start:.4f}", f"{end:.4f}", *rest) for start, end, *rest in sorted(chords + notes + hits)]
