"""First centroids: k-means|| (Bahmani et al. 2012), then greedy weighted k-means++ on its candidates.

k-means++ (Arthur and Vassilvitskii 2007) reads all points once a centroid, which is bound by memory; k-means|| draws
many candidates a round, so distances come from matrix products. The few candidates, weighted by the points nearest to
them, are thinned to K by k-means++ on their own distance matrix, with 2 + ln K trials a step as in scikit-learn.

Legend: P distinct points, M candidates, K clusters, D width.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from .blocks import TILE_ROWS, Array, Block, cut, read_tiles
from .executors import Executor
from .nearest import NewIndex, searcher

ROUNDS = 5
CANDIDATES_PER_CLUSTER = 3.0
Float = npt.NDArray[np.float64]


def distinct(points: Array) -> tuple[Array, npt.NDArray[np.int64]]:
    """Return the distinct rows of ``points`` (N, D), sorted by their bytes, and how often each occurs."""
    points = np.ascontiguousarray(points) + np.float32(0)  # -0 becomes 0
    keys = points.view(np.dtype((np.void, points.shape[1] * points.itemsize)))[:, 0]
    _, first, counts = np.unique(keys, return_index=True, return_counts=True)
    return points[first], counts


def seed_centroids(
    points: Array,
    weights: npt.ArrayLike,
    num_clusters: int,
    rng: np.random.Generator,
    executor: Executor,
    new_index: NewIndex | None = None,
) -> Array:
    """Draw ``num_clusters`` distinct starting centroids.

    Args:
        points: (P, D) float32, distinct, P >= ``num_clusters``.
        weights: (P,) how many frames each point stands for.
        rng: decides everything random.
        executor: threads of this process.
        new_index: of the search, see :func:`musicssl.targets.kmeans.nearest.searcher`.

    Returns:
        (K, D) float32, rows of ``points``.
    """
    assert len(points) >= num_clusters
    weight = np.asarray(weights, np.float64)
    chosen, owner = _draw_candidates(points, weight, num_clusters, rng, executor, new_index)
    mass: Float = np.bincount(owner, weight, minlength=len(chosen)).astype(np.float64)
    return points[chosen[_greedy(points[chosen], mass, num_clusters, rng)]]


def _draw_candidates(
    points: Array,
    weight: Float,
    num_clusters: int,
    rng: np.random.Generator,
    executor: Executor,
    new_index: NewIndex | None,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return rows of the candidates, at least K, and for each point which candidate is nearest."""
    blocks = cut([points], TILE_ROWS // 4)
    chosen = rng.choice(len(points), 1, p=weight / weight.sum())
    owner = np.zeros(len(points), np.intp)
    closest = np.full(len(points), np.inf)
    new = chosen
    for turn in range(ROUNDS + 1):
        found = list(executor.map(_nearest, blocks, points[new], new_index))
        label = np.concatenate([part[0] for part in found])
        distance = np.concatenate([part[1] for part in found]).astype(np.float64)
        owner = np.where(distance < closest, label + len(chosen) - len(new), owner)
        closest = np.minimum(distance, closest)
        owner[new], closest[new] = np.arange(len(chosen) - len(new), len(chosen)), 0
        if turn == ROUNDS:
            return chosen, owner
        cost = weight * closest
        expected = CANDIDATES_PER_CLUSTER * num_clusters / ROUNDS
        new = np.flatnonzero(rng.random(len(points)) * cost.sum() < expected * cost)
        missing = num_clusters - len(chosen) - len(new)
        if missing > 0 and (turn == ROUNDS - 1 or len(new) == 0):  # few clusters may draw nothing in a round
            new = np.sort(np.concatenate([new, _top_up(cost, np.concatenate([chosen, new]), missing, rng)]))
        if len(new) == 0:
            return chosen, owner
        chosen = np.concatenate([chosen, new])
    raise AssertionError


def _nearest(block: Block, centroids: Array, new_index: NewIndex | None) -> tuple[npt.NDArray[np.intp], Array]:
    search = searcher(centroids, new_index)
    parts = [search(tile) for tile in read_tiles(block)]
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _top_up(cost: Float, taken: npt.NDArray[np.intp], count: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Draw ``count`` more rows in proportion to ``cost``; rows of no cost come last, taken rows never."""
    keys = np.log(rng.random(len(cost))) / np.maximum(cost, 1e-300)  # Efraimidis and Spirakis 2006
    keys[taken] = -np.inf
    return np.argsort(-keys, kind="stable")[:count]


def _greedy(points: Array, mass: Float, num_clusters: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Thin M weighted points to K by greedy k-means++; returns their rows in order of choice."""
    squared = np.einsum("md,md->m", points, points)
    distance = points @ points.T
    distance *= -2
    distance += squared
    distance += squared[:, None]
    np.maximum(distance, 0, out=distance)
    np.fill_diagonal(distance, 0)
    trials = 2 + int(math.log(num_clusters))
    selected = np.zeros(num_clusters, np.intp)
    selected[0] = rng.choice(len(points), p=mass / mass.sum())
    free = np.ones(len(points), bool)
    closest = distance[selected[0]]
    weight = mass.astype(np.float32)
    for step in range(1, num_clusters):
        free[selected[step - 1]] = False
        potential = np.cumsum(np.where(free, mass * closest + 1e-300, 0))
        tries = np.searchsorted(potential, rng.random(trials) * potential[-1], side="right")
        reached = np.minimum(distance[tries], closest)
        best = int((reached @ weight).argmin())
        selected[step], closest = tries[best], reached[best]
    return selected
