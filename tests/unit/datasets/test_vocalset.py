"""VocalSet: folders rule, the triple copy of version 1.2, duplicates and both splits."""

from __future__ import annotations

import itertools
import os
import shutil

import pytest
from task_layouts import SINGERS, put, put_wav, read_dataset, write_vocalset

from musicssl.commands import tasks as command
from musicssl.datasets import base, vocalset
from musicssl.runtime import UserError

VOWELS = {"scales": "aeiou", "arpeggios": "aeiou", "long_tones": "aeiou", "excerpts": ("row", "caro", "dona")}


@pytest.fixture
def root(tmp_path):
    return write_vocalset(tmp_path)


def read(root, target="technique"):
    return vocalset.read(root, target, {})


def labels(data):
    return {item.group: data.classes[item.target] for item in data.items}


def test_the_fixed_singers_of_the_technique_split():
    train = set(vocalset.SINGERS) - set(vocalset.VALID_SINGERS) - set(vocalset.TEST_SINGERS)
    assert len(vocalset.SINGERS) == 20
    assert (len(train), len(vocalset.VALID_SINGERS)) == (9, 6)
    assert vocalset.TEST_SINGERS == ("f2", "f8", "m3", "m5", "m10")


def test_technique_reads_ten_of_the_folders(root):
    data = read(root)
    assert set(labels(data).values()) == {"vibrato", "belt", "straight", "lip_trill", "trill"}
    splits = {item.group.split("/")[0]: item.split for item in data.items}
    assert splits == {"female1": "train", "female4": "valid", "female2": "test", "male11": "valid"}
    protocol = [skip.item for skip in data.skipped if skip.reason == base.PROTOCOL]
    assert "female1/scales/fast_forte" in protocol


def test_singer_and_technique_come_from_the_folders(root):
    put_wav(root / "FULL" / "male11" / "excerpts" / "vibrato" / "m9_caro_vibrato.wav", 4.0)
    put_wav(root / "FULL" / "female4" / "long_tones" / "straight" / "straight_a.WAV", 4.0)
    put_wav(root / "FULL" / "female2" / "arpeggios" / "vibrado" / "slow_vibrato_arps.wav", 4.0)
    put_wav(root / "FULL" / "female2" / "long_tones" / "trillo" / "f6_ long_trillo_a.wav", 4.0)
    singers, techniques = labels(read(root, "singer")), labels(read(root))
    assert singers["male11/excerpts/vibrato/m9_caro_vibrato"] == "m11"
    assert singers["female4/long_tones/straight/straight_a"] == "f4"
    assert techniques["female2/arpeggios/vibrado/slow_vibrato_arps"] == "vibrato"
    assert singers["female2/long_tones/trillo/f6_ long_trillo_a"] == "f2"


def test_second_copies_macos_leftovers_and_strange_folders_are_left_out(root):
    folder = root / "FULL" / "female2" / "scales" / "vibrato"
    put_wav(folder / "f2_scales_vibrato_o(1).wav", 7.0)
    put_wav(folder / "f2_scales_vibrato_e(1).wav", 7.0)  # the only copy
    put(folder / "._f2_scales_vibrato_o.wav")
    put(folder / ".DS_Store")
    put(root / "__MACOSX" / "FULL" / "female2" / "scales" / "vibrato" / "._f2_scales_vibrato_o.wav")
    put(root / "FULL" / "female2" / "scales" / "yodel" / "f2_scales_yodel_a.wav")
    put(folder / "f2_scales_vibrato_i.wav", b"")
    data = read(root)
    where = "female2/scales/vibrato/f2_scales_vibrato"
    odd = {skip.item: skip.reason for skip in data.skipped if skip.reason not in (base.PROTOCOL, base.MISSING_AUDIO)}
    assert odd == {
        f"{where}_o(1)": base.KNOWN_FAULT,
        "female2/scales/yodel": base.UNKNOWN_LABEL,
        f"{where}_i": base.EMPTY_FILE,
    }
    assert f"{where}_e(1)" in labels(data)


def test_the_triple_copy_is_read_once(root):
    before = read(root)
    shutil.copytree(root / "FULL", root / "data_by_technique" / "belt")
    shutil.copytree(root / "FULL", root / "data_by_vowel")
    (root / "FULL").rename(root / "data_by_singer")
    after = read(root)
    assert [item.id for item in after.items] == [item.id for item in before.items]
    assert all(item.path.startswith("data_by_singer/") for item in after.items)
    assert len(read(root / "data_by_singer").items) == len(before.items)


def test_singer_split_has_every_singer_in_every_part(tmp_path):
    for singer in ("female1", "male11"):
        for i in range(25):
            put_wav(tmp_path / "FULL" / singer / "scales" / "pp" / f"{i}.wav", 4.0)
    data = read(tmp_path, "singer")
    for label in ("f1", "m11"):
        splits = [item.split for item in data.items if data.classes[item.target] == label]
        assert [splits.count(split) for split in base.SPLITS] == [12, 8, 5]
    order = [item.split for item in data.items[:25]]
    assert sum(a != b for a, b in itertools.pairwise(order)) > 2  # drawn, not cut in order of names


def test_a_half_unpacked_archive_is_told_by_its_missing_singers(root):
    missing = {skip.item: skip.detail for skip in read(root).skipped if skip.reason == base.MISSING_AUDIO}
    assert set(missing) == {*(f"f{i}" for i in (3, 5, 6, 7, 8, 9)), *(f"m{i}" for i in range(1, 11))}
    assert missing["m10"] == "FULL/male10 is not there"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """As many files as are published: 20 singers, ten techniques, 15 vowels and 3 songs."""
    root = tmp_path_factory.mktemp("vocalset")
    tone = put_wav(root / "tone.wav", 3.0)
    for singer, technique in itertools.product(SINGERS, vocalset.TECHNIQUES):
        for context, vowels in VOWELS.items():
            folder = root / "FULL" / singer / context / technique
            folder.mkdir(parents=True)
            for vowel in vowels:
                os.link(tone, folder / f"{vowel}.wav")
    put(
        root / "train_singers_technique.txt",
        "\n".join(set(SINGERS) - {"female2", "female8", "male3", "male5", "male10"}),
    )
    put(root / "test_singers_technique.txt", "female2\nfemale8\nmale3\nmale5\nmale10\n")
    return root


def check(root, capsys, target="technique"):
    code = command.main(["check", f"vocalset:{target}", "--root", str(root)])
    captured = capsys.readouterr()
    assert ("complete: " in captured.out) == (code == 0)
    return code, captured.out + captured.err


def without(whole, root, doomed):
    """Return a copy of an archive without some of its files."""
    shutil.copytree(whole / "FULL", root / "FULL", copy_function=os.link)
    for path in [path for i, path in enumerate(sorted(root.rglob("*.wav"))) if doomed(i, path.parts)]:
        path.unlink()
    return root


@pytest.mark.parametrize("target", vocalset.TARGETS)
def test_check_compares_a_whole_archive_with_what_is_published(whole, capsys, target):
    code, text = check(whole, capsys, target)
    assert code == 0
    for line in ("3,600 recordings, published about 3,600", "80 contexts of singers, published 80"):
        assert line in text


@pytest.mark.parametrize(
    ("doomed", "lacks"),
    [
        (lambda i, parts: i % 2, "only 1,800 recordings, published about 3,600"),
        (lambda i, parts: "scales" in parts, "only 2,600 recordings, published about 3,600"),
        (
            lambda i, parts: {"male4", "scales"} <= {*parts},
            "only 79 contexts of singers, published 80 (without FULL/male4/scales)",
        ),
        (
            lambda i, parts: "belt" in parts and not {*parts} & {"female2", "female8", "male3", "male5", "male10"},
            "only 9 techniques in train, published 10 (without belt)",
        ),
    ],
    ids=["every second file", "scales", "one context of one singer", "a class of training"],
)
def test_check_tells_half_an_archive(whole, tmp_path, capsys, doomed, lacks):
    code, text = check(without(whole, tmp_path, doomed), capsys)
    assert code == 1
    assert lacks in text
    assert "Zenodo record 1203819" in text


LISTED = {"train": "train_singers_technique.txt", "test": "test_singers_technique.txt"}


def put_lists(folder, **lines):
    for side, names in lines.items():
        put(folder / LISTED[side], names)


def held(root):
    """Return singer -> split, and the notes."""
    data = read(root)
    return {item.group.split("/")[0]: item.split for item in data.items}, data.notes


@pytest.mark.parametrize("place", [".", "FULL"])
def test_the_archives_lists_decide_who_tests(root, place):
    put_lists(root / place, train="singers\r\nFemale 2\r\nm11\r\n\r\nfemale04", test="f1, m3\n")
    splits, notes = held(root)
    assert splits == {"female1": "test", "female2": "train", "female4": "valid", "male11": "valid"}
    assert "test singers f1, f8, m3, m5, m10" in notes[-1]
    assert notes[-2].startswith("f3, f5, f6, f7, f8, f9, m1, m2, m4, m5,")
    assert notes[-2].endswith(" are in no list: they stay where they are published")


def test_without_lists_the_published_singers_stand_in(root):
    splits, notes = held(root)
    assert splits == {"female1": "train", "female2": "test", "female4": "valid", "male11": "valid"}
    assert [note.split(" ")[0] for note in notes[1:3]] == [*LISTED.values()]
    assert notes[1].endswith("is not there: the published singers stand in for it")
    assert notes[-1] == "validation singers f4, f7, f9, m7, m9, m11; test singers f2, f8, m3, m5, m10"
    assert len(notes) == 4
    put_lists(root, test="female4\n")
    splits, notes = held(root)
    assert splits == {"female1": "train", "female2": "test", "female4": "test", "male11": "valid"}
    assert notes[1].startswith("train_singers_technique.txt is not there")


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ("f1\nf2\n", "m3\nfemale 2\n", r"/test_.*: row 2: found f2, which .*/train_singers_technique.txt: row 2 puts"),
        ("f1\n", "f2\nm12\n", r"/test_singers_technique.txt: row 2: found 'm12', expected singers from female1 to"),
        ("f1\nfemal3\n", "f2\n", r"/train_singers_technique.txt: row 2: found 'femal3', expected singers from fema"),
        ("singers\n", "f2\n", r"/train_singers_technique.txt: found no singer, expected rows such as female1"),
    ],
)
def test_lists_that_contradict_are_refused_by_row(root, train, test, message):
    put_lists(root, train=train, test=test)
    with pytest.raises(UserError, match=message):
        read(root)
    assert read(root, "singer").items  # its split needs no list


def test_files_outside_a_technique_are_named(root):
    put_wav(root / "FULL" / "female1" / "scales" / "a.wav", 4.0)
    put_wav(root / "FULL" / "female1" / "b.wav", 4.0)
    odd = [skip.item for skip in read(root).skipped if skip.reason == base.NO_ROW]
    assert odd == ["FULL/female1/b.wav", "FULL/female1/scales/a.wav"]


def test_no_singer_folder_is_refused(tmp_path):
    put(tmp_path / "FULL" / "readme.txt")
    with pytest.raises(UserError, match=r"no folder of a singer; expected below it: FULL/<female1"):
        read_dataset("vocalset", "singer", tmp_path, {})
