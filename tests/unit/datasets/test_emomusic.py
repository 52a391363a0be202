"""EmoMusic: stray blanks, the artist split and standardised targets."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from task_layouts import added, put, write_emomusic

from musicssl.datasets import base, emomusic
from musicssl.runtime import UserError

HASHES = Path(__file__).parents[2] / "golden" / "task_hashes.csv"


@pytest.fixture
def root(tmp_path):
    return write_emomusic(tmp_path)


def read(root):
    return emomusic.read(root, "arousal-valence", {})


def test_targets_are_standardised_over_the_development_set(root):
    data = read(root)
    values = {item.id: item.target for item in data.items}
    development = np.array([[3.0, 4.0], [5.0, 6.0], [7.0, 5.0]])
    expected = (np.array([4.0, 4.5]) - development.mean(0)) / development.std(0)
    assert data.classes == ["arousal", "valence"]
    assert values["1000"] == pytest.approx(expected.tolist())
    assert data.notes[0] == "arousal: 5.000 +- 1.633 became 0 +- 1"


def test_evaluation_tests_and_the_artist_decides_the_rest(root):
    assert {item.id: item.split for item in read(root).items} == {
        "2": "train",
        "3": "valid",
        "17": "train",
        "1000": "test",
    }


@pytest.mark.parametrize("row", csv.DictReader(HASHES.open()), ids=lambda row: row["name"])
def test_artists_fall_where_sha1_says(root, row):
    info = root / "songs_info.csv"
    info.write_text(info.read_text().replace("Golf", f" {row['name'].title().replace(' ', '  7 ')}!é"))
    expected = "train" if int(row["mod10"]) < 8 else "valid"
    assert {item.id: item.split for item in read(root).items}["17"] == expected


@pytest.mark.parametrize("row", csv.DictReader(HASHES.open()), ids=lambda row: row["name"])
def test_songs_of_one_artist_lie_on_one_side_however_spelt(root, row):
    info = root / "songs_info.csv"
    text = info.read_text().replace("The 39 Steps", row["name"].upper()).replace("Golf", f"{row['name']}, 3")
    info.write_text(text.replace('3.mp3,"Alpha', f'3.mp3,"{row["name"].title()}'))
    splits = {item.id: item.split for item in read(root).items}
    assert splits["2"] == splits["3"] == splits["17"]


def test_artists_are_normalized():
    assert emomusic.normalize_artist(" The  39\tSteps & Björk! ") == "the steps bjrk"


def test_annotations_below_their_own_folder_and_other_encodings(root):
    for name in ("songs_info.csv", "static_annotations.csv"):
        put(root / "annotations" / name, b"\xef\xbb\xbf" + (root / name).read_bytes().replace(b"\n", b"\r\n"))
        (root / name).unlink()
    info = root / "annotations" / "songs_info.csv"
    info.write_bytes(info.read_bytes().replace(b"The 39 Steps", b"The 39 St\xe9eps"))
    assert {item.id: item.split for item in read(root).items}["2"] == "train"


def test_half_downloads_are_told_song_by_song(root):
    (root / "clips_45seconds" / "2.mp3").unlink()
    (root / "clips_45seconds" / "3.mp3").write_bytes(b"")
    put(root / "clips_45seconds" / "999.mp3")
    static = root / "static_annotations.csv"
    static.write_text(static.read_text().replace("1000,", "1001,"))
    assert {skip.item: skip.reason for skip in read(root).skipped} == {
        "2": base.MISSING_AUDIO,
        "3": base.EMPTY_FILE,
        "999": base.NO_ROW,
        "1000": base.MISSING_ANNOTATION,
    }


def test_damaged_tables_are_refused(root):
    static, info = root / "static_annotations.csv", root / "songs_info.csv"
    text = static.read_text()
    static.write_text(text.replace("5.0,1.1", "50,1.1"))
    with pytest.raises(UserError, match=r"static_annotations.csv: row 3: .*expected two means from 1 to 9"):
        read(root)
    static.write_text(text.replace(",", ";"))
    with pytest.raises(UserError, match=r"static_annotations.csv: row 1 .*separated by commas"):
        read(root)
    static.write_text(text)
    table = info.read_text()
    info.write_text(table.replace("evaluation", "eval"))
    with pytest.raises(UserError, match=r"songs_info.csv: row 5: set 'eval', expected one of"):
        read(root)
    info.write_text(table.replace("\n17,", "\nseventeen,"))
    with pytest.raises(UserError, match=r"songs_info.csv: row 4, column song_id: found 'seventeen'"):
        read(root)


def test_a_song_twice_is_refused_with_both_rows(root):
    for name, line, told in (
        ("songs_info.csv", '17,17.mp3,"Golf"," A, Song",1.3,2.15,Jazz,evaluation', "found '17', which row 4 describes"),
        ("static_annotations.csv", "3,8.0,1.1,2.0,1.4", "found '3', which row 3 describes"),
    ):
        with (
            added(root / name, line),
            pytest.raises(UserError, match=rf"{name}: row 6, column song_id: {told} already"),
        ):
            read(root)


def test_one_value_everywhere_cannot_be_standardised(root):
    static = root / "static_annotations.csv"
    static.write_text(static.read_text().replace(",5.0,1.1", ",3.0,1.1").replace(",7.0,1.1", ",3.0,1.1"))
    with pytest.raises(UserError, match=r"fewer than two different arousal values"):
        read(root)
