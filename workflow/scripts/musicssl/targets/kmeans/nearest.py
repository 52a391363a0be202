"""Nearest centroid of every frame, exactly.

||x - c||^2 is least where x.c - ||c||^2 / 2 is greatest. The second term rides in the matrix product as one more
column, so a tile costs one product and one argmax while its scores are still in cache; that is measurably faster than
a general index on CPUs. Both sides are centred on the mean centroid first, which keeps float32 accurate for features
far from the origin. One BLAS thread is used: parallelism is over blocks.

Legend: N frames, K clusters, D width.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from .blocks import Array

Labels = npt.NDArray[np.intp]
Search = Callable[[Array], tuple[Labels, Array]]
SCORE_ROWS = 1024
_gpu_lock = threading.Lock()


def searcher(centroids: Array) -> Search:
    """Return the search for these centroids: on the GPU if faiss has one, else on this thread.

    Args:
        centroids: (K, D) float32.

    Returns:
        Function from frames (N, D) float32 to labels (N,) and squared distances (N,) float32.
    """
    shift = centroids.mean(axis=0, dtype=np.float64).astype(np.float32)
    return _gpu_search(centroids, shift) if _num_gpus() else _cpu_search(centroids, shift)


def _num_gpus() -> int:
    """Return how many GPUs faiss can use; none where it is not installed."""
    try:
        import faiss
    except ImportError:
        return 0
    return faiss.get_num_gpus()


def _cpu_search(centroids: Array, shift: Array) -> Search:
    num_clusters, width = centroids.shape
    weight = np.empty((width + 1, num_clusters), np.float32)
    weight[:width] = (centroids - shift).T
    weight[width] = np.square(weight[:width], dtype=np.float64).sum(axis=0) / -2
    scores = np.empty((SCORE_ROWS, num_clusters), np.float32)
    augmented = np.ones((SCORE_ROWS, width + 1), np.float32)

    def search(frames_ND: Array) -> tuple[Labels, Array]:
        labels = np.empty(len(frames_ND), np.intp)
        distances = np.empty(len(frames_ND), np.float32)
        for start in range(0, len(frames_ND), SCORE_ROWS):
            here = slice(start, min(start + SCORE_ROWS, len(frames_ND)))
            rows, score = augmented[: here.stop - start], scores[: here.stop - start]
            np.subtract(frames_ND[here], shift, out=rows[:, :width])
            np.matmul(rows, weight, out=score)
            labels[here] = score.argmax(axis=1)  # the first of equals
            best = np.take_along_axis(score, labels[here, None], axis=1)[:, 0]
            distances[here] = np.einsum("nd,nd->n", rows[:, :width], rows[:, :width]) - 2 * best
        return labels, np.maximum(distances, 0, out=distances)

    return search


@lru_cache(maxsize=1)
def _gpu_resources() -> Any:
    import faiss

    return faiss.StandardGpuResources()


def _gpu_search(centroids: Array, shift: Array) -> Search:
    import faiss

    index = faiss.index_cpu_to_gpu(_gpu_resources(), 0, faiss.IndexFlatL2(centroids.shape[1]))
    index.add(np.ascontiguousarray(centroids - shift))

    def search(frames_ND: Array) -> tuple[Labels, Array]:
        with _gpu_lock:
            distances, labels = index.search(frames_ND - shift, 1)
        return labels[:, 0].astype(np.intp), distances[:, 0]

    return search
