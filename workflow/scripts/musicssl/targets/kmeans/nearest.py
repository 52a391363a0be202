"""Nearest centroid of every frame, exactly.

||x - c||^2 is least where x.c - ||c||^2 / 2 is greatest. The second term rides in the matrix product as one more
column, so a tile costs one product and one argmax while its scores are still in cache; that is measurably faster than
a general index on CPUs. Both sides are centered on the mean centroid first, which keeps float32 accurate for features
far from the origin. One BLAS thread is used: parallelism is over blocks.

On a GPU an index of faiss searches. Whoever starts the work asks :func:`index_here` once and passes the answer on, so
all workers search alike; a run on CPUs never imports faiss. Labels of both agree but for ties within rounding.

Legend: N frames, K clusters, D width.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .blocks import Array

Labels = npt.NDArray[np.intp]
Search = Callable[[Array], tuple[Labels, Array]]
NewIndex = Callable[[int], Any]
"""From a width D to an empty index with faiss' ``add`` and ``search``, of squared Euclidean distance."""
SCORE_ROWS = 1024
DRIVER = Path("/dev/nvidiactl")
HIDDEN = ("", "-1", "NoDevFiles")  # the last is Slurm's word
_index_lock = threading.Lock()
logger = logging.getLogger(__name__)


def searcher(centroids: Array, new_index: NewIndex | None = None) -> Search:
    """Return the search for these centroids.

    Args:
        centroids: (K, D) float32.
        new_index: makes the index that searches; ``None`` searches on this thread.

    Returns:
        Function from frames (N, D) float32 to labels (N,) and squared distances (N,) float32.
    """
    shift = centroids.mean(axis=0, dtype=np.float64).astype(np.float32)
    return _product_search(centroids, shift) if new_index is None else _index_search(centroids, shift, new_index)


def index_here() -> NewIndex | None:
    """Return what makes an index on this process' GPU, or ``None`` where it has none.

    faiss is imported where NVIDIA's driver is there and ``CUDA_VISIBLE_DEVICES`` hides no device, and nowhere else.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
    if not DRIVER.exists() or visible.split(",")[0].strip() in HIDDEN:
        return None
    try:
        import faiss

        if faiss.get_num_gpus() > 0:
            return gpu_index
        found = "faiss sees none"
    except ImportError:
        found = "faiss is not installed"
    logger.warning("this machine has a GPU, but %s: centroids are searched on the CPU; pip install faiss-gpu", found)
    return None


@lru_cache(maxsize=1)
def _gpu_resources() -> Any:
    """Return faiss' scratch memory and streams on the GPU, once a process."""
    import faiss

    return faiss.StandardGpuResources()


def gpu_index(width: int) -> Any:
    """Return an empty exact index on the first visible GPU."""
    import faiss

    return faiss.index_cpu_to_gpu(_gpu_resources(), 0, faiss.IndexFlatL2(width))


def _product_search(centroids: Array, shift: Array) -> Search:
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


def _index_search(centroids: Array, shift: Array, new_index: NewIndex) -> Search:
    index = new_index(centroids.shape[1])
    index.add(np.ascontiguousarray(centroids - shift))

    def search(frames_ND: Array) -> tuple[Labels, Array]:
        with _index_lock:  # faiss' GPU resources serve one thread at a time
            distances, labels = index.search(np.ascontiguousarray(frames_ND - shift), 1)
        return labels[:, 0].astype(np.intp), np.maximum(distances[:, 0], 0)

    return search
