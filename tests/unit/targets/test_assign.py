"""Labels equal a brute-force argmin, and keep clips."""

import sys

import faiss
import numpy as np
import pytest

from musicssl.artefacts.ragged import RaggedShard
from musicssl.runtime import UserError
from musicssl.targets.assign import write_labels
from musicssl.targets.kmeans import nearest
from musicssl.targets.kmeans.executors import open_executor
from musicssl.targets.kmeans.lloyd import fit


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


@pytest.fixture
def gpu(monkeypatch, tmp_path):
    """Stand in for a GPU: its driver's file, and faiss' CPU index behind the calls that make a GPU's."""
    driver = tmp_path / "nvidiactl"
    driver.touch()
    nearest._gpu_resources.cache_clear()
    monkeypatch.setattr(nearest, "DRIVER", driver)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1)
    monkeypatch.setattr(faiss, "StandardGpuResources", object, raising=False)
    monkeypatch.setattr(faiss, "index_cpu_to_gpu", lambda resources, device, index: index, raising=False)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_faiss_finds_the_same_labels(gpu, offset):
    rng = np.random.default_rng(0)
    frames, centroids = ((rng.normal(0, 1, (n, 39)) + offset).astype("f4") for n in (2000, 50))
    labels, distances = nearest.searcher(centroids)(frames)
    other_labels, other_distances = nearest.searcher(centroids, nearest.index_here())(frames)
    np.testing.assert_array_equal(other_labels, labels)
    assert (other_labels.dtype, other_distances.dtype) == (labels.dtype, distances.dtype)
    np.testing.assert_allclose(other_distances, distances, rtol=1e-4, atol=1e-4)
    assert (nearest.searcher(centroids, nearest.index_here())(centroids)[1] >= 0).all()


def test_faiss_searches_where_a_gpu_may_be_used(gpu, monkeypatch, caplog):
    assert nearest.index_here() is nearest.gpu_index
    for visible in ("", "-1", "NoDevFiles"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert nearest.index_here() is None, visible
    for visible in ("3,1", "GPU-5a", "0"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert nearest.index_here() is nearest.gpu_index, visible
    assert not caplog.messages
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 0)
    assert nearest.index_here() is None
    monkeypatch.setitem(sys.modules, "faiss", None)
    assert nearest.index_here() is None
    assert [text.split(": centroids")[0] for text in caplog.messages] == [
        "this machine has a GPU, but faiss sees none",
        "this machine has a GPU, but faiss is not installed",
    ]
    monkeypatch.setattr(nearest, "DRIVER", nearest.DRIVER.with_name("none"))
    assert nearest.index_here() is None
    assert len(caplog.messages) == 2  # a machine without a GPU has nothing to say


def test_centroids_and_labels_by_faiss_are_those_of_the_cpu(gpu, clouds, shards, recipe, tmp_path):
    """The same bytes on any number of threads, since sums are taken in the order of the frames wherever it searches."""
    (features,) = shards(clouds)
    contents = []
    for count, index in ((1, None), (1, nearest.index_here()), (3, nearest.index_here())):
        with open_executor("threads", count) as executor:
            centroids, report = fit([features], recipe(12, num_restarts=2), executor, executor, index)
            path = tmp_path / f"{len(contents)}.npy"
            write_labels(clips_of(features), centroids, path, "labels0000", executor, index)
        contents.append((centroids.tobytes(), path.read_bytes(), report["histogram"]))
    assert contents[1] == contents[2]
    assert contents[0] == contents[1]


def clips_of(shard):
    return zip(shard.ids, map(shard.__getitem__, range(len(shard))), strict=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_label_shard_keeps_clips(clouds, shards, tmp_path, monkeypatch, dtype):
    monkeypatch.setattr("musicssl.targets.assign.BLOCK_ROWS", 700)
    monkeypatch.setattr("musicssl.targets.assign.TILE_ROWS", 300)
    (features,) = shards(clouds, dtype=dtype)
    centroids = clouds[::100].copy()
    exact = brute_force(clouds.astype(dtype), centroids)
    written = []
    for count in (1, 3):
        with open_executor("threads", count) as executor:
            write_labels(clips_of(features), centroids, tmp_path / f"{count}.npy", "labels0000", executor, splits=[])
        labels = RaggedShard(tmp_path / f"{count}.npy", "labels0000")
        written.append((labels.path.read_bytes(), labels.path.with_suffix(".json").read_text()))
    assert written[0] == written[1]
    assert labels.ids == features.ids
    assert labels.attrs == {"num_clusters": 30, "splits": []}
    assert labels.data.dtype == np.uint16
    np.testing.assert_array_equal(labels.offsets, features.offsets)
    np.testing.assert_array_equal(labels[7][10:20], exact.argmin(1)[97 * 7 + 10 : 97 * 7 + 20])
    assert (labels.data == exact.argmin(1)).mean() > 0.999
    picked = exact[np.arange(3000), labels.data]
    assert (picked <= exact.min(1) + 1e-4).all()


def test_many_clusters_need_four_bytes(tmp_path, threads):
    centroids = (np.arange(65537)[:, None] >> np.arange(17) & 1).astype(np.float32)  # label in binary
    clips = [("a", centroids[[65536, 3]] + np.float32(0.2))]
    write_labels(clips, centroids, tmp_path / "labels.npy", "labels0000", threads)
    labels = RaggedShard(tmp_path / "labels.npy")
    assert labels.data.dtype == np.uint32
    assert labels.data.tolist() == [65536, 3]


def test_no_frames_and_no_clips(tmp_path, threads):
    for name, clips in (("clip", [("a", np.empty((0, 4), np.float32))]), ("none", [])):
        write_labels(clips, np.eye(4, dtype=np.float32), tmp_path / f"{name}.npy", "labels0000", threads)
    assert RaggedShard(tmp_path / "clip.npy").lengths().tolist() == [0]
    assert RaggedShard(tmp_path / "none.npy").lengths().tolist() == []


def test_a_failing_source_leaves_no_shard(clouds, tmp_path, threads):
    def clips():
        yield "a", clouds[:50]
        raise UserError("clip b is damaged")

    with pytest.raises(UserError, match="clip b is damaged"):
        write_labels(clips(), clouds[:5], tmp_path / "labels.npy", "labels0000", threads)
    assert list(tmp_path.iterdir()) == []
