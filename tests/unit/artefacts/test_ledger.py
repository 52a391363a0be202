"""A record of every attempt: begun, ended, killed, damaged."""

import pytest

from musicssl.artefacts.ledger import BEGUN, OK, Record, read_record, records
from musicssl.artefacts.store import Content
from musicssl.runtime import UserError


def test_every_attempt_has_a_record_of_its_own(tmp_path):
    paths = []
    for number in (1, 2, 3):
        record = Record("probe", ["mfcc", "mtt"])
        paths.append(record.begin(tmp_path))
        assert record.attempt == number
    assert paths == list(records(tmp_path))
    assert paths[0] == tmp_path / "ledger/probe/mfcc/mtt/001.json"
    assert {read_record(path).status for path in paths} == {BEGUN}


def test_a_record_reads_back_what_was_written(tmp_path):
    record = Record("probe", ["mfcc"], recipe="0123456789", facts={"stretches": [1]})
    path = record.begin(tmp_path)
    record.status, record.outputs = OK, {"probes/mfcc/x.npz": Content("f" * 64, 7)}
    record.write(path)
    assert read_record(path) == record


def test_a_number_taken_by_another_process_is_passed_over(tmp_path, monkeypatch):
    first = Record("probe", []).begin(tmp_path)
    monkeypatch.setattr("pathlib.Path.glob", lambda *_: iter(()))
    second = Record("probe", [])
    assert second.begin(tmp_path) == first.with_name("002.json")
    assert second.attempt == 2


def test_killed_before_its_first_word_it_was_begun(tmp_path):
    path = tmp_path / "ledger/probe/mfcc/001.json"
    path.parent.mkdir(parents=True)
    path.touch()
    assert read_record(path) == Record("probe", ["mfcc"], 1)


@pytest.mark.parametrize(
    "text", ['{"format": "musicssl/2", "rule": "x"', '{"format": "musicssl/1"}', '{"format": "musicssl/2"}']
)
def test_a_record_cut_in_half_or_of_another_edition_is_a_sentence(tmp_path, text):
    path = tmp_path / "001.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"001.json: (damaged|of another edition)"):
        read_record(path)
