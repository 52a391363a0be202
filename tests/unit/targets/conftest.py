"""Feature shards and recipes for the tests of this room."""

import itertools

import numpy as np
import pytest

from musicssl.artefacts.ragged import RaggedWriter, open_all
from musicssl.config.recipes import Labels
from musicssl.targets.kmeans.executors import open_executor

DIGEST = "feature000"


@pytest.fixture
def threads():
    with open_executor("threads", 1) as executor:
        yield executor


@pytest.fixture
def recipe():
    """Return a function making a labels recipe from what a test cares about."""

    def make(num_clusters=8, **fields):
        values = {
            "features": "mfcc39",
            "num_restarts": 1,
            "max_iterations": 50,
            "tolerance": 0.0,
            "reseed_empty": True,
            "seed": 0,
        }
        return Labels(num_clusters=num_clusters, **(values | fields))

    return make


@pytest.fixture
def shards(tmp_path):
    """Return a function writing arrays as feature shards of uneven clips and opening them."""

    def make(*arrays, dtype=np.float32, clip=97, folder="features"):
        paths = []
        for s, array in enumerate(arrays):
            path = tmp_path / folder / f"{s:03d}.npy"
            bounds = [*range(0, max(1, len(array)), clip), len(array)]
            with RaggedWriter(path, dtype, array.shape[1:], DIGEST, frame_rate_hz=100) as writer:
                for c, (start, stop) in enumerate(itertools.pairwise(bounds)):
                    writer.append(f"song{s}.wav#{c}", array[start:stop])
            paths.append(path)
        return open_all(paths, DIGEST)

    return make


@pytest.fixture
def clouds():
    """Return 3000 frames of width 7 around 12 centres of uneven size and spread, far from the origin."""
    rng = np.random.default_rng(5)
    centres = rng.normal(0, 4, (12, 7)) + 50
    which = rng.choice(12, 3000, p=rng.dirichlet(np.ones(12)))
    return (centres[which] + rng.normal(0, 1, (3000, 7)) * rng.uniform(0.2, 2, 12)[which, None]).astype(np.float32)
