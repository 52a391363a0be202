"""MagnaTagATune and MTG-Jamendo: tags, tables as published, and damaged downloads."""

from __future__ import annotations

import shutil

import pytest
from task_layouts import put, read_dataset, write_magnatagatune, write_mtg_jamendo

from musicssl.datasets import base, magnatagatune, mtg_jamendo
from musicssl.runtime import UserError


def reasons(data):
    return {skip.item: skip.reason for skip in data.skipped}


@pytest.fixture
def mtt(tmp_path):
    return write_magnatagatune(tmp_path)


@pytest.fixture
def mtg(tmp_path):
    return write_mtg_jamendo(tmp_path)


def test_mtt_tags_splits_and_the_known_empty_file(mtt):
    data = magnatagatune.read(mtt, "top50", {})
    clips = {item.id: item for item in data.items}
    names = {key: {tag for tag, on in zip(data.classes, clip.target) if on} for key, clip in clips.items()}
    assert names == {"4711": {"guitar", "no vocal"}, "12": set(), "13": {"rock"}, "14": {"choral"}, "15": set()}
    assert {key: clip.split for key, clip in clips.items()} == {
        "4711": "train",
        "12": "train",
        "13": "valid",
        "14": "test",
        "15": "test",
    }
    assert reasons(data) == {"35644": base.KNOWN_FAULT}


def test_mtt_folders_below_mp3_and_half_downloads(mtt):
    (mtt / "b" / "band-album-01-song-0-29.mp3").write_bytes(b"")
    for folder in "67bcdf":
        (mtt / "mp3").mkdir(exist_ok=True)
        shutil.move(mtt / folder, mtt / "mp3" / folder)
    (mtt / "mp3" / "d" / "band-album-03-song-0-29.mp3").unlink()
    (mtt / "mp3" / "c" / "band-album-02-song-0-29.mp3").rename(mtt / "mp3" / "c" / "band-album-02-song-0-29.MP3")
    put(mtt / "mp3" / "e" / "never-annotated-0-29.mp3")
    data = magnatagatune.read(mtt, "top50", {})
    assert reasons(data) == {
        "35644": base.KNOWN_FAULT,
        "12": base.EMPTY_FILE,
        "14": base.MISSING_AUDIO,
        "e/never-annotated-0-29": base.NO_ROW,
    }
    assert data.items[1].path == "mp3/c/band-album-02-song-0-29.MP3"


def test_mtt_damaged_tables_are_refused(mtt):
    table = mtt / "annotations_final.csv"
    text = table.read_text()
    table.write_text(text.replace("\t", ","))
    with pytest.raises(UserError, match=r"annotations_final.csv: row 1 .*expected a table separated by tabs"):
        magnatagatune.read(mtt, "top50", {})
    table.write_text(text.replace('"1"', '"yes"', 1))
    with pytest.raises(UserError, match=r"annotations_final.csv: row 2, column guitar: found 'yes', expected 0 or 1"):
        magnatagatune.read(mtt, "top50", {})
    table.write_text(text.replace('song-0-29.mp3"', "song-0-29.mp3", 1))
    with pytest.raises(UserError, match=r"annotations_final.csv: row 4: found .* with a quote that is never closed"):
        magnatagatune.read(mtt, "top50", {})
    table.write_text(text.replace("7/some", "z/some"))
    with pytest.raises(UserError, match=r"row 2: found path 'z/some.*expected one below a folder 0-f"):
        magnatagatune.read(mtt, "top50", {})
    table.write_text(text + '"16\t"0"\n')
    with pytest.raises(UserError, match=r"annotations_final.csv: row 8 has 1 cells, expected 53"):
        magnatagatune.read(mtt, "top50", {})


def test_mtt_songs_do_not_cross_splits(mtt):
    """Clips 14 and 15 are of one song, in two folders of the same part."""
    table = mtt / "annotations_final.csv"
    table.write_text(table.read_text().replace("c/band-album-02-song", "c/band-album-03-song"))
    put(mtt / "c" / "band-album-03-song-0-29.mp3")
    with pytest.raises(
        UserError,
        match=r"csv: row 6: song 'band-album-03-song' is in test, and in valid by .*csv: row 5, expected in one only",
    ):
        magnatagatune.read(mtt, "top50", {})


def test_mtg_artists_do_not_cross_splits(mtg):
    table = mtg / "data" / "splits" / "split-0" / "autotagging_genre-test.tsv"
    table.write_text(table.read_text().replace("artist_000011", "artist_000008"))
    with pytest.raises(
        UserError,
        match=r"genre-test.tsv: row 2: artist 'artist_000008' is in test, and in valid by .*-validation.tsv: row 2, ",
    ):
        mtg_jamendo.read(mtg, "genre", {})


def test_mtg_quotes_are_characters(mtg):
    table = mtg / "data" / "splits" / "split-0" / "autotagging_genre-train.tsv"
    head, row = table.read_text().splitlines()
    rows = [row, row.replace("0000042", "0000142").replace("42/42", "42/142"), row.replace("0000042", "0000342")]
    rows[0], rows[2] = (one.replace("album", '"album') for one in (rows[0], rows[2].replace("42/42", "42/342")))
    table.write_text("\n".join([head, *rows]) + "\n")
    for number in (142, 342):
        put(mtg / "audio-low" / "42" / f"{number}.low.mp3")
    train = [item.id for item in mtg_jamendo.read(mtg, "genre", {}).items if item.split == "train"]
    assert train == ["track_0000042", "track_0000142", "track_0000342"]


def test_mtg_tags_are_the_sorted_union_of_the_split_files(mtg):
    data = mtg_jamendo.read(mtg, "genre", {})
    assert data.classes == ["90s", "dub", "folk", "jazz", "pop", "rock"]
    assert {item.id: item.target for item in data.items} == {
        "track_0000042": [1, 1, 1, 1, 0, 1],
        "track_0001100": [0, 0, 0, 0, 1, 0],
        "track_0000242": [0, 0, 0, 0, 0, 1],
    }
    assert data.items[0].path == "audio-low/42/42.low.mp3"
    assert mtg_jamendo.read(mtg, "moodtheme", {}).classes == data.classes
    assert data.notes == []
    put(mtg / "audio-low" / "42" / "7742.low.mp3")
    assert mtg_jamendo.read(mtg, "genre", {}).notes == ["1 audio files are of no track of this subset"]


@pytest.mark.parametrize("place", ["raw_30s_audio-low", "audio", "."])
def test_mtg_audio_in_other_places_and_qualities(mtg, place):
    for path in sorted((mtg / "audio-low").rglob("*.mp3")):
        put(mtg / place / path.parent.name / path.name.replace(".low.mp3", ".MP3"))
    shutil.rmtree(mtg / "audio-low")
    shutil.move(mtg / "data", mtg / "mtg-jamendo-dataset" / "data")
    data = mtg_jamendo.read(mtg, "top50tags", {})
    assert not data.skipped
    assert data.items[0].path.endswith("42/42.MP3")


def test_mtg_half_downloads_and_damaged_tables(mtg):
    (mtg / "audio-low" / "42" / "42.low.mp3").write_bytes(b"")
    (mtg / "audio-low" / "42" / "242.low.mp3").unlink()
    assert reasons(mtg_jamendo.read(mtg, "genre", {})) == {
        "track_0000042": base.EMPTY_FILE,
        "track_0000242": base.MISSING_AUDIO,
    }
    with pytest.raises(UserError, match=r"no usable item in train, test \(1 x empty file, 1 x missing audio"):
        read_dataset("mtg-jamendo", "genre", mtg, {})
    table = mtg / "data" / "splits" / "split-0" / "autotagging_genre-test.tsv"
    text = table.read_text()
    table.write_text(text.replace("genre---rock", "rock"))
    with pytest.raises(UserError, match=r"genre-test.tsv: row 2: found path '42/242.mp3' and tags \['rock'\]"):
        mtg_jamendo.read(mtg, "genre", {})
    table.write_text(text.replace("\tgenre---rock", ""))
    with pytest.raises(UserError, match=r"genre-test.tsv: row 2 has 5 cells, expected 6"):
        mtg_jamendo.read(mtg, "genre", {})
    table.unlink()
    with pytest.raises(UserError, match=r"missing data/splits/split-0/autotagging_genre-test.tsv or"):
        mtg_jamendo.read(mtg, "genre", {})
