"""Songs with arousal and valence in the layout of EmoMusic (Soleymani et al., CrowdMM 2013).

What a listener would say is drawn first and the music made after it: arousal raises tempo, loudness, density, drums
and brightness; valence decides the mode and raises the register. Raters disagree, so the table adds noise. Artists of
the development set are named so that the customary hash (modulo 10, below 8 for training) gives the counts asked for.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..artefacts.task import SPLITS
from ..config.recipes import Miniature
from .compose import compose
from .folder import fresh_folder
from .mixing import double_rate, render
from .styles import GENRES, Style
from .synth import Audio, generator

RATE = 22050
CLIP_S = 15.04
GENRES_USED = ("pop", "rock", "classical", "jazz", "country", "disco")
RATER_NOISE = 0.35  # standard deviation on the scale from 1 to 9
NAMES = ("Anders", "Bela", "Clara", "Dora", "Emil", "Fanny", "Georg", "Hanna", "Igor", "Josef", "Karin", "Lena")
INFO = (
    *("song_id", "file_name", "Artist", "Song title", "start of the segment (min.sec)"),
    *("end of the segment (min.sec)", "Genre", "Mediaeval 2013 set"),
)
STATIC = ("song_id", "mean_arousal", "std_arousal", "mean_valence", "std_valence")


def write(root: Path, miniature: Miniature) -> None:
    """Write clips and both tables under ``root``."""
    counts = dict(zip(SPLITS, miniature.items["emomusic"]))
    splits = [split for split, count in counts.items() for _ in range(count)]
    rng = generator(miniature.seed, "emomusic")
    info: list[tuple[object, ...]] = [INFO]
    static: list[tuple[object, ...]] = [STATIC]
    with fresh_folder(root, miniature.seed, counts) as folder:
        for index, split in enumerate(rng.permutation(splits)):
            song = 2 + 3 * index
            own = generator(miniature.seed, "emomusic", song)
            arousal, valence = own.uniform(0, 1, 2)
            genre = GENRES_USED[int(own.integers(len(GENRES_USED)))]
            sound = perform(GENRES[genre], float(arousal), float(valence), own)
            folder.audio(f"clips_45seconds/{song}.mp3", double_rate(sound), 2 * RATE)
            part = "evaluation" if split == "test" else "development"
            who = f"{artist(str(split), own)}\t"  # stray tabs and blanks, as in the original
            info.append((song, f"{song}.mp3", who, f" Song {song}", "0.3", "0.45", genre.title(), part))
            scores = np.clip(1.8 + 6.4 * np.array([arousal, valence]) + RATER_NOISE * own.standard_normal(2), 1, 9)
            static.append((song, f"{scores[0]:.3f}", "1.2", f"{scores[1]:.3f}", "1.1"))
        folder.table("songs_info.csv", info)
        folder.table("static_annotations.csv", static)


def artist(split: str, rng: np.random.Generator) -> str:
    """Return an artist whose hash falls to ``split``; any artist for ``test``."""
    while True:
        name = " ".join(rng.choice(NAMES, 3))
        trains = int(hashlib.sha1(name.lower().encode()).hexdigest(), 16) % 10 < 8
        if split == "test" or trains == (split == "train"):
            return name


def perform(style: Style, arousal: float, valence: float, rng: np.random.Generator) -> Audio:
    """Return the sound of a song at RATE that is felt so; both feelings run from 0 to 1."""
    felt = replace(
        style,
        drums=style.drums or GENRES["pop"].drums if arousal > 0.4 else (),
        lead_density=0.2 + 0.6 * arousal,
        lead_low=int(52 + 14 * valence),
        drive=style.drive * arousal,
        swing=(0.5, 0.5),
    )
    mode = "major" if valence + 0.15 * rng.standard_normal() > 0.5 else "minor"
    bpm = float(np.clip(72 + 88 * arousal + 8 * rng.standard_normal(), 70, 180))
    song = compose(felt, CLIP_S, rng, key=(int(rng.integers(12)), mode), bpm=bpm)
    sound = render(song, felt, RATE, rng, noise_db=float(rng.uniform(-45, -25)))
    dull = np.float32(0.8 * (1 - arousal))
    sound[1:] += dull * sound[:-1]
    return sound * np.float32(10 ** ((-18 + 17 * arousal) / 20) / np.abs(sound).max())
