"""GiantSteps: key names, the artist split, clips, and damaged downloads."""

from __future__ import annotations

import csv
from pathlib import Path

import mir_eval
import pytest
from task_layouts import added, put, put_wav, read_dataset, write_giantsteps

from musicssl.datasets import base, giantsteps
from musicssl.runtime import UserError

HASHES = Path(__file__).parents[2] / "golden" / "task_hashes.csv"
MTG = "giantsteps-mtg-key-dataset"
TEST = "giantsteps-key-dataset"


@pytest.fixture
def root(tmp_path):
    return write_giantsteps(tmp_path)


def read(root):
    return giantsteps.read(root, "key", {})


def reasons(data):
    return {skip.item: skip.reason for skip in data.skipped}


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_key_classes_agree_with_mir_eval():
    for spelling in ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B", "C#", "D#", "F#", "G#", "A#"):
        for mode in ("major", "minor"):
            key = giantsteps.parse_key(f"{spelling} {mode}")
            assert key is not None
            assert key % 12 == mir_eval.key.KEY_TO_SEMITONE[spelling.lower()]
            assert key // 12 == ["major", "minor"].index(mode)
            assert mir_eval.key.weighted_score(f"{spelling} {mode}", giantsteps.KEYS[key]) == 1


def test_key_spellings_of_the_real_files():
    minor = giantsteps.KEYS.index
    assert giantsteps.parse_key("f minor\t") == minor("F minor")
    assert giantsteps.parse_key("b minor") == minor("B minor")
    assert giantsteps.parse_key("bb Major ") == minor("Bb major")
    for text in ("-", " ", "", "A-A# minor", "E / B / A minor", "G minor/major", "H minor", "C"):
        assert giantsteps.parse_key(text) is None


@pytest.mark.parametrize("row", csv.DictReader(HASHES.open()), ids=lambda row: row["name"])
def test_an_artist_alone_falls_where_sha1_says(row):
    expected = "train" if int(row["mod116"]) < 100 else "valid"
    assert giantsteps.assign_artists([[row["name"].upper()]]) == {row["name"].upper(): expected}


def test_collaborators_follow_validation_over_dropped_rows_too(root):
    data = read(root)
    split = {item.group: item.split for item in data.items}
    assert split == {
        "5061": "train",
        "5881": "valid",
        "7217": "valid",
        "9001": "valid",
        "10089": "test",
        "61415": "test",
    }
    edit(root / MTG / "annotations" / "beatport_metadata.txt", "9000\tDelta, Golf", "9000\tDelta")
    assert {item.group: item.split for item in read(root).items}["9001"] == "train"


def test_an_item_is_a_song(root):
    assert {(item.id, item.group, item.start_s, item.duration_s) for item in read(root).items} == {
        (song, song, 0.0, 0.0) for song in ("5061", "5881", "7217", "9001", "10089", "61415")
    }


def test_filter_keeps_confidence_two_and_single_keys(root):
    data = read(root)
    assert reasons(data) == {"9000": base.PROTOCOL, "61578": base.PROTOCOL}
    keys = {item.group: data.classes[item.target] for item in data.items}
    assert keys["5061"] == "Eb minor"
    assert keys["5881"] == "A major"  # its cell ends in a blank
    assert keys["61415"] == "Bb major"


def test_half_downloads_are_told_song_by_song(root):
    (root / MTG / "audio" / "7217.LOFI.wav").unlink()
    (root / MTG / "audio" / "9001.LOFI.wav").write_bytes(b"")
    put_wav(root / MTG / "audio" / "777.LOFI.wav", 31.0)
    put(root / TEST / "annotations" / "key" / "555.LOFI.key", "X minor")
    put(root / TEST / "annotations" / "key" / "556.LOFI.key", "A minor")
    put(root / TEST / "annotations" / "key" / "557.LOFI.key", "")
    found = reasons(read(root))
    assert found.pop("9000") == found.pop("61578") == base.PROTOCOL
    assert found == {
        "7217": base.MISSING_AUDIO,
        "9001": base.EMPTY_FILE,
        "777": base.NO_ROW,
        "555": base.UNKNOWN_LABEL,
        "556": base.MISSING_AUDIO,
        "557": base.MISSING_ANNOTATION,
    }


def test_a_song_without_metadata_has_no_split(root):
    edit(root / MTG / "annotations" / "beatport_metadata.txt", "7217\tGolf", "7218\tGolf")
    assert reasons(read(root))["7217"] == base.MISSING_ANNOTATION


def test_names_case_bom_and_line_ends_are_tolerated(root):
    before = read(root)
    path = root / MTG / "audio" / "5061.LOFI.wav"
    path.rename(path.with_name("0005061.lofi.WAV"))
    for name in ("annotations.txt", "beatport_metadata.txt"):
        path = root / MTG / "annotations" / name
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    after = read(root)
    assert [(item.id, item.split, item.target) for item in after.items] == [
        (item.id, item.split, item.target) for item in before.items
    ]
    assert after.items[0].path.endswith("0005061.lofi.WAV")


def test_damaged_tables_are_refused_with_row_and_cure(root):
    path = root / MTG / "annotations" / "annotations.txt"
    text = path.read_text()
    path.write_text(text.replace("\t", ","))
    with pytest.raises(UserError, match=r"annotations.txt: row 1 has the columns .*separated by tabs"):
        read(root)
    path.write_text(text.replace("F minor\t2", "F minor\ttwo"))
    with pytest.raises(UserError, match=r"annotations.txt: row 5, column C: found 'two', expected a whole number"):
        read(root)
    path.write_text(text.replace("F minor\t2", "F minor"))
    with pytest.raises(UserError, match=r"annotations.txt: row 5 has 2 cells, expected 3"):
        read(root)
    path.unlink()
    with pytest.raises(UserError, match=r"missing giantsteps-mtg-key-dataset/annotations/annotations.txt;"):
        read(root)


def test_one_song_in_both_sets_is_refused(root):
    put(root / TEST / "annotations" / "key" / "5061.LOFI.key", "A minor")
    put_wav(root / TEST / "audio" / "5061.LOFI.wav", 31.0)
    with pytest.raises(
        UserError,
        match=r"/key/5061.LOFI.key: recording '5061' is in test, and in train by .*/annotations.txt: row 3, expected",
    ):
        read_dataset("giantsteps", "key", root, {})


def test_one_song_twice_is_refused_with_both_rows(root):
    for name, line, told in (
        ("annotations.txt", "5061\tD minor\t2", r"row 8: '5061' is listed a second time, .*txt: row 3, expected"),
        (
            "beatport_metadata.txt",
            "5061\tGolf\tA\tMix\tLabel\ttechno",
            "row 8, column ID: found '5061', which row 3 describes already",
        ),
    ):
        path = root / MTG / "annotations" / name
        with added(path, line), pytest.raises(UserError, match=f"{name}: {told}"):
            read(root)


def test_a_stray_quote_swallows_no_rows(root):
    before = read(root)
    edit(root / MTG / "annotations" / "beatport_metadata.txt", "5061\tAlpha\tA Title", '5061\tAlpha\t"A Title')
    assert read(root).items == before.items


def test_songs_are_compared_with_the_published_ones(root):
    totals = {str(total) for total in read(root).totals}
    assert totals == {
        "1 songs of train, published 923",
        "3 songs of valid, published 236",
        "2 songs of test, published 604",
    }
