"""Vectors of one corpus: ``features/{features}/{corpus}/{shard}.npy``, rows (D,) of the drawn training clips."""

from __future__ import annotations

from pathlib import Path

import numpy.typing as npt

from .ragged import RaggedShard, RaggedWriter, open_all

VERSION = 1


def path(features: str, corpus: str, shard: str) -> str:
    """Return the place of a shard below the results; its index lies beside it as ``.json``."""
    return f"features/{features}/{corpus}/{shard}.npy"


def write(shard: str | Path, dtype: npt.DTypeLike, width: int, digest: str, frame_rate_hz: int) -> RaggedWriter:
    """Open a shard to append the vectors (L, ``width``) of clips to; it gets its name when it is closed."""
    return RaggedWriter(shard, dtype, (width,), digest, frame_rate_hz=frame_rate_hz)


def read(shards: list[str], digest: str | None = None) -> list[RaggedShard]:
    """Open shards in order; raises UserError where one is missing, truncated or of another recipe than ``digest``."""
    return open_all(shards, digest)
