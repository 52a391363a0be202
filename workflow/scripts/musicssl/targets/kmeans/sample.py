"""What must hold before clustering starts, and the frames that seed it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ...runtime import UserError
from .blocks import BLOCK_ROWS, Array, Block, Piece, Rows, cut, read_tiles, require_finite, size
from .executors import Executor
from .seeding import distinct

SAMPLE_ROWS = 30_000
SAMPLE_PER_CLUSTER = 32


def survey(blocks: Sequence[Block], executor: Executor) -> tuple[int, float]:
    """Read every frame once.

    Returns:
        Number of frames and the float64 sum of their squared values.

    Raises:
        UserError: no frames at all, NaN or infinity, or all frames equal.
    """
    if not blocks:
        raise UserError("features: the clips drawn hold no frames; raise the corpus' min_clip_s and rerun")
    energy, low, high = 0.0, np.inf, -np.inf
    for part, least, most in executor.map(measure, blocks):
        energy += part
        low, high = np.minimum(low, least), np.maximum(high, most)
    if np.array_equal(low, high):
        raise UserError("features: every frame is the same vector, expected sound; look at the audio and its shards")
    return sum(map(size, blocks)), energy


def measure(block: Block) -> tuple[float, Array, Array]:
    """Return a block's sum of squares and its least and greatest value per dimension (D,); refuse NaN and infinity."""
    energy, first = 0.0, 0
    extremes: list[Array] = []
    for tile in read_tiles(block):
        require_finite(block, tile, first)
        first += len(tile)
        energy += float(np.einsum("nd,nd->", tile, tile, dtype=np.float64))
        extremes += [tile.min(axis=0), tile.max(axis=0)]
    return energy, np.min(extremes, axis=0), np.max(extremes, axis=0)


def draw_sample(rows: Sequence[Rows], num_clusters: int, seed: int) -> tuple[Array, npt.NDArray[np.int64]]:
    """Draw frames at random, enough to seed with.

    Args:
        rows: all training frames.
        num_clusters: K; the sample holds at least K distinct frames.

    Returns:
        Distinct frames (P, D) float32 and how many frames of the sample each stands for (P,).

    Raises:
        UserError: there are fewer than K distinct frames.
    """
    num_frames = sum(map(len, rows))
    count = min(num_frames, max(SAMPLE_ROWS, SAMPLE_PER_CLUSTER * num_clusters))
    drawn = np.sort(np.random.default_rng([seed, num_frames]).choice(num_frames, count, replace=False))
    starts = np.cumsum([0, *map(len, rows)])
    bounds = np.searchsorted(drawn, starts)
    parts = [
        np.asarray(piece.read()[drawn[a:b] - start], np.float32)
        for piece, start, a, b in zip(rows, starts[:-1], bounds[:-1], bounds[1:], strict=True)
        if b > a
    ]
    points, weights = distinct(np.concatenate(parts))
    return (points, weights) if len(points) >= num_clusters else _all_distinct(rows, num_clusters)


def _all_distinct(rows: Sequence[Piece], num_clusters: int) -> tuple[Array, npt.NDArray[np.int64]]:
    """Return distinct frames from the start of ``rows`` on, stopping once there are enough, each with weight 1."""
    points: Array | None = None
    for block in cut(rows, BLOCK_ROWS):
        for tile in read_tiles(block):
            points, _ = distinct(tile if points is None else np.concatenate([points, tile]))
            if len(points) >= num_clusters:
                return points, np.ones(len(points), np.int64)
    found = 0 if points is None else len(points)
    raise UserError(
        f"labels num_clusters: {num_clusters} clusters asked of {found} distinct frames; "
        "lower num_clusters, raise the features' sample_fraction or add audio"
    )
