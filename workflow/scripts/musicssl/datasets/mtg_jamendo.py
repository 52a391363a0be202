"""MTG-Jamendo: full tracks with genre, instrument, mood/theme or the 50 most frequent tags.

Bogdanov, Won, Tovstogan, Porter & Serra, ICML 2019 workshop. Split 0 of the five published ones, disjoint in artists,
which is checked. The outputs are the sorted tags of the split files, so 50, 87, 40 and 56, not those before splitting.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from ..runtime import UserError
from . import base, disk

VERSION = 1
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


class Row(NamedTuple):
    """A track of a split file, its tags without their ``genre---`` prefix, and the file and row."""

    track: str
    artist: str
    path: str
    tags: list[str]
    where: str


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
    rows = {split: _read_rows(path) for split, path in zip(PARTS, tables)}
    classes = sorted({tag for part in rows.values() for row in part for tag in row.tags})
    index = {tag: i for i, tag in enumerate(classes)}
    files = _list_tracks(root, {row.path.split("/")[0] for part in rows.values() for row in part})
    draft, listed = base.Draft(), set()
    for split, part in rows.items():
        for row in part:
            key = row.path.lower().removesuffix(".mp3")
            listed.add(key)
            if file := draft.audio(files, key, row.track, row.path, split):
                marks = [0] * len(classes)
                for tag in row.tags:
                    marks[index[tag]] = 1
                draft.keep_apart(f"artist {row.artist!r}", split, row.where)
                draft.add(base.Item(row.track, split, file.path, 0.0, 0.0, row.track, marks), row.where)
    notes = [f"{others:,} audio files are of no track of this subset"] if (others := len(files.keys() - listed)) else []
    return base.TaskData(draft.items, classes, draft.skipped, EXPECTED[target], notes)


def recordings(root: Path) -> list[disk.AudioFile]:
    """Return the tracks of the hundred folders, those of no subset too."""
    disk.require(root, [], LAYOUT, SOURCE)
    return list(_list_tracks(root, {f"{number:02d}" for number in range(100)}).values())


def _read_rows(path: Path) -> list[Row]:
    """Return each row; tags fill one column each."""
    rows = []
    columns = ["TRACK_ID", "ARTIST_ID", "PATH", "TAGS"]
    for row, (track, artist, audio, *tags) in disk.read_table(path, "\t", columns, quoted=False):
        names = [tag.partition("---")[2] for tag in tags if tag]
        if not names or not all(names) or "/" not in audio:
            raise UserError(
                f"{path}: row {row}: found path {audio!r} and tags {tags}, expected NN/<track>.mp3 and at least one "
                "tag such as genre---rock; take the file as published"
            )
        rows.append(Row(track, artist, audio, names, f"{path}: row {row}"))
    return rows


def _list_tracks(root: Path, folders: set[str]) -> dict[str, disk.AudioFile]:
    """Return ``NN/<track>`` -> file, from the first place that has it."""
    tracks: dict[str, disk.AudioFile] = {}
    for place in FOLDERS:
        for folder in sorted(folders):
            for key, file in sorted(disk.list_audio(root, root / place / folder).items()):
                tracks.setdefault(f"{folder}/{key.removesuffix('.low')}", file)
    return tracks
