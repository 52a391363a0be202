"""Lloyd's k-means over sharded features, out of core, the same bytes on any number of workers (Lloyd 1982).

Every iteration reads all blocks once: nearest centroid in float32, sums per cluster in float64, combined in the order
of the blocks. Restarts are judged on a sample in memory; the best is refined on an eighth of the frames, then on all.
The reported inertia is the mean squared distance per frame, fairseq's measure (examples/hubert/simple_kmeans/
learn_kmeans.py), of exactly the centroids that are returned.

Legend: N frames, K clusters, D width.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array

from ...artefacts.ragged import RaggedShard
from ...config.recipes import Labels
from .blocks import BLOCK_ROWS, TILE_ROWS, Array, Block, Rows, cut, read_tiles, stored_rows, width_of
from .executors import Executor
from .nearest import NewIndex, searcher
from .sample import draw_sample, survey
from .seeding import seed_centroids

VERSION = 2
logger = logging.getLogger(__name__)
RESTART_ITERATIONS = 10
COARSE_STRIDE = 8
COARSE_ROWS = 64
COARSE_ITERATIONS = 12

Float = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fit:
    """Centroids (K, D) float32, the frames each holds (K,), mean squared distance per iteration, whether it settled."""

    centroids: Array
    counts: Counts
    inertia: list[float]
    converged: bool


def fit(
    shards: Sequence[RaggedShard],
    recipe: Labels,
    executor: Executor,
    local: Executor,
    new_index: NewIndex | None = None,
) -> tuple[Array, dict[str, Any]]:
    """Cluster the frames of ``shards``.

    Args:
        shards: features (rows of width D) of the drawn training clips.
        recipe: number of clusters, restarts, stopping rule, seed.
        executor: works on blocks of the shards.
        local: threads of this process, for the sample in memory.
        new_index: of the search, see :func:`musicssl.targets.kmeans.nearest.searcher`.

    Returns:
        Centroids (K, D) float32 and the report, plain values that depend on data and recipe only.

    Raises:
        UserError: no training clips, NaN, constant features, unequal widths, or fewer distinct frames than clusters.
    """
    width = width_of(shards)
    rows, num_clips = stored_rows(shards), sum(map(len, shards))
    blocks = cut(rows, BLOCK_ROWS)
    num_frames, energy = survey(blocks, executor)
    logger.info("%d frames of width %d from %d clips, %d blocks", num_frames, width, num_clips, len(blocks))
    points, weights = draw_sample(rows, recipe.num_clusters, recipe.seed)
    restarts = [_restart(points, weights, recipe, turn, local, new_index) for turn in range(recipe.num_restarts)]
    start = min(restarts, key=lambda restart: restart.inertia[-1])
    if len(blocks) >= 2 * COARSE_STRIDE:
        start = _coarse(rows, start, recipe, executor, new_index)
    found = lloyd(blocks, start.centroids, energy, recipe, recipe.max_iterations, executor, new_index)
    share = found.counts[found.counts > 0] / num_frames
    return found.centroids, {
        "num_clusters": recipe.num_clusters,
        "inertia": found.inertia,
        "restart_inertia": [restart.inertia[-1] for restart in restarts],
        "converged": found.converged,
        "used_clusters": int((found.counts > 0).sum()),
        "perplexity": float(np.exp(-(share * np.log(share)).sum())),
        "histogram": found.counts.tolist(),
        "num_frames": num_frames,
        "num_clips": num_clips,
        "seed": recipe.seed,
    }


def _restart(
    points: Array, weights: Counts, recipe: Labels, turn: int, local: Executor, new_index: NewIndex | None
) -> Fit:
    """Seed and refine on the sample; every restart has its own stream of random numbers."""
    began = time.monotonic()
    rng = np.random.default_rng([recipe.seed, turn])
    start = seed_centroids(points, weights, recipe.num_clusters, rng, local, new_index)
    frames = np.repeat(points, weights, axis=0)
    energy = float(np.square(frames, dtype=np.float64).sum())
    found = lloyd(cut([frames], TILE_ROWS), start, energy, recipe, RESTART_ITERATIONS, local, new_index)
    took = time.monotonic() - began
    logger.info("restart %d: inertia %.6g on %d sampled frames, %.1f s", turn, found.inertia[-1], len(frames), took)
    return found


def _coarse(rows: Sequence[Rows], start: Fit, recipe: Labels, executor: Executor, new_index: NewIndex | None) -> Fit:
    """Refine on short runs of frames from everywhere, an eighth of all: most of the way for an eighth of the price."""
    step = COARSE_ROWS * COARSE_STRIDE
    runs = (piece[first : first + COARSE_ROWS] for piece in rows for first in range(0, len(piece), step))
    blocks = cut(runs, BLOCK_ROWS)
    _, energy = survey(blocks, executor)
    found = lloyd(blocks, start.centroids, energy, recipe, COARSE_ITERATIONS, executor, new_index)
    logger.info("refined on one frame in %d: inertia %.6g there", COARSE_STRIDE, found.inertia[-1])
    return found


def lloyd(
    blocks: Sequence[Block],
    centroids: Array,
    energy: float,
    recipe: Labels,
    max_iterations: int,
    executor: Executor,
    new_index: NewIndex | None = None,
) -> Fit:
    """Alternate assignment and means until inertia falls by less than ``recipe.tolerance`` of itself.

    Args:
        blocks: all frames.
        centroids: (K, D) float32 to start from.
        energy: sum of all squared values, float64.
        max_iterations: assignments at most.
        executor: works on the blocks.
        new_index: of the search, see :func:`musicssl.targets.kmeans.nearest.searcher`.

    Returns:
        The last centroids that were measured. Clusters found empty move to the farthest frames when
        ``recipe.reseed_empty``, else they keep their place; iteration goes on while any moves.
    """
    inertia: list[float] = []
    while True:
        began = time.monotonic()
        sums, counts = _total(executor.map(partial_sums, blocks, centroids, new_index))
        num_frames = int(counts.sum())
        inertia.append(_inertia(energy, sums, counts, centroids))
        empty = np.flatnonzero(counts == 0)
        took = time.monotonic() - began
        logger.info(
            "iteration %d: inertia %.6g, %d of %d clusters used, %.2f s, %.0f frames/s",
            *(len(inertia), inertia[-1], len(counts) - len(empty), len(counts), took, num_frames / took),
        )
        moving = recipe.reseed_empty and len(empty) > 0
        settled = len(inertia) > 1 and inertia[-2] - inertia[-1] <= recipe.tolerance * inertia[-2] and not moving
        if settled or len(inertia) == max_iterations:
            return Fit(centroids, counts, inertia, settled)
        used = counts > 0
        updated = centroids.copy()
        updated[used] = sums[used] / counts[used, None]
        if moving:
            far = _farthest(blocks, centroids, len(empty), executor, new_index)
            updated[empty[: len(far)]] = far
        centroids = updated


def partial_sums(block: Block, centroids: Array, new_index: NewIndex | None = None) -> tuple[Float, Counts]:
    """Return the float64 sums (K, D) of the frames nearest to each centroid, and how many they are (K,).

    Wherever the search runs, sums are taken here, in the order of the frames.
    """
    search = searcher(centroids, new_index)
    sums = np.zeros(centroids.shape)
    counts = np.zeros(len(centroids), np.int64)
    for tile in read_tiles(block):
        labels, _ = search(tile)
        shape = (len(centroids), len(tile))
        member = csc_array((np.ones(len(tile)), labels, np.arange(len(tile) + 1)), shape=shape)
        sums += member @ tile.astype(np.float64)
        counts += np.bincount(labels, minlength=len(centroids))
    return sums, counts


def farthest_frames(
    block: Block, centroids: Array, count: int, new_index: NewIndex | None = None
) -> tuple[Float, Array]:
    """Return the ``count`` frames farthest from their centroid: squared distances, descending, and rows (count, D)."""
    search = searcher(centroids, new_index)
    far = np.empty(0)
    rows = np.empty((0, centroids.shape[1]), np.float32)
    for tile in read_tiles(block):
        gap = tile - centroids[search(tile)[0]]  # exact where a frame is its centroid, unlike the search's distance
        far, rows = _keep(np.concatenate([far, np.einsum("nd,nd->n", gap, gap)]), np.concatenate([rows, tile]), count)
    return far, rows


def _keep(far: Float, rows: Array, count: int) -> tuple[Float, Array]:
    """Keep the ``count`` largest distances and their rows; the first of equals comes first."""
    order = np.argsort(-far, kind="stable")[:count]
    return far[order], rows[order]


def _farthest(
    blocks: Sequence[Block], centroids: Array, count: int, executor: Executor, new_index: NewIndex | None
) -> Array:
    """Return at most ``count`` distinct frames, farthest first, none of which lies on a centroid."""
    far, rows = np.empty(0), np.empty((0, centroids.shape[1]), np.float32)
    for more_far, more_rows in executor.map(farthest_frames, blocks, centroids, count, new_index):
        far, rows = _keep(np.concatenate([far, more_far]), np.concatenate([rows, more_rows]), count)
    _, first = np.unique(rows, axis=0, return_index=True)
    return rows[np.sort(first[far[first] > 0])]


def _total(parts: Iterable[tuple[Float, Counts]]) -> tuple[Float, Counts]:
    """Add partial sums in the order they come, which is the order of the blocks."""
    steps = iter(parts)
    sums, counts = next(steps)
    for more_sums, more_counts in steps:
        sums += more_sums
        counts += more_counts
    return sums, counts


def _inertia(energy: float, sums: Float, counts: Counts, centroids: Array) -> float:
    """Return the mean squared distance: (sum x.x - 2 sum_k c_k.s_k + sum_k n_k c_k.c_k) / N, in float64."""
    wide = centroids.astype(np.float64)
    spread = energy - 2 * np.einsum("kd,kd->", wide, sums) + counts @ np.einsum("kd,kd->k", wide, wide)
    return max(0.0, float(spread)) / int(counts.sum())
