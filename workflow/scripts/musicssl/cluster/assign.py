"""Labels of one feature shard: the nearest centroid of every frame.

Frames j of features and labels are the same frames; ids, order and splits of clips are kept.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..artefacts import RaggedShard, RaggedWriter
from ..runtime import UserError
from .blocks import BLOCK_ROWS, Array, Block, Rows, cut, read_tiles, require_finite, width_of
from .executors import Executor
from .nearest import searcher


def assign_shard(
    features: RaggedShard, centroids: Array, out_path: str | Path, digest: str, executor: Executor
) -> None:
    """Write the label shard of a feature shard.

    Args:
        features: rows of width D.
        centroids: (K, D) float32.
        out_path: the ``.npy`` of the label shard, uint16 (uint32 when K > 65 536).
        digest: of the labels recipe.
        executor: works on blocks of the shard.

    Raises:
        UserError: widths differ, or a frame holds NaN or infinity.
    """
    width, num_clusters = width_of([features]), len(centroids)
    if centroids.shape[1] != width:
        raise UserError(
            f"{features.path}: features of width {width}, but the centroids have {centroids.shape[1]}; "
            "delete the centroids and rerun"
        )
    dtype = np.dtype(np.uint16 if num_clusters <= 1 << 16 else np.uint32)
    blocks = cut([Rows(str(features.path), 0, len(features.data))], BLOCK_ROWS)
    parts = [np.empty(0, dtype), *executor.map(label_block, blocks, centroids, dtype)]
    labels = np.concatenate(parts)
    attrs = {key: features.attrs[key] for key in ("frame_rate_hz", "splits")}
    with RaggedWriter(out_path, dtype, (), digest, num_clusters=num_clusters, **attrs) as writer:
        for name, start, stop in zip(features.ids, features.offsets[:-1], features.offsets[1:], strict=True):
            writer.append(name, labels[start:stop])


def label_block(block: Block, centroids: Array, dtype: np.dtype) -> npt.NDArray[np.unsignedinteger]:
    """Return the labels (N,) of a block, refusing NaN and infinity."""
    search = searcher(centroids)
    parts = []
    first = 0
    for tile in read_tiles(block):
        require_finite(block, tile, first)
        first += len(tile)
        parts.append(search(tile)[0].astype(dtype))
    return np.concatenate(parts)
