"""MTG-Jamendo: full tracks with genre, instrument, mood/theme or the 50 most frequent tags.

Bogdanov, Won, Tovstogan, Porter & Serra, ICML 2019 workshop. Split 0 of the five published ones (disjoint in artists).
The outputs are the sorted tags of the split files, so 50, 87, 40 and 56 of them, not the counts before splitting.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..runtime import UserError
from . import base, disk

TARGETS = dict.fromkeys(("top50tags", "genre", "instrument", "moodtheme"), "multilabel")
DEFAULTS: dict[str, Any] = {}
CITATION = """@inproceedings{mtgjamendo2019,
  author = {Bogdanov, Dmitry and Won, Minz and Tovstogan, Philip and Porter, Alastair and Serra, Xavier},
  title = {The {MTG-Jamendo} Dataset for Automatic Music Tagging},
  booktitle = {Machine Learning for Music Discovery Workshop, International Conference on Machine Learning},
  year = {2019}
}"""
LICENCE = "metadata CC BY-NC-SA 4.0; each track under its own Creative Commons licence (audio_licenses.txt)"
SOURCE = (
    "the GitHub repository MTG/mtg-jamendo-dataset: its data folder, and its download script for raw_30s audio-low "
    "(156 GB) or audio (508 GB)"
)
LAYOUT = (
    "data/splits/split-0/autotagging_<subset>-{train,validation,test}.tsv (or the repository as mtg-jamendo-dataset/) "
    "and the folders 00..99 with <track>.low.mp3 or <track>.mp3, in audio-low, audio, raw_30s_audio-low or the root"
)
EXPECTED = {
    "top50tags": {"train": 32_136, "valid": 10_888, "test": 11_356},
    "genre": {"train": 32_572, "valid": 11_043, "test": 11_479},
    "instrument": {"train": 14_395, "valid": 5_466, "test": 5_115},
    "moodtheme": {"train": 9_949, "valid": 3_802, "test": 4_231},
}
TABLES = ("data/splits/split-0", "mtg-jamendo-dataset/data/splits/split-0", "splits/split-0", "split-0")
FOLDERS = ("audio-low", "raw_30s_audio-low", "raw_30s/audio-low", "audio", "raw_30s_audio", "raw_30s/audio", ".")
PARTS = {"train": "train", "valid": "validation", "test": "test"}


def read(root: Path, target: str, options: dict[str, Any]) -> base.TaskData:
    """Read the tracks of one subset.

    Args:
        root: holds the split files and the hundred audio folders.
        target: ``top50tags``, ``genre``, ``instrument`` or ``moodtheme``.
        options: none.

    Raises:
        UserError: a split file or every audio folder is missing, or a row is damaged.
    """
    wanted = [tuple(f"{folder}/autotagging_{target}-{part}.tsv" for folder in TABLES) for part in PARTS.values()]
    tables = disk.require(root, wanted, LAYOUT, SOURCE)
    rows = {split: list(_read_rows(path)) for split, path in zip(PARTS, tables)}
    classes = sorted({tag for part in rows.values() for _, _, tags in part for tag in tags})
    index = {tag: i for i, tag in enumerate(classes)}
    files = _list_tracks(root, {path.split("/")[0] for part in rows.values() for _, path, _ in part})
    draft, listed = base.Draft(), set()
    for split, part in rows.items():
        for track, path, tags in part:
            key = path.lower().removesuffix(".mp3")
            listed.add(key)
            if file := draft.audio(files, key, track, path):
                target_row = [0] * len(classes)
                for tag in tags:
                    target_row[index[tag]] = 1
                draft.items.append(base.Item(track, split, file.path, 0.0, 0.0, track, target_row))
    notes = [f"{others:,} audio files are of no track of this subset"] if (others := len(files.keys() - listed)) else []
    return base.TaskData(draft.items, classes, draft.skipped, EXPECTED[target], notes)


def _read_rows(path: Path) -> list[tuple[str, str, list[str]]]:
    """Return (track, path, tags) of each row; tags fill one column each, without their ``genre---`` prefix."""
    rows = []
    for row, (track, audio, *tags) in disk.read_table(path, "\t", ["TRACK_ID", "PATH", "TAGS"]):
        names = [tag.partition("---")[2] for tag in tags if tag]
        if not names or not all(names) or "/" not in audio:
            raise UserError(
                f"{path}: row {row}: found path {audio!r} and tags {tags}, expected NN/<track>.mp3 and at least one "
                "tag such as genre---rock; take the file as published"
            )
        rows.append((track, audio, names))
    return rows


def _list_tracks(root: Path, folders: set[str]) -> dict[str, disk.AudioFile]:
    """Return ``NN/<track>`` -> file, from the first place that has it."""
    tracks: dict[str, disk.AudioFile] = {}
    for place in FOLDERS:
        for folder in sorted(folders):
            for key, file in sorted(disk.list_audio(root, root / place / folder).items()):
                tracks.setdefault(f"{folder}/{key.removesuffix('.low')}", file)
    return tracks
