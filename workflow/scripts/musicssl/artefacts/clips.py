"""Clips of one corpus: ``audio/{corpus}/shards/{shard}.npy``, int16 samples; the index has the split of each clip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .ragged import RaggedShard, RaggedWriter

VERSION = 1


def path(corpus: str, shard: str) -> str:
    """Return the place of a shard below the results; its index lies beside it as ``.json``."""
    return f"audio/{corpus}/shards/{shard}.npy"


def write(shard: str | Path, digest: str, **attrs: Any) -> RaggedWriter:
    """Open a shard to append clips to, samples (S,); it gets its name when it is closed.

    Args:
        shard: the ``.npy`` path.
        digest: of the corpus.
        attrs: ``sample_rate_hz``, ``splits`` (one a clip) and ``quarantine``; the lists may still grow.
    """
    return RaggedWriter(shard, np.int16, (), digest, **attrs)


def read(shard: str | Path, digest: str | None = None) -> RaggedShard:
    """Open a shard; raises UserError where it is missing, truncated or of another recipe than ``digest``."""
    return RaggedShard(shard, digest)
