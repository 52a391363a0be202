"""A shard that survives kills: checkpoints, cut journals, data behind the last checkpoint."""

import json

import numpy as np
import pytest

from musicssl.artefacts import RaggedShard, ResumableWriter

ROWS = {name: np.full((k + 1, 2), k, np.float16) for k, name in enumerate("abcdef")}


def writer(folder, digest="d", plan="p"):
    return ResumableWriter(folder / "x.npy", np.float16, (2,), digest, plan, rate=50.0)


def write(folder, names, **what):
    """Append names that the checkpoints do not hold yet, two a checkpoint; return those appended."""
    with writer(folder, **what) as shard:
        left = names[2 * len(shard.checkpoints) :]
        for i, name in enumerate(left):
            shard.append(name, ROWS[name])
            if i % 2:
                shard.checkpoint(name)
    return left


def die(folder, names):
    """Write as :func:`write` does, but stop before the end, in the middle of a block."""
    shard = writer(folder)
    for i, name in enumerate(names):
        shard.append(name, ROWS[name])
        if i % 2:
            shard.checkpoint(name)
    shard._stream.flush()
    shard._stream.close()


@pytest.fixture
def whole(tmp_path):
    write(tmp_path / "whole", list(ROWS))
    return [(tmp_path / "whole" / name).read_bytes() for name in ("x.npy", "x.json")]


def same(folder, whole):
    RaggedShard(folder / "x.npy", "d").verify()
    assert [(folder / name).read_bytes() for name in ("x.npy", "x.json")] == whole
    assert sorted(path.name for path in folder.iterdir()) == ["x.json", "x.npy"]


def test_it_goes_on_after_the_last_checkpoint(tmp_path, whole):
    folder = tmp_path / "killed"
    die(folder, list("abc"))
    assert not (folder / "x.npy").exists()
    assert write(folder, list(ROWS)) == list("cdef")
    same(folder, whole)


@pytest.mark.parametrize("cut", [1, 40])
def test_a_journal_cut_in_its_last_line_loses_that_checkpoint(tmp_path, whole, cut):
    folder = tmp_path / "cut"
    die(folder, list("abcd"))
    journal = folder / ".x.npy.journal"
    journal.write_bytes(journal.read_bytes()[:-cut])
    assert write(folder, list(ROWS)) == list("cdef")
    same(folder, whole)


def test_data_shorter_than_the_journal_says_lose_what_is_not_there(tmp_path, whole):
    folder = tmp_path / "short"
    die(folder, list("abcd"))
    part = folder / ".x.npy.part"
    part.write_bytes(part.read_bytes()[:-1])
    assert write(folder, list(ROWS)) == list("cdef")
    same(folder, whole)
    die(folder := tmp_path / "none", list("abcd"))
    (folder / ".x.npy.part").unlink()
    assert write(folder, list(ROWS)) == list(ROWS)
    same(folder, whole)


@pytest.mark.parametrize("what", [{"digest": "other"}, {"plan": "other"}])
def test_another_recipe_or_plan_begins_anew(tmp_path, what):
    die(tmp_path, list("abcd"))
    assert write(tmp_path, list("ab"), **what) == list("ab")
    shard = RaggedShard(tmp_path / "x.npy")
    assert shard.ids == ["a", "b"]
    assert shard.attrs == {"rate": 50.0}
    shard.verify()


def test_rewinding_forgets_later_checkpoints(tmp_path, whole):
    folder = tmp_path / "rewound"
    die(folder, list("abcd"))
    shard = writer(folder)
    assert shard.checkpoints == ["b", "d"]
    shard.rewind(1)
    assert (shard.checkpoints, shard.ids) == (["b"], ["a", "b"])
    assert len(json.loads((folder / ".x.npy.journal").read_text().splitlines()[-1])["ids"]) == 2
    shard._stream.close()
    assert write(folder, list(ROWS)) == list("cdef")
    same(folder, whole)
