"""VocalSet: ten singing techniques and twenty singers, in segments of a few seconds.

Wilkins, Seetharaman, Wahl & Pardo, ISMIR 2018, version 1.1 (of 1.2 only the copy by singer is read). Singer and
technique are those of the folders: some files lack the singer in their name or carry another one's.

Technique: the published test singers, and a fixed singer-disjoint division of the other fifteen into nine for training
and six for validation, which the paper asks for without printing it; ours is below. Singer: 48/32/20 % of each
singer's recordings in an order drawn by SHA-1, so that every part has every singer. All segments of a recording share
a part. A remainder shorter than a segment is left out, and so is a recording shorter than one (as in MARBLE).
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

from .. import runtime
from ..runtime import UserError
from . import base, disk

TARGETS = {"technique": "multiclass", "singer": "multiclass"}
DEFAULTS: dict[str, Any] = {"clip_s": 3.0}
CITATION = """@inproceedings{vocalset2018,
  author = {Wilkins, Julia and Seetharaman, Prem and Wahl, Alison and Pardo, Bryan},
  title = {{VocalSet}: A Singing Voice Dataset},
  booktitle = {International Society for Music Information Retrieval Conference},
  year = {2018}
}"""
LICENCE = "CC BY 4.0"
SOURCE = "Zenodo record 1203819 (version 1.1), archive VocalSet11.zip"
LAYOUT = "FULL/<female1..9, male1..11>/<context>/<technique>/*.wav (version 1.2: data_by_singer/...)"
FOLDERS = ("FULL", "data_by_singer", "VocalSet11/FULL", "VocalSet1-2/data_by_singer", "VocalSet/FULL", ".")
FULL_NAMES = {"f": "female", "m": "male"}
SINGERS = [*(f"f{i}" for i in range(1, 10)), *(f"m{i}" for i in range(1, 12))]
# fmt: off
TECHNIQUES = [
    "belt", "breathy", "inhaled", "lip_trill", "spoken", "straight", "trill", "trillo", "vibrato", "vocal_fry",
]
OTHER_TECHNIQUES = ["fast_forte", "fast_piano", "forte", "messa", "pp", "slow_forte", "slow_piano"]
# fmt: on
MISSPELT = {"vibrado": "vibrato"}
VALID_SINGERS = ("f4", "f7", "f9", "m7", "m9", "m11")
TEST_SINGERS = ("f2", "f8", "m3", "m5", "m10")
VALID_SHARE, TEST_SHARE = 0.32, 0.20


class Recording(NamedTuple):
    """One file and what its folders say."""

    name: str
    singer: str
    technique: str
    file: disk.AudioFile


def read(root: Path, target: str, options: dict[str, Any]) -> base.TaskData:
    """Read the segments of all recordings.

    Args:
        root: holds ``FULL`` as unpacked.
        target: ``technique`` or ``singer``.
        options: ``clip_s``, length of a segment in seconds.

    Raises:
        UserError: no singer's folder is found.
    """
    disk.require(root, [], LAYOUT, SOURCE)
    home = next((root / name for name in FOLDERS if any(_singers(root / name))), None)
    if home is None:
        raise UserError(f"{root}: no folder of a singer; expected below it: {LAYOUT}. Where it comes from: {SOURCE}")
    draft = base.Draft()
    recordings = _list_recordings(root, home, draft, target)
    classes = TECHNIQUES if target == "technique" else SINGERS
    splits = _split_by_singer(recordings) if target == "technique" else _split_by_recording(recordings)
    clip_s = base.clip_length_s(options)
    for recording in runtime.progress(recordings, len(recordings), "recordings"):
        label = classes.index(recording.technique if target == "technique" else recording.singer)
        duration_s = disk.audio_duration_s(root / recording.file.path)
        if duration_s is None:
            draft.skip(recording.name, base.UNREADABLE, f"{recording.file.path} has no readable header")
            continue
        num_clips = base.count_clips(duration_s, clip_s)
        if num_clips == 0:
            draft.skip(recording.name, base.PROTOCOL, f"{duration_s:.2f} s is shorter than a segment of {clip_s:g} s")
        split = splits[recording.name]
        draft.items.extend(
            base.Item(f"{recording.name}#{k}", split, recording.file.path, k * clip_s, clip_s, recording.name, label)
            for k in range(num_clips)
        )
    return base.TaskData(draft.items, classes, draft.skipped, None, _notes(target, clip_s))


def _notes(target: str, clip_s: float) -> list[str]:
    notes = [f"segments of {clip_s:g} s; silence is not trimmed"]
    if target == "technique":
        notes.append(f"validation singers {', '.join(VALID_SINGERS)}; test singers {', '.join(TEST_SINGERS)}")
    return notes


def _singers(home: Path) -> list[tuple[str, Path]]:
    """Return (singer, folder) for each folder named after one, as f1 for female1."""
    if not home.is_dir():
        return []
    found = []
    for path in sorted(home.iterdir()):
        match = re.fullmatch(r"(female|male)\s*(\d+)", path.name.lower().strip())
        if path.is_dir() and match and f"{match[1][0]}{match[2]}" in SINGERS:
            found.append((f"{match[1][0]}{match[2]}", path))
    return found


def _list_recordings(root: Path, home: Path, draft: base.Draft, target: str) -> list[Recording]:
    """Return the usable recordings sorted by name, which is their path below ``home`` without extension."""
    recordings, folders = [], _singers(home)
    for singer in sorted(set(SINGERS) - {singer for singer, _ in folders}):
        draft.skip(singer, base.MISSING_AUDIO, f"{home.name}/{FULL_NAMES[singer[0]]}{singer[1:]} is not there")
    for singer, folder in folders:
        for place in (folder, *(path for path in sorted(folder.iterdir()) if path.is_dir())):
            for stray in disk.list_audio(root, place).values():
                draft.skip(stray.path, base.NO_ROW, "lies in no folder of a technique")
        for technique_folder in sorted(path for path in folder.glob("*/*") if path.is_dir()):
            where = technique_folder.relative_to(home).as_posix()
            name = technique_folder.name.lower().strip().replace(" ", "_")
            technique = MISSPELT.get(name, name)
            if technique not in (*TECHNIQUES, *OTHER_TECHNIQUES):
                draft.skip(where, base.UNKNOWN_LABEL, f"{name!r} is none of the 17 techniques")
                continue
            if target == "technique" and technique in OTHER_TECHNIQUES:
                draft.skip(where, base.PROTOCOL, f"{technique} is not one of the ten techniques of the task")
                continue
            files = disk.list_audio(root, technique_folder)
            for key in sorted(files):
                item = f"{where}/{key}"
                original = re.sub(r"\s*\(\d+\)$", "", key)
                if original != key and original in files:
                    draft.skip(item, base.KNOWN_FAULT, f"second copy of {original}")
                elif file := draft.audio(files, key, item, item):
                    recordings.append(Recording(item, singer, technique, file))
    return recordings


def _split_by_singer(recordings: list[Recording]) -> dict[str, str]:
    """Return recording -> split of its singer."""
    return {
        recording.name: "test"
        if recording.singer in TEST_SINGERS
        else "valid"
        if recording.singer in VALID_SINGERS
        else "train"
        for recording in recordings
    }


def _split_by_recording(recordings: list[Recording]) -> dict[str, str]:
    """Return recording -> split, dividing the recordings of each singer."""
    by_singer: dict[str, list[str]] = defaultdict(list)
    for recording in recordings:
        by_singer[recording.singer].append(recording.name)
    splits = {}
    for names in by_singer.values():
        names.sort(key=lambda name: hashlib.sha1(name.encode("utf-8")).hexdigest())
        num_test = max(1, round(TEST_SHARE * len(names)))
        num_valid = max(1, round(VALID_SHARE * len(names)))
        for i, name in enumerate(names):
            splits[name] = "test" if i < num_test else "valid" if i < num_test + num_valid else "train"
    return splits
