"""Lloyd's iteration against scikit-learn, its laws, and every complaint."""

import json

import numpy as np
import pytest
from sklearn.cluster import KMeans

import musicssl.targets.kmeans.lloyd as kmeans
from musicssl.artefacts.ragged import RaggedWriter, ShardError, open_all
from musicssl.runtime import UserError
from musicssl.targets.kmeans.blocks import cut


def run(found_shards, recipe, executor):
    return kmeans.fit(found_shards, recipe, executor, executor)


def energy(frames):
    return float(np.square(frames, dtype=np.float64).sum())


def test_equals_sklearn_lloyd_from_the_same_start(clouds, recipe, threads):
    start = clouds[:: len(clouds) // 12][:12].copy()
    ours = kmeans.lloyd(cut([clouds], 500), start, energy(clouds), recipe(12), 300, threads)
    theirs = KMeans(12, init=start, n_init=1, tol=0, max_iter=300, algorithm="lloyd").fit(clouds.astype(np.float64))
    assert ours.converged
    np.testing.assert_allclose(ours.inertia[-1], theirs.inertia_ / len(clouds), rtol=1e-6)
    np.testing.assert_allclose(ours.centroids, theirs.cluster_centers_, atol=1e-4)
    np.testing.assert_array_equal(ours.counts, np.bincount(theirs.labels_, minlength=12))


def test_report_describes_the_centroids_returned(clouds, shards, recipe, threads):
    centroids, report = run(shards(clouds[:1700], clouds[1700:]), recipe(20, tolerance=1e-2), threads)
    gaps = ((clouds[:, None].astype(np.float64) - centroids) ** 2).sum(2)
    histogram = np.bincount(gaps.argmin(1), minlength=20)
    assert centroids.dtype == np.float32
    np.testing.assert_allclose(report["inertia"][-1], gaps.min(1).mean(), rtol=1e-6)
    assert report["histogram"] == histogram.tolist()
    share = histogram / len(clouds)
    assert report["perplexity"] == pytest.approx(np.exp(-(share * np.log(share)).sum()))
    assert (report["num_frames"], report["used_clusters"], report["converged"]) == (3000, 20, True)
    assert report["num_clips"] == 18 + 14


def test_inertia_never_rises_and_tolerance_stops(clouds, recipe, threads):
    def inertia(max_iterations, tolerance):
        made = recipe(30, tolerance=tolerance)
        found = kmeans.lloyd(cut([clouds], 500), clouds[:30], energy(clouds), made, max_iterations, threads)
        return np.array(found.inertia), found.converged

    full, settled = inertia(300, 0.0)
    falls = -np.diff(full) / full[:-1]
    assert settled
    assert (falls[:-1] > 0).all()
    assert falls[-1] == pytest.approx(0, abs=1e-12)
    loose, _ = inertia(300, 0.02)
    stop = int(np.flatnonzero(falls <= 0.02)[0]) + 2
    np.testing.assert_array_equal(loose, full[:stop])
    few, settled = inertia(3, 0.0)
    np.testing.assert_array_equal(few, full[:3])
    assert not settled


def test_restarts_keep_the_best(clouds, shards, recipe, threads):
    _, report = run(shards(clouds), recipe(12, num_restarts=4), threads)
    _, single = run(shards(clouds), recipe(12), threads)
    assert report["restart_inertia"][0] == single["restart_inertia"][0]
    assert len(set(report["restart_inertia"])) > 1
    assert report["inertia"][0] == pytest.approx(min(report["restart_inertia"]), rel=1e-9)


def test_float16_shards_give_the_labels_of_their_values(clouds, shards, recipe, threads):
    half = clouds.astype(np.float16)
    a, _ = run(shards(half, dtype=np.float16, folder="half"), recipe(9), threads)
    b, _ = run(shards(half.astype(np.float32), folder="single"), recipe(9), threads)
    np.testing.assert_array_equal(a, b)


def empties(clouds):
    """Return a start with two centroids far from everything."""
    start = clouds[:10].copy()
    start[3], start[7] = 1e4, -1e4
    return start


def test_empty_clusters_move_to_the_farthest_frames(clouds, recipe, threads):
    start, blocks = empties(clouds), cut([clouds], 500)
    one = kmeans.lloyd(blocks, start, energy(clouds), recipe(10), 2, threads)
    gaps = ((clouds[:, None].astype(np.float64) - start) ** 2).sum(2).min(1)
    np.testing.assert_array_equal(one.centroids[[3, 7]], clouds[np.argsort(-gaps)[:2]])
    assert (kmeans.lloyd(blocks, start, energy(clouds), recipe(10), 50, threads).counts > 0).all()


def test_empty_clusters_stay_when_reseeding_is_off(clouds, recipe, threads):
    start = empties(clouds)
    found = kmeans.lloyd(cut([clouds], 500), start, energy(clouds), recipe(10, reseed_empty=False), 50, threads)
    assert found.converged
    assert np.flatnonzero(found.counts == 0).tolist() == [3, 7]
    np.testing.assert_array_equal(found.centroids[[3, 7]], start[[3, 7]])


def test_repeated_outliers_get_one_centroid_and_iteration_goes_on(clouds, recipe, threads):
    frames = np.concatenate([clouds, np.repeat(clouds[:1] + 900, 40, axis=0)])
    start = empties(clouds)
    one = kmeans.lloyd(cut([frames], 500), start, energy(frames), recipe(10), 2, threads)
    np.testing.assert_array_equal(one.centroids[[3, 7]], [frames[-1], start[7]])
    found = kmeans.lloyd(cut([frames], 500), start, energy(frames), recipe(10, tolerance=1.0), 50, threads)
    assert found.converged
    assert (found.counts > 0).all()


def test_nothing_moves_onto_a_frame_that_has_its_centroid(recipe, threads):
    frames = np.repeat(np.eye(3, dtype=np.float32), 20, axis=0)
    start = np.concatenate([np.eye(3, dtype=np.float32), np.full((1, 3), 50, np.float32)])
    found = kmeans.lloyd(cut([frames], 500), start, energy(frames), recipe(4), 5, threads)
    np.testing.assert_array_equal(found.centroids, start)
    assert not found.converged


def test_as_many_clusters_as_distinct_frames_fit_exactly(shards, recipe, threads):
    distinct = np.random.default_rng(0).normal(0, 3, (25, 4)).astype(np.float32)
    frames = distinct[np.random.default_rng(1).permutation(np.repeat(np.arange(25), 30))]
    centroids, report = run(shards(frames), recipe(25), threads)
    assert report["inertia"][-1] < 1e-10
    assert report["histogram"] == [30] * 25
    np.testing.assert_allclose(np.sort(centroids, axis=0), np.sort(distinct, axis=0), rtol=1e-6)


def test_rare_frames_missed_by_the_sample_are_found(shards, recipe, threads, monkeypatch):
    monkeypatch.setattr("musicssl.targets.kmeans.sample.SAMPLE_ROWS", 10)
    monkeypatch.setattr("musicssl.targets.kmeans.sample.SAMPLE_PER_CLUSTER", 1)
    frames = np.zeros((5000, 3), np.float32)
    frames[[1, 2500, 4999]] = np.eye(3)
    _, report = run(shards(frames), recipe(4), threads)
    assert sorted(report["histogram"]) == [1, 1, 1, 4997]


def test_same_bytes_twice(clouds, shards, recipe, threads):
    found = shards(clouds)
    a, first = run(found, recipe(16, num_restarts=2), threads)
    b, second = run(found, recipe(16, num_restarts=2), threads)
    other, _ = run(found, recipe(16, num_restarts=2, seed=1), threads)
    assert a.tobytes() == b.tobytes() != other.tobytes()
    assert json.dumps(first) == json.dumps(second)


def test_too_many_clusters(shards, recipe, threads):
    frames = np.repeat(np.eye(3, dtype=np.float32), 50, axis=0)
    with pytest.raises(UserError, match="num_clusters: 5 clusters asked of 3 distinct frames; lower"):
        run(shards(frames), recipe(5), threads)


def test_constant_features(shards, recipe, threads):
    with pytest.raises(UserError, match="every frame is the same vector"):
        run(shards(np.full((300, 4), 2.5)), recipe(1), threads)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers(clouds, shards, recipe, threads, bad, monkeypatch):
    monkeypatch.setattr("musicssl.targets.kmeans.blocks.TILE_ROWS", 200)
    spoilt = clouds[1700:].copy()
    spoilt[97 * 5 + 11, 2] = bad
    with pytest.raises(UserError, match=r"001\.npy: NaN or infinity in clip 'song1\.wav#5', frame 11"):
        run(shards(clouds[:1700], spoilt), recipe(4), threads)


def test_unequal_widths(clouds, shards, recipe, threads):
    with pytest.raises(
        UserError, match=r"001\.npy: rows of shape \(5,\), expected vectors as in .*000\.npy \(\(7,\)\)"
    ):
        run(shards(clouds, clouds[:, :5]), recipe(4), threads)


def test_no_clips(shards, recipe, threads, tmp_path):
    with RaggedWriter(tmp_path / "000.npy", np.float32, (7,), "feature000"):
        pass
    with pytest.raises(UserError, match="no clip has split 'train'"):
        run(open_all([tmp_path / "000.npy"]), recipe(4), threads)


def test_no_frames(clouds, shards, recipe, threads):
    with pytest.raises(UserError, match="hold no frames"):
        run(shards(clouds[:0]), recipe(4), threads)


def test_damaged_shards(clouds, shards):
    path = shards(clouds)[0].path
    with pytest.raises(ShardError, match="made by recipe feature000, expected other"):
        open_all([path], "other")
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ShardError, match="truncated"):
        open_all([path])
    path.unlink()
    with pytest.raises(ShardError, match="missing"):
        open_all([path])


def test_a_coarse_start_ends_no_worse_and_reports_all_frames(clouds, shards, recipe, threads, monkeypatch):
    """In the end every block is read; before, an eighth of the frames in short runs from everywhere."""
    monkeypatch.setattr(kmeans, "BLOCK_ROWS", 150)  # 20 blocks
    monkeypatch.setattr(kmeans, "COARSE_ROWS", 16)
    found = shards(clouds)
    counts = []
    inner = kmeans.lloyd
    monkeypatch.setattr(kmeans, "lloyd", lambda blocks, *rest: counts.append(len(blocks)) or inner(blocks, *rest))
    _, coarse = run(found, recipe(12), threads)
    assert counts[-2:] == [3, 20]  # 3000 / 8 = 375 frames
    monkeypatch.setattr(kmeans, "COARSE_STRIDE", 100)
    _, plain = run(found, recipe(12), threads)
    assert sum(coarse["histogram"]) == sum(plain["histogram"]) == 3000
    assert coarse["inertia"][-1] <= 1.02 * plain["inertia"][-1]
