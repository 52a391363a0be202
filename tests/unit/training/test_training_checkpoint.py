"""Saved states survive kills, damage and full disks."""

import multiprocessing
import resource

import pytest
import torch

from musicssl.runtime import UserError
from musicssl.training import checkpoint
from musicssl.training.checkpoint import ResumeStates


def state(value):
    return {"objective": {"w": torch.full((1000,), float(value)), "n": torch.tensor(value)}, "optimizer": {"a": [1, 2]}}


def flip_byte(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


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


@pytest.mark.parametrize("damage", ["bit", "cut", "gone", "index"])
def test_a_damaged_latest_falls_back_with_a_warning(states, caplog, damage):
    path = states.path(15)
    if damage == "bit":
        flip_byte(path)
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "gone":
        path.unlink()
    else:
        path.with_suffix(".json").write_text('{"format"')
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
        assert checkpoint.save(path, state(3))["size"] == path.stat().st_size
    assert paths[0].read_bytes() == paths[1].read_bytes()


def _save_with_little_space(states, answer):
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
    try:
        states.save(20, state(20), {})
    except UserError as error:
        answer.send(str(error))
    else:
        answer.send("")


def test_a_full_disk_is_a_sentence_and_leaves_earlier_states(states):
    """A limit on file size fails in ``write`` as a full disk does."""
    receive, send = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_save_with_little_space, args=(states, send))
    process.start()
    process.join()
    message = receive.recv()
    assert "000000020.pt: could not be saved (File too large)" in message
    assert "the state after update 15 is untouched" in message
    assert states.latest()[0] == 15
    assert len(list(states.folder.iterdir())) == 4
