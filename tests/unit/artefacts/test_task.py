"""Tables of items and recordings: written and read back, refused where damaged."""

import pytest

from musicssl.artefacts import recordings, task
from musicssl.artefacts.recordings import Recording
from musicssl.artefacts.task import Item, Skip, TaskTable
from musicssl.runtime import UserError

ITEMS = [
    Item("a#0", "train", 'odd, "name".wav', 0.0, 30.0, "a", 3),
    Item("b", "valid", "ü/b.wav", 0.1 + 0.2, 0.0, "b", [0, 1]),
    Item("c", "test", "c.wav", 0.0, 0.0, "c", [0.1, 1e-9]),
]
TABLE = TaskTable(
    "some", "gtzan", "key", ["x", "y"], ITEMS, [Skip("d", "missing audio", "d, gone", "test")],
    {"train": 1, "valid": 1, "test": 1}, ["a note"], "@book{}", "CC",
)  # fmt: skip


def test_a_task_is_read_back_as_it_was_written(tmp_path):
    task.write(tmp_path, TABLE)
    assert task.read(tmp_path) == TABLE
    assert (tmp_path / "items.csv").read_bytes().splitlines()[0] == b"id,split,path,start_s,duration_s,group,target"
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(first) == ["items.csv", "skipped.csv", "task.json"]
    task.write(tmp_path, task.read(tmp_path))
    assert first == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("group", "song", r"row 1 has the columns \['id', .*\], expected \['id', .*'group', 'target'\]; delete it and"),
        (',"[0,1]"', "", r"row 3 has 6 cells, expected 7; delete it and run the workflow again"),
        ('1e-09]"\n', "", r"the last of 4 rows is cut short; delete it and run the workflow again"),
        ("b,valid", "b,dev", r"row 3, column split: found 'dev', expected train or valid or test; delete it"),
        ("30.0", "long", r"row 2 is damaged \(could not convert string to float: 'long'\); delete it"),
        ('"[0,1]"', '"[0,1"', r"row 3 is damaged \(Expecting ',' delimiter.*\); delete it"),
    ],
)
def test_a_damaged_table_is_refused_by_row(tmp_path, old, new, sentence):
    task.write(tmp_path, TABLE)
    path = tmp_path / "items.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match=rf"{path}: {sentence}"):
        task.read(tmp_path)


def test_a_missing_or_damaged_card_is_refused(tmp_path):
    task.write(tmp_path, TABLE)
    card = tmp_path / "task.json"
    for text in ("{", "[]", "{}"):
        card.write_text(text)
        with pytest.raises(UserError, match=rf"{card}: missing or damaged .*; delete it and run the workflow again"):
            task.read(tmp_path)


def test_recordings_are_read_back_and_refused_where_damaged(tmp_path):
    path = tmp_path / "recordings.csv"
    listed = [Recording("a.wav", 0.1 + 0.2, "00"), Recording("b, c.wav", 0.0, "ff")]
    recordings.write(path, listed)
    assert recordings.read(path) == listed
    recordings.write(path, listed[::-1])
    with pytest.raises(UserError, match=r"recordings.csv: row 3: 'a.wav' stands after 'b, c.wav'; delete it and"):
        recordings.read(path)
    path.write_text("path,duration_s,sha256\na.wav,long,00\n")
    with pytest.raises(UserError, match=r"recordings.csv: row 2: found a length of 'long', expected seconds; delete"):
        recordings.read(path)
    path.unlink()
    with pytest.raises(UserError, match=r"recordings.csv: missing; run the workflow again"):
        recordings.read(path)
