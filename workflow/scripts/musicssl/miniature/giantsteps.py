"""Dance music in the layout of the two GiantSteps key data sets (Knees et al., ISMIR 2015; Faraldo's MTG training set).

``giantsteps-mtg-key-dataset`` holds training and validation songs, ``giantsteps-key-dataset`` the test songs, each
with ``audio/<id>.LOFI.mp3``, ``md5`` and ``annotations``. The training set has what its filter must drop: low
confidence, two keys, no key. Which artist is validation is decided by a hash in the customary split, so names are
searched for until the hash says what was asked for, among them artists that only a collaboration makes validation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..config.recipes import Miniature
from .compose import Song, compose
from .folder import Folder, fresh_folder
from .mixing import double_rate, render
from .styles import DANCE
from .synth import generator

RATE = 22050
SONG_S, LONG_S, DROPPED_S = 12.3, 24.3, 2.0
TRAIN_SET, TEST_SET = "giantsteps-mtg-key-dataset", "giantsteps-key-dataset"
SHARPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FLATS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
TONICS = (9, 5, 7, 0, 2, 4, 1, 3, 6, 11, 8, 10)  # from the most frequent to the rarest
MINOR_SHARE = 0.8
VALID_BUCKETS = range(100, 116)
SYLLABLES = ("ba", "do", "fe", "gi", "ka", "lu", "mo", "na", "pi", "ra", "so", "ta", "ve", "xi", "yo", "zu")
METADATA = ("ID", "ARTIST", "SONG TITLE", "MIX", "LABEL", "BP GENRE", "BP BPM", "BP KEY")


@dataclass(frozen=True)
class Row:
    """One song of the training set; ``key`` None writes the key that sounds."""

    artist: str
    key: str | None
    confidence: int


def write(root: Path, miniature: Miniature) -> None:
    """Write both sets under ``root``."""
    train, valid, test = miniature.items["giantsteps"]
    counts = {"train": train, "valid": valid, "test": test}
    with fresh_folder(root, miniature.seed, counts) as folder:
        rng = generator(miniature.seed, "giantsteps")
        rows = plan(train, valid, rng)
        ids = sorted(int(i) for i in rng.choice(np.arange(5000, 6_000_000), len(rows) + test, replace=False))
        ids = [int(i) for i in rng.permutation(ids)]
        write_training(folder, sorted(zip(ids, rows), key=lambda pair: pair[0]), miniature.seed)
        for index, number in enumerate(sorted(ids[len(rows) :])):
            duration_s = LONG_S if index % 12 == 5 else SONG_S
            song, genre = write_song(folder, TEST_SET, number, duration_s, miniature.seed)
            folder.text(f"{TEST_SET}/annotations/key/{number}.LOFI.key", f"{FLATS[song.tonic]} {song.mode}")
            folder.text(f"{TEST_SET}/annotations/genre/{number}.LOFI.genre", genre)


def names(valid: bool, rng: np.random.Generator) -> Iterator[str]:
    """Yield distinct artist names whose hash falls to validation, or to training."""
    seen: set[str] = set()
    while True:
        name = "".join(rng.choice(SYLLABLES, int(rng.integers(2, 5)))).title()
        bucket = int(hashlib.sha1(name.lower().encode()).hexdigest(), 16) % 116
        if (bucket in VALID_BUCKETS) == valid and name not in seen:
            seen.add(name)
            yield name


def plan(num_train: int, num_valid: int, rng: np.random.Generator) -> list[Row]:
    """Return the rows of the training set: those to keep, and about every eighth to drop."""
    by_hash, others = names(True, rng), names(False, rng)
    leader, drifter, stray = next(by_hash), next(others), next(others)
    special = [leader, f"{leader}, {drifter}", drifter, stray]  # the last two are validation by collaboration only
    valid = [*special, *(next(by_hash) for _ in range(num_valid))][:num_valid]
    pool = [next(others) for _ in range(max(1, num_train * 2 // 3))]
    train = [pool[i % len(pool)] for i in range(num_train)]
    if num_train > 2:
        train[1] = f"{pool[1 % len(pool)]}, {pool[2 % len(pool)]}"
    rows = [Row(artist, None, 2) for artist in train + valid]
    dropped = [Row(f"{stray}, {leader}", None, 1)]
    for i in range((num_train + num_valid) // 8):
        dropped.append(
            (
                Row(pool[i % len(pool)], "C minor / D# major", 2),
                Row(pool[i % len(pool)], "-", 0),
                Row(next(by_hash), None, 1),
                Row(pool[i % len(pool)], " ", 0),
            )[i % 4]
        )
    return rows + dropped


def write_training(folder: Folder, rows: list[tuple[int, Row]], seed: int) -> None:
    """Write the songs, key files, ``annotations.txt`` and ``beatport_metadata.txt`` of the training set."""
    annotations: list[list[object]] = [["ID", "MANUAL KEY", "C"]]
    metadata: list[tuple[object, ...]] = [METADATA]
    blanks = 2  # this many keys end in a blank, as in the original
    for number, row in rows:
        kept = row.key is None and row.confidence == 2
        song, genre = write_song(folder, TRAIN_SET, number, SONG_S if kept else DROPPED_S, seed)
        key = f"{SHARPS[song.tonic]} {song.mode}" if row.key is None else row.key
        blank = " " if kept and blanks else ""
        blanks -= len(blank)
        annotations.append([number, key + blank, row.confidence])
        metadata.append((number, row.artist, f"Track {number}", "Original Mix", "Mini", genre, round(song.bpm), key))
        folder.text(f"{TRAIN_SET}/annotations/key/{number}.LOFI.key", f"{key.lower()}\t{row.confidence}\t\n")
        folder.text(f"{TRAIN_SET}/annotations/genre/{number}.LOFI.genre", genre)
    folder.text(f"{TRAIN_SET}/annotations/annotations.txt", tabbed(annotations))
    folder.text(f"{TRAIN_SET}/annotations/beatport_metadata.txt", tabbed(metadata))


def tabbed(rows: list[Any]) -> str:
    """Return rows as lines of fields between tabs, nothing quoted."""
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)


def write_song(folder: Folder, data_set: str, number: int, duration_s: float, seed: int) -> tuple[Song, str]:
    """Write one song of a random key as MP3 with its MD5; return its score and genre."""
    rng = generator(seed, "giantsteps", number)
    genre, style = list(DANCE.items())[int(rng.integers(len(DANCE)))]
    weights = 1 / np.arange(3, 15)
    tonic = int(rng.choice(TONICS, p=weights / weights.sum()))
    song = compose(style, duration_s, rng, key=(tonic, "minor" if rng.random() < MINOR_SHARE else "major"))
    wave = double_rate(render(song, style, RATE, rng, noise_db=float(rng.uniform(-40, -20))))
    content = folder.audio(f"{data_set}/audio/{number}.LOFI.mp3", wave, 2 * RATE)
    digest = hashlib.md5(content).hexdigest()
    folder.text(f"{data_set}/md5/{number}.LOFI.md5", f"{digest}  {number}.LOFI.mp3\n")
    return song, genre
