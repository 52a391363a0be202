"""One small miniature, written once for all tests of this room."""

import pytest

from musicssl.config.recipes import Miniature
from musicssl.miniature import WRITERS, write_corpus, write_dataset


@pytest.fixture(scope="session")
def recipe():
    items = dict.fromkeys(WRITERS, (6, 3, 3)) | {"nsynth": (33, 10, 20), "giantsteps": (12, 6, 6)}
    items |= {"gtzan": (10, 4, 10), "vocalset": (20, 10, 10)}
    return Miniature(root="unused", seed=3, num_tracks=8, track_s=4.0, items=items)


@pytest.fixture(scope="session")
def data(recipe, tmp_path_factory):
    """Return a function from a data set's name to its folder."""
    root, done = tmp_path_factory.mktemp("miniature"), set()

    def folder(name):
        if name not in done:
            done.add(name)
            write_corpus(root / name, recipe) if name == "corpus" else write_dataset(name, root / name, recipe)
        return root / name

    return folder
