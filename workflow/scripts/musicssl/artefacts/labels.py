"""Labels of one corpus: ``labels/{labels}/{corpus}/{shard}.npy``, one cluster number a frame, uint16 or uint32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .ragged import RaggedShard, RaggedWriter, open_all

VERSION = 1


def path(labels: str, corpus: str, shard: str) -> str:
    """Return the place of a shard below the results; its index lies beside it as ``.json``."""
    return f"labels/{labels}/{corpus}/{shard}.npy"


def dtype_of(num_clusters: int) -> np.dtype[Any]:
    """Return the smallest type that holds the numbers of so many clusters."""
    return np.dtype(np.uint16 if num_clusters <= 1 << 16 else np.uint32)


def write(shard: str | Path, num_clusters: int, digest: str, **attrs: Any) -> RaggedWriter:
    """Open a shard to append labels (L,) of clips to; it gets its name when it is closed.

    Args:
        shard: the ``.npy`` path.
        num_clusters: size of the alphabet.
        digest: of the labels' recipe.
        attrs: ``frame_rate_hz`` and ``splits``.
    """
    return RaggedWriter(shard, dtype_of(num_clusters), (), digest, num_clusters=num_clusters, **attrs)


def read(shards: list[str], digest: str | None = None) -> list[RaggedShard]:
    """Open shards in order; raises UserError where one is missing, truncated or of another recipe than ``digest``."""
    return open_all(shards, digest)
