"""Labels equal a brute-force argmin, and keep clips."""

import faiss
import numpy as np
import pytest

from musicssl.artefacts import RaggedShard
from musicssl.cluster import nearest
from musicssl.cluster.assign import assign_shard
from musicssl.cluster.executors import open_executor
from musicssl.runtime import UserError


def brute_force(frames, centroids):
    """Return squared distances (N, K) in float64 by the definition."""
    return ((frames[:, None].astype(np.float64) - centroids.astype(np.float64)) ** 2).sum(2)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
@pytest.mark.parametrize(
    ("num_frames", "width", "num_clusters"), [(1, 1, 1), (513, 39, 100), (1500, 60, 257), (700, 768, 33)]
)
def test_search_is_brute_force_argmin(num_frames, width, num_clusters, offset):
    rng = np.random.default_rng(num_frames)
    frames = (rng.normal(0, 1, (num_frames, width)) + offset).astype(np.float32)
    centroids = (rng.normal(0, 1, (num_clusters, width)) + offset).astype(np.float32)
    labels, distances = nearest.searcher(centroids)(frames)
    exact = brute_force(frames, centroids)
    rows = np.arange(num_frames)
    assert (exact[rows, labels] <= exact.min(1) + 1e-5 * width).all()
    assert (labels == exact.argmin(1)).mean() > 0.995
    np.testing.assert_allclose(distances, exact.min(1), rtol=1e-4, atol=1e-4)


def test_ties_go_to_the_lowest_label():
    centroids = np.array([[9, 9], [1, 0], [-1, 0], [1, 0]], np.float32)
    labels, _ = nearest.searcher(centroids)(np.array([[0, 0], [1, 0], [0, 5]], np.float32))
    assert labels.tolist() == [1, 1, 1]


def test_gpu_search_gives_the_same_labels(monkeypatch):
    """The calls of faiss' GPU index, answered by its CPU index."""
    rng = np.random.default_rng(0)
    frames, centroids = rng.normal(7, 1, (2000, 39)).astype("f4"), rng.normal(7, 1, (50, 39)).astype("f4")
    labels, distances = nearest.searcher(centroids)(frames)
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1)
    monkeypatch.setattr(faiss, "StandardGpuResources", object, raising=False)
    monkeypatch.setattr(faiss, "index_cpu_to_gpu", lambda resources, device, index: index, raising=False)
    gpu_labels, gpu_distances = nearest.searcher(centroids)(frames)
    np.testing.assert_array_equal(gpu_labels, labels)
    np.testing.assert_allclose(gpu_distances, distances, rtol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_label_shard_keeps_clips(clouds, shards, tmp_path, monkeypatch, dtype):
    monkeypatch.setattr("musicssl.cluster.assign.BLOCK_ROWS", 700)
    marks = ["train", "valid"] * 15 + ["train"]
    (features,) = shards(clouds, dtype=dtype, splits=marks)
    centroids = clouds[::100].copy()
    exact = brute_force(clouds.astype(dtype), centroids)
    written = []
    for count in (1, 3):
        with open_executor("threads", count) as executor:
            assign_shard(features, centroids, tmp_path / f"{count}.npy", "labels0000", executor)
        labels = RaggedShard(tmp_path / f"{count}.npy", "labels0000")
        written.append((labels.path.read_bytes(), labels.path.with_suffix(".json").read_text()))
    assert written[0] == written[1]
    assert labels.ids == features.ids
    assert labels.attrs == {"num_clusters": 30, "frame_rate_hz": 100, "splits": marks}
    assert labels.data.dtype == np.uint16
    np.testing.assert_array_equal(labels.offsets, features.offsets)
    np.testing.assert_array_equal(labels[7][10:20], exact.argmin(1)[97 * 7 + 10 : 97 * 7 + 20])
    assert (labels.data == exact.argmin(1)).mean() > 0.999
    picked = exact[np.arange(3000), labels.data]
    assert (picked <= exact.min(1) + 1e-4).all()


def test_many_clusters_need_four_bytes(shards, tmp_path, threads):
    centroids = (np.arange(65537)[:, None] >> np.arange(17) & 1).astype(np.float32)  # label in binary
    (features,) = shards(centroids[[65536, 3]] + 0.2)
    assign_shard(features, centroids, tmp_path / "labels.npy", "labels0000", threads)
    labels = RaggedShard(tmp_path / "labels.npy")
    assert labels.data.dtype == np.uint32
    assert labels.data.tolist() == [65536, 3]


def test_empty_shard(shards, tmp_path, threads):
    (features,) = shards(np.empty((0, 4), np.float32), splits=["train"])
    assign_shard(features, np.eye(4, dtype=np.float32), tmp_path / "labels.npy", "labels0000", threads)
    assert RaggedShard(tmp_path / "labels.npy").lengths().tolist() == [0]


def test_complaints(clouds, shards, tmp_path, threads, monkeypatch):
    monkeypatch.setattr("musicssl.cluster.blocks.TILE_ROWS", 200)
    spoilt = clouds.copy()
    spoilt[97 * 9 + 3, 0] = np.nan
    (features,) = shards(spoilt)
    with pytest.raises(UserError, match=r"features/000\.npy: NaN or infinity in clip 'song0\.wav#9', frame 3"):
        assign_shard(features, clouds[:5], tmp_path / "labels.npy", "labels0000", threads)
    with pytest.raises(UserError, match=r"000\.npy: features of width 7, but the centroids have 5"):
        assign_shard(features, clouds[:5, :5], tmp_path / "labels.npy", "labels0000", threads)
    assert not (tmp_path / "labels.npy").exists()
    (scalars,) = shards(np.zeros(500), folder="scalars")
    with pytest.raises(UserError, match=r"rows of shape \(\), expected vectors"):
        assign_shard(scalars, clouds[:5], tmp_path / "labels.npy", "labels0000", threads)
