"""Ten genres with beats, in the layout of GTZAN (Tzanetakis & Cook 2002) and GTZAN-Rhythm (Marchand et al. 2015).

Audio is where the Kaggle copy has it, the fault-filtered lists lie at the root, beats are JAMS files. As in the
original a file that no list names lies beside the others, a swinging clip carries a third list of eighth notes in the
same name space, and one list of downbeats is empty.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..artefacts.task import SPLITS
from ..config.recipes import Miniature
from .compose import Song, compose
from .folder import Folder, fresh_folder
from .mixing import render
from .styles import GENRES
from .synth import generator

RATE = 22050
CLIP_S = 12.0
AUDIO = "Data/genres_original"
RHYTHM = "GTZAN-Rhythm_v2_ismir2015_lbd/jams"
FIRST = 55  # number of the first clip of each genre: jazz.00054 is broken in the common copy, and readers skip it
SWINGS = 0.62  # from here on an annotator would hear swing


def write(root: Path, miniature: Miniature) -> None:
    """Write clips, lists and beats under ``root``; genres take turns in every split."""
    counts = dict(zip(SPLITS, miniature.items["gtzan"]))
    numbers = dict.fromkeys(GENRES, FIRST)
    with fresh_folder(root, miniature.seed, counts) as folder:
        for split, count in counts.items():
            files = [write_clip(folder, list(GENRES)[i % len(GENRES)], numbers, miniature.seed) for i in range(count)]
            folder.text(f"{split}_filtered.txt", "".join(f"{file}\n" for file in sorted(files)))
        write_clip(folder, "reggae", numbers, miniature.seed)  # in no list: the filter calls it faulty


def write_clip(folder: Folder, genre: str, numbers: dict[str, int], seed: int) -> str:
    """Write the next clip of ``genre`` and its beats; return its name in the lists."""
    number = numbers[genre]
    numbers[genre] += 1
    rng = generator(seed, "gtzan", genre, number)
    song = compose(GENRES[genre], CLIP_S, rng)
    wave = render(song, GENRES[genre], RATE, rng, noise_db=float(rng.uniform(-40, -18)))
    name = f"{genre}/{genre}.{number:05d}.wav"
    folder.audio(f"{AUDIO}/{name}", wave, RATE)
    silent = (genre, number) == ("jazz", FIRST + 1)
    folder.json(f"{RHYTHM}/{genre}.{number:05d}.wav.jams", jams(song, with_downbeats=not silent))
    return name


def jams(song: Song, with_downbeats: bool) -> dict[str, Any]:
    """Return the JAMS document of one clip."""
    kinds = {"beat": song.beats, "downbeat": song.downbeats if with_downbeats else song.downbeats[:0]}
    if song.swing >= SWINGS:
        period = 60 / song.bpm
        offbeats = song.beats + song.swing * np.diff(song.beats, append=song.beats[-1] + period)
        eighths = np.sort(np.concatenate([song.beats, offbeats]))
        kinds["8th-note"] = eighths[eighths < song.duration_s]
    tags = {"tempo mean": round(song.bpm, 3), "swing": "yes" if "8th-note" in kinds else "no", "ternary": "no"}
    return {
        "annotations": [
            *(annotation("beat", observations(times), {"annotation_type": kind}) for kind, times in kinds.items()),
            annotation("tag_open", [], tags),
        ],
        "file_metadata": {"duration": song.duration_s, "identifiers": {}, "artist": "", "title": "", "release": ""},
        "sandbox": {},
    }


def annotation(namespace: str, data: list[dict[str, float]], sandbox: dict[str, Any]) -> dict[str, Any]:
    """Return one JAMS annotation."""
    return {
        "namespace": namespace,
        "data": data,
        "sandbox": sandbox,
        "annotation_metadata": {"corpus": "GTZAN", "data_source": "synthesis", "version": "", "annotator": {}},
    }


def observations(times: npt.NDArray[np.float64]) -> list[dict[str, float]]:
    """Return JAMS observations; value and confidence are always 1, as in the original."""
    return [{"time": round(float(t), 4), "duration": 0.0, "value": 1.0, "confidence": 1.0} for t in times]
