"""GiantSteps key: 24 keys of electronic dance music, trained on the MTG set and tested on the original one.

Knees et al., ISMIR 2015 (test, 604 songs); Faraldo, MTG set (training, 1,486 songs). From the MTG set the songs with
confidence 2 and one key are kept. Training and validation share no artist: each comma-separated artist falls to a side
by SHA-1, then collaborators of a validation artist follow it, over all rows of the metadata (the rule of jukemir,
Castellon et al., ISMIR 2021, section 4). Published are songs, and how many clips of 30 s they give.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from . import base, disk

VERSION = 1
TARGETS = {"key": "key"}
DEFAULTS: dict[str, Any] = {}
CITATION = """@inproceedings{giantsteps2015,
  author = {Knees, Peter and Faraldo, {\\'A}ngel and Herrera, Perfecto and Vogl, Richard and B{\\"o}ck, Sebastian and
            H{\\"o}rschl{\\"a}ger, Florian and Le Goff, Mickael},
  title = {Two Data Sets for Tempo Estimation and Key Detection in Electronic Dance Music Annotated from User
           Corrections},
  booktitle = {International Society for Music Information Retrieval Conference},
  year = {2015}
}
@misc{giantstepsmtg2017,
  author = {Faraldo, {\\'A}ngel},
  title = {{GiantSteps} {MTG} Key Dataset},
  year = {2017}
}"""
LICENCE = "none stated; the audio are Beatport previews under copyright"
SOURCE = (
    "the GitHub repositories GiantSteps/giantsteps-key-dataset and GiantSteps/giantsteps-mtg-key-dataset, whose "
    "scripts fetch the audio (the JKU backup host is the one that answers)"
)
LAYOUT = (
    "giantsteps-mtg-key-dataset/{audio/<id>.LOFI.mp3, annotations/annotations.txt, annotations/beatport_metadata.txt} "
    "and giantsteps-key-dataset/{audio/<id>.LOFI.mp3, annotations/key/<id>.LOFI.key}"
)
TRAIN, TEST = "giantsteps-mtg-key-dataset", "giantsteps-key-dataset"
WINDOWS = {30.0: {"train": 3_687, "valid": 942, "test": 2_406}}
"""Published sizes by the length of a clip."""
SONGS = {"train": 923, "valid": 236, "test": 604}
TONICS = ["C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"]
KEYS = [f"{tonic} {mode}" for mode in ("major", "minor") for tonic in TONICS]
FLATS = {"C#": "Db", "D#": "Eb", "F#": "Gb", "G#": "Ab", "A#": "Bb"}


class Song(NamedTuple):
    """A song with one key, and the file (and row) that says so."""

    name: str
    split: str
    file: disk.AudioFile
    key: int
    where: str


def recordings(root: Path) -> list[disk.AudioFile]:
    """Return the songs of both sets."""
    folders = disk.require(root, [f"{TRAIN}/audio", f"{TEST}/audio"], LAYOUT, SOURCE)
    return [file for folder in folders for file in _list_songs(root, folder).values()]


def read(root: Path, target: str, options: dict[str, Any]) -> base.TaskData:
    """Read the songs of both sets.

    Args:
        root: holds both repositories with their ``audio`` folders filled.
        target: ``key``.
        options: none.

    Raises:
        UserError: a table or folder is missing, or a row is damaged.
    """
    tables = [f"{TRAIN}/annotations/{name}" for name in ("annotations.txt", "beatport_metadata.txt")]
    wanted = [f"{TRAIN}/audio", *tables, f"{TEST}/audio", f"{TEST}/annotations/key"]
    train_audio, annotations, metadata, test_audio, keys = disk.require(root, wanted, LAYOUT, SOURCE)
    draft = base.Draft()
    songs = _read_train(root, draft, train_audio, annotations, metadata) + _read_test(root, draft, test_audio, keys)
    for song, split, file, key, where in songs:
        draft.add(base.Item(song, split, file.path, 0.0, 0.0, song, key), where)
    kept = Counter(item.split for item in draft.items)
    totals = [
        base.Total(f"songs of {split}", kept[split], f"{count:,}", math.ceil(base.COMPLETE_SHARE * count))
        for split, count in SONGS.items()
    ]
    return base.TaskData(draft.items, KEYS, draft.skipped, None, [f"{kept.total()} songs"], totals)


def parse_key(text: str) -> int | None:
    """Return the class of a key such as ``F# minor`` or ``f minor``, None when it is none of the 24."""
    words = text.split()
    if len(words) != 2:
        return None
    tonic = words[0][0].upper() + words[0][1:].lower()
    name = f"{FLATS.get(tonic, tonic)} {words[1].lower()}"
    return KEYS.index(name) if name in KEYS else None


def assign_artists(songs: list[list[str]]) -> dict[str, str]:
    """Return the split of each artist: SHA-1 modulo 116, below 100 for training; collaborators follow validation.

    Args:
        songs: artists of each song, in the order of the metadata, songs that are later dropped included.
    """
    split = {name: "train" if _sha1(name.lower()) % 116 < 100 else "valid" for artists in songs for name in artists}
    for _ in range(2):
        for artists in songs:
            if any(split[name] == "valid" for name in artists):
                split.update(dict.fromkeys(artists, "valid"))
    return split


def _sha1(text: str) -> int:
    return int(hashlib.sha1(text.encode("utf-8")).hexdigest(), 16)


def _list_songs(root: Path, folder: Path) -> dict[str, disk.AudioFile]:
    """Return id without leading zeros -> audio file."""
    return {_song_id(key): file for key, file in sorted(disk.list_audio(root, folder).items())}


def _song_id(name: str) -> str:
    first = name.split(".")[0].strip()
    return str(int(first)) if first.isdecimal() else first


def _read_artists(path: Path) -> dict[str, list[str]]:
    """Return song -> artists."""
    artists: dict[str, list[str]] = {}
    rows: dict[str, int] = {}
    for row, (name, names, *_) in disk.read_table(path, "\t", ["ID", "ARTIST"], quoted=False):
        song = _song_id(name)
        disk.once(rows, song, path, row, "ID")
        artists[song] = [name.strip() for name in names.split(",")]
    return artists


def _read_train(root: Path, draft: base.Draft, audio: Path, annotations: Path, metadata: Path) -> list[Song]:
    """Return the kept songs of the MTG set."""
    artists = _read_artists(metadata)
    split_of = assign_artists(list(artists.values()))
    files = _list_songs(root, audio)
    songs, seen = [], set()
    columns = ["ID", "MANUAL KEY", "C"]
    for row, (name, manual, confidence, *_) in disk.read_table(annotations, "\t", columns, quoted=False):
        song = _song_id(name)
        seen.add(song)
        key = parse_key(manual)
        sides = {split_of[artist] for artist in artists.get(song, [])}
        split = "valid" if "valid" in sides else "train" if sides else ""
        if disk.to_int(confidence, annotations, row, "C") != 2:
            draft.skip(song, base.PROTOCOL, f"{annotations.name} row {row}: confidence {confidence}, expected 2")
        elif "/" in manual:
            draft.skip(song, base.PROTOCOL, f"{annotations.name} row {row}: several keys, {manual}")
        elif key is None:
            draft.skip(song, base.UNKNOWN_LABEL, f"{annotations.name} row {row}: key {manual!r}", split)
        elif song not in artists:
            detail = f"{metadata.name} has no row for it, so its split is unknown"
            draft.skip(song, base.MISSING_ANNOTATION, detail)
        elif file := draft.audio(files, song, song, f"{TRAIN}/audio/{song}.LOFI.mp3", split):
            songs.append(Song(song, split, file, key, f"{annotations}: row {row}"))
    for song in sorted(files.keys() - seen):
        draft.skip(song, base.NO_ROW, f"{files[song].path} is not in {annotations.name}")
    return songs


def _read_test(root: Path, draft: base.Draft, audio: Path, keys: Path) -> list[Song]:
    """Return the songs of the original set."""
    files = _list_songs(root, audio)
    songs, seen = [], set()
    for path in sorted(path for path in keys.iterdir() if path.suffix.lower() == ".key" and path.name[0] != "."):
        song = _song_id(path.name)
        seen.add(song)
        text = disk.read_text(path)
        key = parse_key(text)
        if not text.strip():
            draft.skip(song, base.MISSING_ANNOTATION, f"{path.name} holds no key", "test")
        elif key is None:
            draft.skip(song, base.UNKNOWN_LABEL, f"{path.name}: key {text.strip()!r}", "test")
        elif file := draft.audio(files, song, song, f"{TEST}/audio/{song}.LOFI.mp3", "test"):
            songs.append(Song(song, "test", file, key, str(path)))
    for song in sorted(files.keys() - seen):
        draft.skip(song, base.NO_ROW, f"{files[song].path} has no key file")
    return songs
