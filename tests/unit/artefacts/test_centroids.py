"""Centroids of another type, width or content are refused by name."""

import numpy as np
import pytest

from musicssl.artefacts.centroids import Centroids, read
from musicssl.runtime import UserError

GOOD = np.arange(12, dtype=np.float32).reshape(3, 4)


def test_what_was_written_reads_back(tmp_path):
    Centroids(GOOD).write(tmp_path / "centroids.npy")
    found = read(tmp_path / "centroids.npy", 4)
    assert found.width == 4
    np.testing.assert_array_equal(found.values, GOOD)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (GOOD.astype(np.float64), "found float64"),
        (GOOD.ravel(), r"found float32 \(12,\)"),
        (GOOD[:0], r"found float32 \(0, 4\)"),
        (GOOD[:, :3], "centroids of width 3, expected 4"),
        (np.where(GOOD == 5, np.nan, GOOD), "found NaN or infinity"),
    ],
)
def test_strange_centroids_are_refused(tmp_path, values, words):
    np.save(tmp_path / "centroids.npy", values)
    with pytest.raises(UserError, match=rf"centroids.npy: {words}.*delete it and run the workflow again"):
        read(tmp_path / "centroids.npy", 4)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"an error page", None])
def test_no_array_is_a_sentence(tmp_path, content):
    if content is not None:
        (tmp_path / "centroids.npy").write_bytes(content)
    with pytest.raises(UserError, match=r"centroids.npy: no whole array of centroids"):
        read(tmp_path / "centroids.npy", 4)
