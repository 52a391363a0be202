"""Seeds are distinct, reproducible, and as good as scikit-learn's."""

import numpy as np
from sklearn.cluster import kmeans_plusplus

from musicssl.targets.kmeans.seeding import distinct, seed_centroids


def cost(frames, centroids):
    return ((frames[:, None].astype(np.float64) - centroids) ** 2).sum(2).min(1).mean()


def test_distinct_counts_rows():
    points, counts = distinct(np.array([[0.0, 1], [2, 3], [-0.0, 1], [2, 3], [2, 3]], np.float32))
    assert sorted(zip(points.tolist(), counts.tolist(), strict=True)) == [([0.0, 1.0], 2), ([2.0, 3.0], 3)]


def test_no_worse_than_sklearn_and_far_better_than_chance(clouds, threads):
    points, weights = distinct(clouds)
    ours, theirs, chance = [], [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        ours.append(cost(clouds, seed_centroids(points, weights, 60, rng, threads)))
        theirs.append(cost(clouds, kmeans_plusplus(clouds, 60, random_state=seed)[0]))
        chance.append(cost(clouds, rng.choice(clouds, 60, replace=False)))
    assert np.mean(ours) < 1.1 * np.mean(theirs)
    assert np.mean(ours) < 0.8 * np.mean(chance)


def test_seeds_are_distinct_points_and_repeat(clouds, threads):
    points, weights = distinct(clouds[:120])
    for count in (1, 2, 100, 119, 120):
        seeds = seed_centroids(points, weights, count, np.random.default_rng(3), threads)
        again = seed_centroids(points, weights, count, np.random.default_rng(3), threads)
        assert seeds.tobytes() == again.tobytes()
        assert len(np.unique(seeds, axis=0)) == count
        assert {row.tobytes() for row in seeds} <= {row.tobytes() for row in points}


def test_every_island_gets_a_seed(threads):
    rng = np.random.default_rng(0)
    islands = rng.normal(0, 100, (20, 5))
    which = np.concatenate([np.zeros(2981, int), np.arange(1, 20)])
    points, weights = distinct((islands[which] + rng.normal(0, 0.1, (3000, 5))).astype(np.float32))
    for seed in range(5):
        seeds = seed_centroids(points, weights, 20, np.random.default_rng(seed), threads)
        assert len({int(((row - islands) ** 2).sum(1).argmin()) for row in seeds}) == 20


def test_seeds_stay_distinct_when_outliers_take_all_draws(threads):
    points, weights = distinct(np.float32(2) ** np.arange(40, dtype=np.float32)[:, None])
    seeds = seed_centroids(points, weights, 35, np.random.default_rng(0), threads)
    assert len(np.unique(seeds)) == 35


def test_points_closer_than_rounding_are_still_told_apart(threads):
    points = np.float32(1000) + np.arange(6, dtype=np.float32)[:, None] * np.float32(6.2e-5)
    points, weights = distinct(points)
    assert len(points) > 3
    seeds = seed_centroids(points, weights, len(points), np.random.default_rng(0), threads)
    assert len(np.unique(seeds)) == len(points)


def test_weights_count_as_frames(threads):
    points = np.array([[0.0], [1.0], [100.0]], np.float32)
    first = [seed_centroids(points, [1, 1, 98], 1, np.random.default_rng(s), threads)[0, 0] for s in range(40)]
    assert np.mean(np.array(first) == 100) > 0.8
