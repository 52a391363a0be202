"""Laws of seeding and fitting for any number of clusters, frames and dimensions, duplicates included."""

import itertools

import numpy as np
import pytest

from musicssl.artefacts.ragged import RaggedWriter, open_all
from musicssl.targets.kmeans.lloyd import fit
from musicssl.targets.kmeans.seeding import distinct, seed_centroids


@pytest.mark.parametrize("num_clusters", [1, 2, 3, 4, 8, 11, 12])
def test_seeding_finds_as_many_as_asked_for_with_any_seed(threads, num_clusters):
    """Of two clusters, 66 of 200 seeds drew no second candidate in five rounds and crashed."""
    points, weights = distinct(np.random.default_rng(0).normal(0, 1, (3000, 7)).astype(np.float32))
    rows = {row.tobytes() for row in points}
    for seed in range(200):
        seeds = seed_centroids(points, weights, num_clusters, np.random.default_rng(seed), threads)
        assert len({row.tobytes() for row in seeds} & rows) == len(seeds) == num_clusters


CASES = [
    (clusters, frames, width, kinds)
    for clusters, frames, width, kinds in itertools.product(
        (1, 2, 3, 5, 9), (2, 3, 10, 400), (1, 2, 39), (2, 3, 9, 400)
    )
    if clusters <= kinds <= frames
]


@pytest.mark.parametrize(("clusters", "frames", "width", "kinds"), CASES)
def test_laws_of_a_fit(tmp_path, recipe, threads, clusters, frames, width, kinds):
    """Whatever is clustered: every frame counts once, its centroid is the nearest, inertia is theirs and falls."""
    for seed in range(6):
        rng = np.random.default_rng([seed, clusters, frames, width, kinds])
        distinct_rows = rng.normal(0, 10.0 ** rng.integers(-2, 3), (kinds, width)).astype(np.float32)
        rows = distinct_rows[np.concatenate([np.arange(kinds), rng.integers(0, kinds, frames - kinds)])]
        path = tmp_path / f"{seed}.npy"
        with RaggedWriter(path, np.float32, (width,), "feature000") as writer:
            writer.append("song.wav#0", rows)
        made = recipe(clusters, num_restarts=1 + seed % 2, seed=seed, max_iterations=1 + 20 * (seed % 3))
        centroids, report = fit(open_all([path]), made, threads, threads)
        gaps = ((rows[:, None].astype(np.float64) - centroids) ** 2).sum(2)
        scale = np.square(rows, dtype=np.float64).sum(1).mean()
        assert centroids.shape == (clusters, width)
        assert np.isfinite(centroids).all()
        assert sum(report["histogram"]) == report["num_frames"] == frames
        assert report["inertia"][-1] == pytest.approx(gaps.min(1).mean(), rel=1e-4, abs=1e-6 * scale)
        assert (np.diff(report["inertia"]) <= 1e-6 * scale).all()
        if kinds == clusters:
            assert report["inertia"][-1] <= 1e-6 * scale
            assert report["used_clusters"] == clusters
