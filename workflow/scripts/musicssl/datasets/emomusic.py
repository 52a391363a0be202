"""EmoMusic ("1000 songs"): arousal and valence of 45-second clips.

Soleymani, Caro, Schmidt, Sha & Yang, CrowdMM 2013. The official evaluation set tests; the development set is divided
by SHA-1 of the normalized artist modulo 10, below 8 for training (the rule of jukemir, Castellon et al., ISMIR 2021).
Targets are standardised with the development set's mean and standard deviation; r2 does not change by that.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

from ..runtime import UserError
from . import base, disk

VERSION = 1
TARGETS = {"arousal-valence": "regression"}
DEFAULTS: dict[str, Any] = {}
CITATION = """@inproceedings{emomusic2013,
  author = {Soleymani, Mohammad and Caro, Micheal N. and Schmidt, Erik M. and Sha, Cheng-Ya and Yang, Yi-Hsuan},
  title = {1000 Songs for Emotional Analysis of Music},
  booktitle = {ACM International Workshop on Crowdsourcing for Multimedia},
  year = {2013}
}"""
LICENCE = "annotations: on request, terms unclear; songs: Creative Commons, from the Free Music Archive"
SOURCE = "the '1000 songs' page of the CVML group, University of Geneva: clips_45sec.tar.gz and annotations.tar.gz"
LAYOUT = "clips_45seconds/<song_id>.mp3, songs_info.csv and static_annotations.csv (or both below annotations/)"
EXPECTED = {"train": 504, "valid": 115, "test": 125}
DIMENSIONS = ["arousal", "valence"]
FOLDERS = ("clips_45seconds", "clips_45sec")
SETS = ("development", "evaluation")


def read(root: Path, target: str, options: dict[str, Any]) -> base.TaskData:
    """Read the clips and their mean static annotations.

    Args:
        root: holds the clips and the two tables.
        target: ``arousal-valence``: both standardised, in this order.
        options: none.

    Raises:
        UserError: a table or the clips are missing, or a row is damaged.
    """
    names = ("songs_info.csv", "static_annotations.csv")
    wanted = [FOLDERS, *((name, f"annotations/{name}") for name in names)]
    clips, info, static = disk.require(root, wanted, LAYOUT, SOURCE)
    files = disk.list_audio(root, clips)
    splits, rows = _read_splits(info)
    values = _read_static(static)
    scale = [_spread(values, splits, i, static) for i in range(len(DIMENSIONS))]
    draft = base.Draft()
    for song, split in splits.items():
        if song not in values:
            draft.skip(song, base.MISSING_ANNOTATION, f"{static.name} has no row for it", split)
        elif file := draft.audio(files, song, song, f"clips_45seconds/{song}.mp3", split):
            scores = [(value - mean) / spread for value, (mean, spread) in zip(values[song], scale)]
            draft.add(base.Item(song, split, file.path, 0.0, 0.0, song, scores), f"{info}: row {rows[song]}")
    for song in sorted(files.keys() - splits.keys()):
        draft.skip(song, base.NO_ROW, f"{files[song].path} is not in {info.name}")
    notes = [f"{name}: {mean:.3f} +- {spread:.3f} became 0 +- 1" for name, (mean, spread) in zip(DIMENSIONS, scale)]
    notes.append("the test part shares artists with the others, as published")
    return base.TaskData(draft.items, DIMENSIONS, draft.skipped, EXPECTED, notes)


def recordings(root: Path) -> list[disk.AudioFile]:
    """Return the clips, of songs that the tables leave out too."""
    (clips,) = disk.require(root, [FOLDERS], LAYOUT, SOURCE)
    return list(disk.list_audio(root, clips).values())


def normalize_artist(name: str) -> str:
    """Return the artist in lower case with ASCII letters and single blanks only."""
    kept = (char for char in name.lower() if char.isascii() and (char.isalpha() or char.isspace()))
    return " ".join("".join(kept).split())


def _read_splits(path: Path) -> tuple[dict[str, str], dict[str, int]]:
    """Return song -> split, and song -> row."""
    splits: dict[str, str] = {}
    rows: dict[str, int] = {}
    for row, (number, artist, part) in (
        (row, cells[:3]) for row, cells in disk.read_table(path, ",", ["song_id", "Artist", "Mediaeval 2013 set"])
    ):
        song = str(disk.to_int(number, path, row, "song_id"))
        disk.once(rows, song, path, row, "song_id")
        if part not in SETS:
            raise UserError(f"{path}: row {row}: set {part!r}, expected one of {SETS}; take the file as downloaded")
        side = int(hashlib.sha1(normalize_artist(artist).encode()).hexdigest(), 16) % 10
        splits[song] = "test" if part == "evaluation" else "train" if side < 8 else "valid"
    return splits, rows


def _read_static(path: Path) -> dict[str, list[float]]:
    """Return song -> mean arousal and valence on the scale 1 to 9."""
    values: dict[str, list[float]] = {}
    rows: dict[str, int] = {}
    columns = ["song_id", *(f"mean_{name}" for name in DIMENSIONS)]
    for row, (number, *cells) in disk.read_table(path, ",", columns):
        try:
            scores = [float(cell) for cell in cells[: len(DIMENSIONS)]]
        except ValueError:
            scores = []
        if not scores or not all(1 <= score <= 9 for score in scores):
            raise UserError(f"{path}: row {row}: found {cells}, expected two means from 1 to 9; download it again")
        song = str(disk.to_int(number, path, row, "song_id"))
        disk.once(rows, song, path, row, "song_id")
        values[song] = scores
    return values


def _spread(values: dict[str, list[float]], splits: dict[str, str], i: int, path: Path) -> tuple[float, float]:
    """Return mean and population standard deviation of one dimension over the development set."""
    known = [scores[i] for song, scores in sorted(values.items()) if splits.get(song, "test") != "test"]
    if len(known) < 2 or not (spread := pstdev(known)):
        raise UserError(
            f"{path}: found fewer than two different {DIMENSIONS[i]} values in the development set, expected many; "
            "download it again"
        )
    return fmean(known), spread
