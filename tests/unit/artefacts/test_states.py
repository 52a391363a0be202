"""Hidden states in blocks: read as one, gathered from the files, refused where a block is missing or another's."""

import numpy as np
import pytest

from musicssl.artefacts import states
from musicssl.runtime import UserError

ATTRS = {"frame_rate_hz": 50.0, "frame_offset_s": 0.0125}


def write(folder, counts, digest="d", names="abcdefgh"):
    """Write a block of each list of row counts; the rows are numbered through."""
    number, blocks = 0, [folder / f"{k:03d}.npy" for k in range(len(counts))]
    for k, block in enumerate(blocks):
        with states.write(
            block, (3, 2), digest, (k, len(counts)), skipped=[(f"lost{k}", 0.0, "damaged")], **ATTRS
        ) as out:
            for i, rows in enumerate(counts[k]):
                first = np.arange(number, number + rows)[:, None, None]
                out.append(f"{names[k]}{i}", first * 10 + np.arange(6).reshape(3, 2))
                number += rows
    return blocks


def test_blocks_are_read_as_one(tmp_path):
    store = states.read(write(tmp_path, [[2, 1], [], [3]]), "d")
    assert store.recordings == {"a0": 0, "a1": 1, "c0": 2}
    assert store.offsets.tolist() == [0, 2, 3, 6]
    assert store.skipped == {("lost0", 0.0), ("lost1", 0.0), ("lost2", 0.0)}
    assert store.rows.shape == (6, 3, 2)
    found = store.rows[np.array([5, 0, 2, 3, 5])]
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found[:, 0, 0], [50, 0, 20, 30, 50])


def test_rows_stay_in_the_files(tmp_path):
    store = states.read(write(tmp_path, [[4], [4]]))
    for numbers, shared in (([0, 1, 2], True), ([1, 2], True), ([2], True), ([0, 2], False)):
        chosen = np.isin(np.arange(3), numbers)
        rows = store.rows.states(chosen)
        np.testing.assert_array_equal(rows[np.arange(8)], store.rows[np.arange(8)][:, numbers])
        pairs = zip(rows.parts, store.blocks)
        assert all(np.shares_memory(part, block.data) == shared for part, block in pairs)


def test_a_block_that_is_missing_or_elsewhere_is_refused(tmp_path):
    blocks = write(tmp_path, [[1], [1], [1]])
    with pytest.raises(UserError, match=r"000.npy: found block \[0, 3\] of its dataset, expected \[0, 2\]"):
        states.read([blocks[0], blocks[2]])
    with pytest.raises(UserError, match=r"002.npy: found block \[2, 3\] of its dataset, expected \[1, 3\]"):
        states.read([blocks[0], blocks[2], blocks[1]])
    with pytest.raises(UserError, match="made by recipe d, expected e"):
        states.read(blocks, "e")
    blocks[1].with_suffix(".json").unlink()
    with pytest.raises(UserError, match=r"001.json: missing; delete 001.\* beside it and run the workflow again"):
        states.read(blocks)
