"""VocalSet: ten singing techniques and twenty singers.

Wilkins, Seetharaman, Wahl & Pardo, ISMIR 2018, version 1.1 (of 1.2 only the copy by singer is read). Singer and
technique are those of the folders: some files lack the singer in their name or carry another one's.

Technique: the test singers of the archive's two lists, and a fixed singer-disjoint division of the other fifteen into
nine for training and six for validation, which the paper asks for without printing it; ours is below. Singer: of each
singer's recordings, in an order drawn by SHA-1, 48, 32 and 20 %, so that every part has every singer.

Published are 20 singers, four contexts, 17 techniques and about 3,600 recordings; how many of each a singer has, or a
part of the split, is not.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..runtime import UserError
from . import base, disk

VERSION = 1
TARGETS = {"technique": "multiclass", "singer": "multiclass"}
DEFAULTS: dict[str, Any] = {}
CITATION = """@inproceedings{vocalset2018,
  author = {Wilkins, Julia and Seetharaman, Prem and Wahl, Alison and Pardo, Bryan},
  title = {{VocalSet}: A Singing Voice Dataset},
  booktitle = {International Society for Music Information Retrieval Conference},
  year = {2018}
}"""
LICENCE = "CC BY 4.0"
SOURCE = "Zenodo record 1203819 (version 1.1), archive VocalSet11.zip"
LAYOUT = (
    "FULL/<female1..9, male1..11>/<context>/<technique>/*.wav (version 1.2: data_by_singer/...) and, beside or in it, "
    "train_singers_technique.txt and test_singers_technique.txt"
)
LISTS = {"train": "train_singers_technique.txt", "test": "test_singers_technique.txt"}
NUM_RECORDINGS, LEAST_RECORDINGS = 3_600, 3_240
"""Of all techniques; only the rounded number is published, so a tenth may be missing unnoticed."""
FOLDERS = ("FULL", "data_by_singer", "VocalSet11/FULL", "VocalSet1-2/data_by_singer", "VocalSet/FULL", ".")
FULL_NAMES = {"f": "female", "m": "male"}
CONTEXTS = ("arpeggios", "excerpts", "long_tones", "scales")
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
"""Those of the published lists, for a download without them."""
NAMED = re.compile(r"(?<![a-z0-9])(f|m|female|male)[\s_]*0*(\d+)(?![a-z0-9])")
VALID_SHARE, TEST_SHARE = 0.32, 0.20


class Recording(NamedTuple):
    """One file and what its folders say."""

    name: str
    singer: str
    technique: str
    file: disk.AudioFile


def read(root: Path, target: str, options: dict[str, Any]) -> base.TaskData:
    """Read all recordings.

    Args:
        root: holds ``FULL`` as unpacked.
        target: ``technique`` or ``singer``.
        options: none.

    Raises:
        UserError: no singer's folder is found, or the lists of singers contradict each other.
    """
    home = _home(root)
    draft, notes = base.Draft(), ["silence is not trimmed"]
    classes = TECHNIQUES if target == "technique" else SINGERS
    around = [home if home == root else home.parent, home, root]
    side_of = _read_sides(around, notes) if target == "technique" else {}
    found, counts = _list_recordings(root, home, draft, side_of)
    splits = {one.name: side_of[one.singer] for one in found} if side_of else _split_by_recording(found)
    for name, singer, technique, file in found:
        label = classes.index(technique if side_of else singer)
        draft.add(base.Item(name, splits[name], file.path, 0.0, 0.0, name, label), str(root / file.path))
    heard = {item.target for item in draft.items if item.split == "train"}
    absent = [name for i, name in enumerate(classes) if i not in heard]
    totals = [*_totals(home, counts), _all_of(f"{target}s in train", classes, absent)]
    return base.TaskData(draft.items, classes, draft.skipped, None, notes, totals)


def recordings(root: Path) -> list[disk.AudioFile]:
    """Return the recordings of all singers and techniques, second copies left out."""
    found, _ = _list_recordings(root, _home(root), base.Draft(), {})
    return [one.file for one in found]


def _home(root: Path) -> Path:
    """Return the folder of the singers' folders."""
    disk.require(root, [], LAYOUT, SOURCE)
    home = next((root / name for name in FOLDERS if any(_singers(root / name))), None)
    if home is None:
        raise UserError(f"{root}: no folder of a singer; expected below it: {LAYOUT}. Where it comes from: {SOURCE}")
    return home


def _totals(home: Path, counts: Counter[tuple[str, str]]) -> list[base.Total]:
    """Return what is published of the archive beside what ``home`` has, given the recordings by singer and context."""
    wanted = {(singer, context): f"{_folder(home, singer)}/{context}" for singer in SINGERS for context in CONTEXTS}
    empty = [folder for key, folder in wanted.items() if not counts[key]]
    return [
        base.Total("recordings", counts.total(), f"about {NUM_RECORDINGS:,}", LEAST_RECORDINGS),
        _all_of("contexts of singers", list(wanted), empty),
    ]


def _all_of(what: str, wanted: Sequence[Any], absent: Sequence[str]) -> base.Total:
    """Return the total of things that are all there in a whole download."""
    detail = f"without {base.shorten(absent)}" if absent else ""
    return base.Total(what, len(wanted) - len(absent), f"{len(wanted):,}", len(wanted), detail)


def _read_sides(folders: Sequence[Path], notes: list[str]) -> dict[str, str]:
    """Return singer -> split from the archive's two lists, those of the publication where there are none.

    Args:
        folders: where the lists may lie, from the most likely place on.
        notes: takes the singers of both parts and where they come from.

    Raises:
        UserError: a row names a singer that does not exist or stands in the other list, or a list names nobody.
    """
    listed: dict[str, tuple[str, str]] = {}
    for side, name in LISTS.items():
        if path := next((folder / name for folder in folders if (folder / name).is_file()), None):
            singers = dict(_read_singers(path))
            if not singers:
                raise UserError(f"{path}: found no singer, expected rows such as female1; unpack the archive again")
            for singer, where in singers.items():
                other, first = listed.setdefault(singer, (side, where))
                if other != side:
                    raise UserError(
                        f"{where}: found {singer}, which {first} puts into {other}, expected each singer in one of the "
                        "two lists; unpack the archive again"
                    )
        else:
            notes.append(f"{name} is not there: the published singers stand in for it")
    if listed and (others := [singer for singer in SINGERS if singer not in listed]):
        notes.append(f"{', '.join(others)} are in no list: they stay where they are published")
    published = {singer: "test" if singer in TEST_SINGERS else "train" for singer in SINGERS}
    side_of = published | {singer: side for singer, (side, _) in listed.items()}
    side_of |= {singer: "valid" for singer in VALID_SINGERS if side_of[singer] == "train"}
    held = {split: ", ".join(s for s in SINGERS if side_of[s] == split) for split in ("valid", "test")}
    notes.append(f"validation singers {held['valid']}; test singers {held['test']}")
    return side_of


def _read_singers(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (singer, file and row) of a list, however spelt: f1, female1, Female 1; a row without number is a heading.

    Raises:
        UserError: a row has a number and names no singer, or one that does not exist.
    """
    for row, line in disk.read_lines(path):
        singers = [f"{sex[0]}{number}" for sex, number in NAMED.findall(line.lower())]
        strange = not singers and re.search(r"\d", line)
        if strange or not set(singers) <= set(SINGERS):
            raise UserError(
                f"{path}: row {row}: found {line!r}, expected singers from female1 to female9 and male1 to male11; "
                "unpack the archive again"
            )
        yield from ((singer, f"{path}: row {row}") for singer in singers)


def _folder(home: Path, singer: str) -> str:
    """Return the folder of a singer as messages name it."""
    return f"{home.name}/{FULL_NAMES[singer[0]]}{singer[1:]}"


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


def _list_recordings(
    root: Path, home: Path, draft: base.Draft, side_of: dict[str, str]
) -> tuple[list[Recording], Counter[tuple[str, str]]]:
    """Return the usable recordings sorted by name, and how many there are of each singer and context.

    Args:
        root: of the dataset.
        home: the folder of the singers' folders; a name is the path below it without extension.
        draft: takes what is left out.
        side_of: singer -> split for the technique task, which leaves seven techniques out; empty for singers.
    """
    recordings, folders, counts = [], _singers(home), Counter[tuple[str, str]]()
    for singer in sorted(set(SINGERS) - {singer for singer, _ in folders}):
        draft.skip(singer, base.MISSING_AUDIO, f"{_folder(home, singer)} is not there", side_of.get(singer, ""))
    for singer, folder in folders:
        for place in (folder, *(path for path in sorted(folder.iterdir()) if path.is_dir())):
            for stray in disk.list_audio(root, place).values():
                draft.skip(stray.path, base.NO_ROW, "lies in no folder of a technique")
        for technique_folder in sorted(path for path in folder.glob("*/*") if path.is_dir()):
            where = technique_folder.relative_to(home).as_posix()
            name, context = (_plain(path.name) for path in (technique_folder, technique_folder.parent))
            technique = MISSPELT.get(name, name)
            if technique not in (*TECHNIQUES, *OTHER_TECHNIQUES):
                draft.skip(where, base.UNKNOWN_LABEL, f"{name!r} is none of the 17 techniques")
                continue
            files = disk.list_audio(root, technique_folder)
            counts[singer, context] += len(files)
            if side_of and technique in OTHER_TECHNIQUES:
                draft.skip(where, base.PROTOCOL, f"{technique} is not one of the ten techniques of the task")
                continue
            for key in sorted(files):
                item = f"{where}/{key}"
                original = re.sub(r"\s*\(\d+\)$", "", key)
                if original != key and original in files:
                    draft.skip(item, base.KNOWN_FAULT, f"second copy of {original}")
                elif file := draft.audio(files, key, item, item, side_of.get(singer, "")):
                    recordings.append(Recording(item, singer, technique, file))
    return recordings, counts


def _plain(name: str) -> str:
    """Return a folder's name in lower case, blanks as underscores."""
    return name.lower().strip().replace(" ", "_")


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
