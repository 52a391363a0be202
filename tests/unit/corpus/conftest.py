"""Small corpora on disk."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicssl.config.recipes import Corpus

RATE = 16000


@pytest.fixture
def corpus(music):
    """Return a function that makes a corpus recipe rooted in the folder ``music``, with changes."""
    plain = {
        "root": str(music),
        "sample_rate_hz": RATE,
        "clip_s": 2.0,
        "min_clip_s": 0.5,
        "min_file_s": 0.25,
        "silence_dbfs": -70.0,
        "min_usable_fraction": 0.0,
        "valid_fraction": 0.2,
        "num_shards": 2,
        "seed": 0,
    }
    return lambda **changes: Corpus(**{**plain, **changes})


@pytest.fixture
def sound(music):
    """Return a function that writes noise under a name and returns its samples, float64 (frames, channels)."""

    def write(name, seconds=1.0, rate=RATE, channels=1, seed=0, scale=0.1, **options):
        path = music / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = scale * np.random.default_rng([seed, *name.encode()]).standard_normal((round(seconds * rate), channels))
        soundfile.write(path, noise, rate, **options)
        return noise

    return write


@pytest.fixture
def music(tmp_path) -> Path:
    """Return an empty folder for audio."""
    (tmp_path / "music").mkdir()
    return tmp_path / "music"
