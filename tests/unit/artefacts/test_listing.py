"""The tables of a corpus read back as they were written; what was damaged or made elsewhere is refused by row."""

import pytest

from musicssl.artefacts.listing import AudioFile, Rejected, read_files, read_rejected, write_files, write_rejected
from musicssl.runtime import UserError

FILES = [
    AudioFile('a, "b".wav', 1.25, 16000, 1, 0, "train", "0" * 64),
    AudioFile("line\nbreak.mp3", 300.123457, 44100, 2, 1, "valid", "0123456789abcdef" * 4),
]


def test_every_cut_of_a_table_inside_a_row_is_refused(tmp_path):
    path = tmp_path / "files.csv"
    write_files(path, FILES)
    assert read_files(path) == FILES
    whole = path.read_bytes()
    ends = {len(whole[: whole.index(b"sha256") + 8]), len(whole[: whole.index(b"0000\r\n") + 6]), len(whole)}
    for cut in set(range(len(whole))) - ends:
        path.write_bytes(whole[:cut])
        with pytest.raises(UserError, match=r"files.csv: .*; delete it and run the workflow again"):
            read_files(path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("44100", "nan", "row 3: found 'line"),
        ("1.25", "inf", "row 2: found"),
        ("train", "test", "row 2: found"),
        ("0123", "012x", "row 3: found"),
        ("file,", "name,", "row 1: found the columns 'name,"),
        ("1.25,", "", "row 2: found 6 cells, expected 7"),
        ("wav", "w\u00e4v", "damaged CSV .'utf-8' codec"),
    ],
)
def test_foreign_values_are_refused_by_row(tmp_path, old, new, words):
    path = tmp_path / "files.csv"
    write_files(path, FILES)
    text = path.read_bytes().decode()
    path.write_bytes(text.replace(old, new, 1).encode("latin-1"))
    with pytest.raises(UserError, match=words):
        read_files(path)


def test_the_quarantine_reads_back_and_a_missing_one_is_a_sentence(tmp_path):
    rows = [Rejected("a.wav", "short", "0.1 s, expected more"), Rejected("b\r.wav", "empty", "")]
    write_rejected(tmp_path / "q.csv", rows)
    assert read_rejected(tmp_path / "q.csv") == rows
    with pytest.raises(UserError, match=r"none.csv: cannot be read .No such file"):
        read_rejected(tmp_path / "none.csv")
