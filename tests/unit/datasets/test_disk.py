"""The tolerant readers below all adapters."""

from __future__ import annotations

import os

import numpy as np
import pytest
import soundfile
from task_layouts import put, put_wav

from musicssl.datasets import disk
from musicssl.runtime import UserError


def test_list_audio_scans_one_folder(tmp_path):
    for name in ("b.WAV", "a.mp3", "a.wav", "._a.wav", "notes.txt", ".DS_Store", "x.tar.wav"):
        put(tmp_path / "sub" / name)
    put(tmp_path / "sub" / "deep.wav" / "c.wav")
    os.symlink(tmp_path / "nowhere.wav", tmp_path / "sub" / "dangling.wav")
    assert disk.list_audio(tmp_path, tmp_path / "sub") == {
        "a": disk.AudioFile("sub/a.mp3", 10),
        "b": disk.AudioFile("sub/b.WAV", 10),
        "x.tar": disk.AudioFile("sub/x.tar.wav", 10),
    }
    assert disk.list_audio(tmp_path, tmp_path / "absent") == {}
    assert disk.list_audio(tmp_path / "sub", tmp_path / "sub")["a"].path == "a.mp3"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_read_table_takes_any_line_end_and_mark(tmp_path, end, mark):
    text = end.join([" id\t name\tmore", '1\t"x ""y"""\t', "", "\t\t", "2\tb\tc\td\te"]) + end
    path = put(tmp_path / "t.tsv", mark + text.encode())
    assert list(disk.read_table(path, "\t", ["name", "id"])) == [(2, ['x "y"', "1"]), (5, ["b", "2", "d", "e"])]


def test_a_quote_that_is_never_closed_is_refused_by_row(tmp_path):
    """Else it takes the rows below into its cell, up to the next quote, and nobody misses them."""
    path = put(tmp_path / "t.csv", 'id,name\n1,"a, b"\n2,"Weird Al\n3,c\n4,"d"\n')
    with pytest.raises(UserError, match=r't.csv: row 3: found \'2,"Weird Al\' with a quote that is never closed'):
        list(disk.read_table(path, ",", ["id", "name"]))
    put(path, 'id,name\n1,"' + "x" * 200_000)
    with pytest.raises(UserError, match=r"t.csv: row 2 is not readable \(field larger"):
        list(disk.read_table(path, ",", ["id", "name"]))


def test_a_quote_is_a_character_where_nothing_is_quoted(tmp_path):
    path = put(tmp_path / "t.tsv", 'id\tname\n1\t"Weird Al\n2\tb\n3\t"c"\n')
    found = [cells for _, cells in disk.read_table(path, "\t", ["id", "name"], quoted=False)]
    assert found == [["1", '"Weird Al'], ["2", "b"], ["3", '"c"']]


def test_a_key_described_twice_is_refused_with_both_rows(tmp_path):
    rows: dict[str, int] = {}
    disk.once(rows, "7", tmp_path / "t.csv", 2, "id")
    disk.once(rows, "8", tmp_path / "t.csv", 3, "id")
    with pytest.raises(UserError, match=r"t.csv: row 9, column id: found '7', which row 2 describes already"):
        disk.once(rows, "7", tmp_path / "t.csv", 9, "id")


def test_read_table_refuses_an_empty_file(tmp_path):
    with pytest.raises(UserError, match=r"t.csv: row 1 has the columns \[\], without \['id'\]"):
        list(disk.read_table(put(tmp_path / "t.csv", b""), ",", ["id"]))


def test_text_that_is_not_utf8_is_read_with_a_warning(tmp_path, caplog):
    assert disk.read_text(put(tmp_path / "t.txt", b"a\xe9b")) == "a\ufffdb"
    assert "t.txt: not UTF-8 at byte 1" in caplog.text


def test_durations_come_from_the_header(tmp_path):
    assert disk.audio_duration_s(put_wav(tmp_path / "a.wav", 1.5)) == 1.5
    assert disk.audio_duration_s(put_wav(tmp_path / "none.wav", 0.0)) is None
    assert disk.audio_duration_s(put(tmp_path / "b.wav", b"RIFF")) is None


def test_a_header_that_claims_days_is_not_believed(tmp_path):
    soundfile.write(tmp_path / "days.flac", np.zeros(44100), 44100)
    data = bytearray((tmp_path / "days.flac").read_bytes())
    data[21] |= 0x0F  # the 36 bits of STREAMINFO that count samples
    data[22:26] = b"\xff" * 4
    assert disk.audio_duration_s(put(tmp_path / "days.flac", bytes(data))) is None


def test_of_two_files_of_one_name_the_one_that_needs_no_other_decoder_is_kept(tmp_path):
    for name in ("a.aac", "a.wav", "b.m4a", "__MACOSX/a.wav"):
        put(tmp_path / name)
    assert {key: file.path for key, file in disk.list_audio(tmp_path, tmp_path).items()} == {"a": "a.wav", "b": "b.m4a"}


def test_require_takes_the_first_alternative_and_names_all_that_miss(tmp_path):
    put(tmp_path / "two" / "x.txt")
    put(tmp_path / "three" / "x.txt")
    assert disk.require(tmp_path, [("one", "two", "three")], "layout", "shop") == [tmp_path / "two"]
    put(tmp_path / "file")
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(UserError, match=r"missing file, folder.txt;"):
        disk.require(tmp_path, ["file", "two", "folder.txt"], "layout", "shop")
    with pytest.raises(UserError, match=r"missing one or four, five; expected below it: layout.* from: shop"):
        disk.require(tmp_path, [("one", "four"), "two", "five"], "layout", "shop")
