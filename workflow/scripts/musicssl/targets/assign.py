"""Labels of one audio shard: the nearest centroid of every frame of every clip.

Frames j of features and labels are the same frames; ids, order and splits of clips are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..artefacts import labels as stored_labels
from .kmeans.blocks import BLOCK_ROWS, TILE_ROWS, Array
from .kmeans.executors import Executor
from .kmeans.nearest import NewIndex, searcher

VERSION = 1
Rows = npt.NDArray[np.floating]


def write_labels(
    clips: Iterable[tuple[str, Rows]],
    centroids: Array,
    out_path: str | Path,
    digest: str,
    executor: Executor,
    new_index: NewIndex | None = None,
    **attrs: Any,
) -> None:
    """Label clips as they come and write them as one shard.

    Args:
        clips: id and vectors (L, D), finite, of each clip.
        centroids: (K, D) float32.
        out_path: the ``.npy`` of the label shard, uint16 (uint32 when K > 65 536).
        digest: of the labels recipe.
        executor: works on runs of clips while the next vectors are made.
        new_index: of the search, see :func:`musicssl.targets.kmeans.nearest.searcher`.
        attrs: kept in the shard beside ``num_clusters``.
    """
    names: list[str] = []
    lengths: list[int] = []

    def runs() -> Iterator[Rows]:
        held: list[Rows] = []
        for name, vectors in clips:
            assert vectors.shape[1:] == centroids.shape[1:], (vectors.shape, centroids.shape)
            names.append(name)
            lengths.append(len(vectors))
            held.append(vectors)
            if sum(map(len, held)) >= BLOCK_ROWS:
                yield np.concatenate(held)
                held.clear()
        if held:
            yield np.concatenate(held)

    num_clusters = len(centroids)
    dtype = stored_labels.dtype_of(num_clusters)
    labels = np.concatenate([np.empty(0, dtype), *executor.map(label_rows, runs(), centroids, dtype, new_index)])
    with stored_labels.write(out_path, num_clusters, digest, **attrs) as writer:
        stops = np.cumsum(lengths, dtype=np.int64)
        for name, length, stop in zip(names, lengths, stops, strict=True):
            writer.append(name, labels[stop - length : stop])


def label_rows(
    rows: Rows, centroids: Array, dtype: np.dtype[Any], new_index: NewIndex | None = None
) -> npt.NDArray[Any]:
    """Return the labels (N,) of vectors (N, D)."""
    search = searcher(centroids, new_index)
    tiles = (rows[start : start + TILE_ROWS] for start in range(0, len(rows), TILE_ROWS))
    return np.concatenate([np.empty(0, dtype), *(search(tile.astype(np.float32))[0].astype(dtype) for tile in tiles)])
