"""MagnaTagATune: 29-second clips with the 50 most frequent tags, all clips, split by folder.

Law, West, Mandel, Bay & Downie, ISMIR 2009. Folders 0-b train, c validate, d-f test (the 12:1:3 split of the
literature, here with every readable clip: one without any of the 50 tags is a valid negative). Synonyms stay apart.
No song has clips on both sides of the split, which is checked by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..runtime import UserError
from . import base, disk

VERSION = 1
TARGETS = {"top50": "multilabel"}
DEFAULTS: dict[str, Any] = {}
CITATION = """@inproceedings{magnatagatune2009,
  author = {Law, Edith and West, Kris and Mandel, Michael and Bay, Mert and Downie, J. Stephen},
  title = {Evaluation of Algorithms Using Games: The Case of Music Tagging},
  booktitle = {International Society for Music Information Retrieval Conference},
  year = {2009}
}"""
LICENCE = "CC BY-NC-SA 3.0"
SOURCE = "the MagnaTagATune page of City University's MIRG: mp3.zip.001-003 (join, then unpack), annotations_final.csv"
LAYOUT = "annotations_final.csv and the folders 0..9, a..f with the mp3 files (or mp3/0..f)"
EXPECTED = {"train": 18_706, "valid": 1_825, "test": 5_329}
FOLDERS = "0123456789abcdef"
PLACES = tuple(f"{prefix}{name}" for prefix in ("", "mp3/") for name in FOLDERS)
# fmt: off
TAGS = [
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano", "ambient",
    "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing", "vocals", "no vocals",
    "harpsichord", "loud", "quiet", "flute", "woman", "male vocal", "no vocal", "pop", "soft", "sitar", "solo",
    "man", "classic", "choir", "voice", "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello",
    "no voice", "weird", "country", "metal", "female voice", "choral",
]
# fmt: on
EMPTY_MP3 = {"35644", "55753", "57881"}
"""Clips whose mp3 has no bytes in the archive itself."""


def read(root: Path, target: str, options: dict[str, Any]) -> base.TaskData:
    """Read all annotated clips.

    Args:
        root: holds ``annotations_final.csv`` and the sixteen folders.
        target: ``top50``.
        options: none.

    Raises:
        UserError: the table or every audio folder is missing, or a row is damaged.
    """
    table, folder = disk.require(root, ("annotations_final.csv", PLACES), LAYOUT, SOURCE)
    files = _list_clips(root, folder.parent)
    draft = base.Draft()
    seen = set()
    for row, (clip, path, *marks) in disk.read_table(table, "\t", ["clip_id", "mp3_path", *TAGS]):
        key = path.lower().removesuffix(".mp3")
        seen.add(key)
        if key[:1] not in FOLDERS or key[1:2] != "/":
            raise UserError(
                f"{table}: row {row}: found path {path!r}, expected one below a folder 0-f; take the file as downloaded"
            )
        for tag, mark in zip(TAGS, marks):
            if mark not in ("0", "1"):
                raise UserError(
                    f"{table}: row {row}, column {tag}: found {mark!r}, expected 0 or 1; take the file as downloaded"
                )
        where, split = f"{table}: row {row}", _split(key[0])
        if clip in EMPTY_MP3 and (key not in files or files[key].num_bytes == 0):
            draft.skip(clip, base.KNOWN_FAULT, f"{path} has no bytes in the archive", split)
        elif file := draft.audio(files, key, clip, path, split):
            draft.keep_apart(f"song {_song(key)!r}", split, where)
            draft.add(base.Item(clip, split, file.path, 0.0, 0.0, clip, [int(mark) for mark in marks]), where)
    for key in sorted(files.keys() - seen):
        draft.skip(key, base.NO_ROW, f"{files[key].path} is not in {table.name}")
    return base.TaskData(draft.items, list(TAGS), draft.skipped, EXPECTED, [])


def recordings(root: Path) -> list[disk.AudioFile]:
    """Return the clips of the sixteen folders that have bytes."""
    (folder,) = disk.require(root, [PLACES], LAYOUT, SOURCE)
    return [file for file in _list_clips(root, folder.parent).values() if file.num_bytes]


def _list_clips(root: Path, home: Path) -> dict[str, disk.AudioFile]:
    """Return ``folder/name`` -> audio file."""
    return {f"{name}/{key}": file for name in FOLDERS for key, file in disk.list_audio(root, home / name).items()}


def _song(key: str) -> str:
    """Return artist, album, track and title: the clip's name without folder and times."""
    return key[2:].rsplit("-", 2)[0]


def _split(folder: str) -> str:
    return "train" if folder < "c" else "valid" if folder == "c" else "test"
