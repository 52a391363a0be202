"""Whole files under final names, hashed while they are written; damaged ones are named."""

import hashlib
import os
import subprocess

import pytest

from musicssl.artefacts import store
from musicssl.runtime import UserError


def test_the_digest_taken_while_writing_is_that_of_the_file(tmp_path):
    path = tmp_path / "folder/x.bin"
    with store.writing(path) as stream:
        stream.write(b"abc")
        stream.write(memoryview(bytes(range(256))))
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert store._written[os.path.abspath(path)] == store.content_of(path) == (expected, 259)
    with store.atomic(path) as part:
        part.write_bytes(b"other")
    assert store.written_content(path) == (hashlib.sha256(b"other").hexdigest(), 5)


def write_half(path, writer):
    with writer(path) as target:
        (target.write if writer is store.writing else target.write_bytes)(b"half")
        raise ZeroDivisionError


@pytest.mark.parametrize("writer", [store.writing, store.atomic])
def test_an_error_leaves_what_was_there(tmp_path, writer):
    path = tmp_path / "x"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError):
        write_half(path, writer)
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


class Full:
    """A disk without space."""

    def write(self, data):
        raise OSError(28, "No space left on device")


def save_as_torch_does(path):
    with store.writing(path) as stream:
        stream._stream = Full()
        try:
            stream.write(b"x")
        except OSError:
            raise RuntimeError("unexpected pos 64 vs 0") from None


def test_the_reason_of_the_disk_is_told_where_a_library_hides_it(tmp_path):
    with pytest.raises(OSError, match="No space left"):
        save_as_torch_does(tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_a_disk_that_cannot_rename_is_named(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(store.os, "replace", refuse)
    with pytest.raises(UserError, match=r"x.json: this disk cannot rename a file whole \(Operation not supported\)"):
        store.write_json(tmp_path / "x.json", {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "not there, expected a file of this workflow"),
        (b'{"a": ', "damaged .*expected JSON; delete it"),
        (b"\xff\xfe\x00", "cannot be read .it is not UTF-8 text"),
        (b"[" * 100_000, "damaged"),
        (b"[1]", "found a JSON list, expected an object"),
    ],
    ids=["missing", "cut", "other encoding", "deep", "list"],
)
def test_damaged_json_is_one_sentence(tmp_path, content, words):
    path = tmp_path / "x.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=f"x.json: {words}"):
        store.read_object(path)


def test_rows_but_for_a_last_one_cut_by_a_kill(tmp_path):
    path = tmp_path / "rows.jsonl"
    store.write_jsonl(path, [{"a": 1}, {"a": 2}])
    path.write_bytes(path.read_bytes() + b'{"a": 3')
    assert store.read_jsonl(path) == [{"a": 1}, {"a": 2}]
    path.write_bytes(b'{"a": \n{"a": 2}\n')
    with pytest.raises(UserError, match=r"rows.jsonl: line 1 is damaged"):
        store.read_jsonl(path)


def test_what_a_killed_process_left_goes_with_the_next_writer(tmp_path):
    """Not what lives, what another machine wrote, or what belongs to another file."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    names = [f".x.json.{store.HOST}-{gone.pid}.part", f".x.json.{store.HOST}-{os.getppid()}.part"]
    names += [f".x.json.elsewhere-{gone.pid}.part", f".y.json.{store.HOST}-{gone.pid}.part"]
    for name in names:
        (tmp_path / name).write_text("half")
    store.write_json(tmp_path / "x.json", {})
    assert {path.name for path in tmp_path.iterdir()} == {"x.json", *names[1:]}
