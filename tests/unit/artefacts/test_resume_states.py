"""Saved states and snapshots survive kills, damage and full disks."""

import json
import multiprocessing
import resource
from functools import partial

import pytest
import torch

from musicssl.artefacts import read_json, write_json
from musicssl.artefacts import run as checkpoint
from musicssl.artefacts.run import ResumeStates
from musicssl.runtime import UserError


def state(value):
    return {"objective": {"w": torch.full((1000,), float(value)), "n": torch.tensor(value)}, "optimizer": {"a": [1, 2]}}


def flip_byte(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def damage(path, how):
    """Do to a file or its index what disks and hands do."""
    index = path.with_suffix(".json")
    if how == "bit":
        flip_byte(path)
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif how == "gone":
        path.unlink()
    elif how == "index cut":
        index.write_text('{"format"')
    elif how == "index of a list":
        index.write_text("[]")
    elif how == "size gone":
        write_json(index, {key: value for key, value in read_json(index).items() if key != "size"})
    else:
        old, new = {
            "digest": ('"d1"', '"d3"'),
            "format": ("resume/3", "resume/4"),
            "sum": ('index_sha256": "', 'index_sha256": "1'),
        }[how]
        text = index.read_text()
        assert old in text
        index.write_text(text.replace(old, new))


EVERY_DAMAGE = ["bit", "cut", "gone", "index cut", "index of a list", "size gone", "digest", "format", "sum"]


@pytest.fixture
def states(tmp_path):
    result = ResumeStates(tmp_path / "resume", "d1")
    for update in (5, 10, 15):
        result.save(update, state(update), {"processes": 1})
    return result


def test_the_last_two_are_kept_and_the_newest_loads(states):
    assert states.updates() == [10, 15]
    assert len(list(states.folder.iterdir())) == 4
    assert states.latest() == (15, {"processes": 1})
    assert torch.equal(states.load(15)["objective"]["w"], state(15)["objective"]["w"])


def test_nothing_saved_is_none(tmp_path):
    assert ResumeStates(tmp_path / "resume", "d1").latest() is None


@pytest.mark.parametrize("how", EVERY_DAMAGE)
def test_a_damaged_latest_falls_back_with_a_warning(states, caplog, how):
    """Also where only the index is hurt: a wrong digit in its digest does not make it another recipe's."""
    damage(states.path(15), how)
    assert states.latest()[0] == 10
    assert "000000015.pt" in caplog.text
    assert "falling back" in caplog.text
    assert states.updates() == [10]


def test_all_damaged_is_an_error_that_deletes_nothing(states):
    for update in (10, 15):
        flip_byte(states.path(update))
    with pytest.raises(UserError, match=r"found 2 saved states, all damaged"):
        states.latest()
    assert states.updates() == [10, 15]


def test_another_recipe_is_refused(states):
    with pytest.raises(UserError, match="saved by recipe d1, expected d2"):
        ResumeStates(states.folder, "d2").latest()


@pytest.mark.parametrize("how", EVERY_DAMAGE)
def test_a_lost_snapshot_is_made_again_from_a_state_before_it(states, caplog, how):
    states.keep(12, state(12))
    states.keep(15, state(15))
    assert states.latest([12, 15])[0] == 15
    damage(states.snapshot(12), how)
    assert states.latest([15])[0] == 15  # nobody asks for the damaged one
    with pytest.raises(
        UserError, match=r"snapshot-000000012.pt: the snapshot of update 12 is .* the state after update 10"
    ):
        states.load_snapshot(12)
    assert states.latest([12, 15, 20])[0] == 10
    assert "snapshot-000000012.pt: the snapshot of update 12 is " in caplog.text
    assert states.updates() == [10]  # the later state is of a run that has no such snapshot


@pytest.mark.parametrize("how", [*EVERY_DAMAGE, "newer state"])
def test_a_lost_snapshot_before_all_states_is_an_error_that_deletes_nothing(states, how):
    states.keep(7, state(7))
    damage(states.snapshot(7), "bit" if how == "newer state" else how)
    if how == "newer state":
        flip_byte(states.path(10))
    before = sorted(states.folder.iterdir())
    pattern = (
        r"snapshot-000000007.pt: the snapshot of update 7 is (damaged|missing|unreadable) \(.*found no undamaged state "
        r"before it.*restore it from a backup, take that entry out of the models table, or delete .*resume to train"
    )
    for load in (lambda: states.latest([7]), lambda: states.load_snapshot(7)):
        with pytest.raises(UserError, match=pattern):
            load()
    assert sorted(states.folder.iterdir()) == before
    assert states.latest()[0] == 15


def test_a_snapshot_never_made_is_missing(states):
    with pytest.raises(UserError, match=r"snapshot of update 5 is missing \(snapshot-000000005.json is not there\)"):
        states.latest([5])


def test_another_version_of_the_library_is_told_from_damage(states, monkeypatch):
    """The first format's index had no sum of its own."""
    index = states.path(15).with_suffix(".json")
    content = {key: value for key, value in read_json(index).items() if key != "index_sha256"}
    index.write_text(json.dumps(content | {"format": "musicssl-resume/1"}))
    with pytest.raises(
        UserError, match=r"000000015.pt: found format musicssl-resume/1, .*finish the run with that vers"
    ):
        states.latest()
    monkeypatch.setattr(checkpoint, "FORMAT", "musicssl-resume/9")
    states.save(15, state(15), {})
    monkeypatch.undo()
    with pytest.raises(
        UserError, match=r"found format musicssl-resume/9, .*, or delete .*resume to train from the star"
    ):
        states.latest()


def test_a_file_without_its_index_is_no_state(states):
    states.path(15).with_suffix(".json").unlink()
    assert states.latest()[0] == 10


def test_leftovers_of_a_kill_are_removed(states):
    (states.folder / ".000000020.pt.77.part").write_bytes(b"half")
    states.path(20).write_bytes(b"no index yet")
    output = states.folder.parent / ".checkpoint.pt.77.part"
    output.write_bytes(b"half")
    states.latest()
    assert len(list(states.folder.iterdir())) == 4
    assert not output.exists()


def test_a_kill_while_deleting_leaves_no_damaged_state(states, monkeypatch):
    def killed(path):
        next(path.glob("*.pt")).unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            states.delete()
    assert states.latest() is None
    assert not list(states.folder.parent.iterdir())


def test_same_content_same_bytes(tmp_path):
    paths = [tmp_path / name for name in ("a.pt", "another_name.pt")]
    for path in paths:
        assert checkpoint.save(path, state(3)).size == path.stat().st_size
    assert paths[0].read_bytes() == paths[1].read_bytes()


def _write_with_little_space(write, answer):
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
    try:
        write()
    except UserError as error:
        answer.send(str(error))
    else:
        answer.send("")


@pytest.mark.parametrize("what", ["state", "snapshot"])
def test_a_full_disk_is_a_sentence_and_leaves_earlier_states(states, what):
    """A limit on file size fails in ``write`` as a full disk does."""
    states.keep(12, state(12))
    before = {path: path.read_bytes() for path in states.folder.iterdir()}
    write = partial(states.save, 20, state(20), {}) if what == "state" else partial(states.keep, 20, state(20))
    receive, send = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_write_with_little_space, args=(write, send))
    process.start()
    send.close()  # ours: a child that dies without an answer must not leave us waiting
    process.join()
    message = receive.recv()
    assert "000000020.pt: could not be saved (File too large)" in message
    assert ("snapshot-" in message) == (what == "snapshot")
    assert "the state after update 15 is untouched; free space or quota there and run the same command again" in message
    assert states.latest([12])[0] == 15
    assert {path: path.read_bytes() for path in states.folder.iterdir()} == before
