"""The miniature's data sets, written small and read by the adapters under the miniature's own task entries."""

from __future__ import annotations

import csv
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import soundfile

from musicssl.config.catalogue import Catalogue
from musicssl.config.recipes import Items, Miniature, View, build
from musicssl.datasets import base
from musicssl.datasets.listing import list_recordings
from musicssl.miniature import write_dataset
from musicssl.tasks.checks import absent_classes
from musicssl.tasks.prepare import prepare

ITEMS = {
    "nsynth": (22, 10, 20),  # eleven families in training, ten in the others
    "giantsteps": (12, 6, 6),
    "gtzan": (10, 10, 10),  # ten genres
    "magnatagatune": (17, 17, 17),  # seventeen scenes
    "mtg-jamendo": (17, 17, 17),
    "emomusic": (6, 3, 3),
    "vocalset": (30, 15, 15),  # three recordings of each singer
}


class Found(NamedTuple):
    """What a task must be read as.

    Attributes:
        recordings: of train, valid and test.
        skipped: reason and a word of the detail of each.
        absent: classes that train and test lack; None where neither protocol nor metric needs all.
    """

    recordings: tuple[int, int, int]
    skipped: tuple[tuple[str, str], ...] = ()
    absent: tuple[list[str], list[str]] | None = ([], [])


MTG = Found((17, 17, 17))
UNLISTED = (base.PROTOCOL, "in none of the three lists")
COPY = (base.KNOWN_FAULT, "second copy of f2_scales_straight_u")
EXPECTED = {
    "nsynth-instrument": Found((22, 10, 20), absent=([], ["synth_lead"])),  # as in the original
    "nsynth-pitch": Found((22, 10, 20), absent=None),
    "gs-key": Found(
        (12, 6, 6),
        ((base.PROTOCOL, "confidence 0"), (base.PROTOCOL, "confidence 1"), (base.PROTOCOL, "several keys")),
        absent=None,
    ),
    "gtzan-genre": Found((10, 10, 10), (UNLISTED,)),
    "gtzan-rhythm": Found((10, 10, 10), (UNLISTED,)),
    "mtt": Found((17, 17, 17), ((base.KNOWN_FAULT, "no bytes in the archive"),)),
    "mtg-top50": MTG,
    "mtg-genre": MTG,
    "mtg-instrument": MTG,
    "mtg-moodtheme": MTG,
    "emomusic": Found((6, 3, 3)),
    # three recordings of nine, six and five singers, and one more of a test singer
    "vocalset-technique": Found((27, 18, 16), (COPY, (base.PROTOCOL, "fast_forte is not one of the ten"))),
    # of three recordings one in each part; the singer with five has two in training and in validation
    "vocalset-singer": Found((21, 21, 20), (COPY,)),
}
CLIP_S = {"gs-key": 12.0, "vocalset-technique": 3.0, "vocalset-singer": 3.0}  # config/miniature.yaml, config/tasks.yaml


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a function from a data set's name to its folder."""
    root, done = tmp_path_factory.mktemp("written"), set()
    recipe = Miniature(root="unused", seed=3, num_tracks=0, track_s=0.0, items=ITEMS)

    def written(name):
        if name not in done:
            done.add(name)
            write_dataset(name, root / name, recipe)
        return root / name

    return written


def read(name, folder, miniature):
    """Return a task's folder and its items, from the recordings that are listed."""
    recipe = Catalogue(miniature).recipe("tasks", name)
    task, view = build(Items, recipe["entry"]), recipe["inputs"].get("view")
    root = folder(task.dataset)
    lengths = {one.path: one.duration_s for one in list_recordings(task.dataset, root, 2)}
    return root, prepare(task, view and build(View, view["entry"]), root, lengths.get)


def test_every_task_of_the_miniature_is_read_back(miniature):
    assert set(Catalogue(miniature).names("tasks")) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_adapter_reads_what_the_writer_wrote(folder, miniature, name):
    root, data = read(name, folder, miniature)
    expected, kind = EXPECTED[name], Catalogue(miniature).entry("tasks", name)["kind"]
    recordings = Counter(split for _, split in {(item.group, item.split) for item in data.items})
    assert tuple(recordings[split] for split in base.SPLITS) == expected.recordings
    left = list(data.skipped)
    for reason, detail in expected.skipped:
        left.remove(next(skip for skip in left if skip.reason == reason and detail in skip.detail))
    assert not left
    if expected.absent is not None:
        absent = [absent_classes(data.items, data.classes, kind, split) for split in ("train", "test")]
        assert tuple(absent) == expected.absent
    lengths_s = {item.group: soundfile.info(root / item.path).duration for item in data.items}
    clips = Counter(item.group for item in data.items)
    assert clips == {group: int(s / CLIP_S[name]) if name in CLIP_S else 1 for group, s in lengths_s.items()}
    assert all(item.start_s + item.duration_s <= lengths_s[item.group] for item in data.items)


def owners(name: str, root: Path, data: base.TaskData) -> Iterator[tuple[str, str]]:
    """Yield (recording, who is heard) as the data set's own files say it."""
    if name.startswith("mtg"):
        for path in sorted(root.glob("data/splits/split-0/*.tsv")):
            rows = csv.DictReader(path.read_text().splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
            yield from ((row["TRACK_ID"], row["ARTIST_ID"]) for row in rows)
    elif name == "gs-key":
        path = root / "giantsteps-mtg-key-dataset" / "annotations" / "beatport_metadata.txt"
        for row in csv.DictReader(path.open(), delimiter="\t", quoting=csv.QUOTE_NONE):
            yield from ((row["ID"], artist.strip()) for artist in row["ARTIST"].split(","))
    else:  # an instrument before pitch and velocity, a singer's folder
        yield from ((item.group, item.group.rsplit("-", 2)[0].split("/")[0]) for item in data.items)


ALL = [*itertools.combinations(base.SPLITS, 2)]
PROMISED = {
    "nsynth-instrument": [("train", "valid"), ("train", "test")],
    "nsynth-pitch": [("train", "valid"), ("train", "test")],
    "gs-key": [("train", "valid")],  # the test set is another one
    **dict.fromkeys(("mtg-top50", "mtg-genre", "mtg-instrument", "mtg-moodtheme"), ALL),
    "vocalset-technique": ALL,
}


@pytest.mark.parametrize("name", PROMISED)
def test_nobody_is_heard_on_both_sides_where_the_protocol_promises_it(folder, miniature, name):
    root, data = read(name, folder, miniature)
    heard, split_of = defaultdict(set), {item.group: item.split for item in data.items}
    for recording, owner in owners(name, root, data):
        heard[split_of.get(recording, "left out")].add(owner)
    assert all(heard[split] for pair in PROMISED[name] for split in pair)
    for one, other in PROMISED[name]:
        assert not heard[one] & heard[other]
