"""The rules' scripts, from audio on disk to labels on disk."""

from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import assign_labels
import extract_features
import fit_kmeans
from musicssl.artefacts import RaggedShard, RaggedWriter, ShardError, read_json
from musicssl.geometry import to_float32
from musicssl.runtime import UserError
from musicssl.signal.mfcc import mfcc

FEATURES = {
    "name": "mfcc39",
    "digest": "feature000",
    "entry": {
        "kind": "mfcc", "num_ceps": 13, "num_mel_bins": 23, "frame_rate_hz": 100, "sample_fraction": 0.5,
        "sample_seed": 0, "code_version": 1,
    },
    "inputs": {"corpus": {"digest": "corpus0000"}},
}  # fmt: skip


@pytest.fixture
def audio(tmp_path):
    """Write two audio shards of noise whose loudness wanders, and return their paths."""
    rng = np.random.default_rng(0)
    paths = []
    for s, count in enumerate((7, 4)):
        paths.append(tmp_path / f"audio/{s:03d}.npy")
        with RaggedWriter(paths[-1], np.int16, (), "corpus0000", splits=(["train"] * 6 + ["valid"])[:count]) as writer:
            for c in range(count):
                loudness = 10 ** rng.uniform(1, 4, (25, 1))
                writer.append(f"song{s}.wav#{c}", (loudness * rng.standard_normal((25, 640))).ravel())
    return paths


def jobs(audio, recipe, out, cluster="threads", **changes):
    """Return the jobs of both rules for all shards, and the one between."""
    values = {
        "noun": "labels",
        "name": "mfcc39-k9",
        "digest": "labels0000",
        "entry": asdict(recipe(9)),
        "inputs": {"features": FEATURES | changes},
    }
    stored = [str(out / "features" / path.name) for path in audio]
    centroids = str(out / "centroids.npy")
    extract = [
        SimpleNamespace(
            input=SimpleNamespace(audio=str(path), get={}.get),
            output=SimpleNamespace(features=feature),
            params=SimpleNamespace(recipe=values["inputs"]["features"]),
            threads=2,
        )
        for path, feature in zip(audio, stored, strict=True)
    ]
    fit = SimpleNamespace(
        input=SimpleNamespace(features=stored),
        output=SimpleNamespace(centroids=centroids, report=str(out / "kmeans.json")),
        params=SimpleNamespace(recipe=values, place={"cluster": cluster}),
        threads=2,
    )
    assign = [
        SimpleNamespace(
            input=SimpleNamespace(audio=str(path), centroids=centroids, get={}.get),
            output=SimpleNamespace(labels=str(out / path.name)),
            params=SimpleNamespace(recipe=values),
            threads=2,
        )
        for path in audio
    ]
    return extract, fit, assign


def test_extract_fit_assign(audio, recipe, tmp_path):
    contents = []
    for turn, cluster in enumerate(["threads", "threads", "local"]):
        out = tmp_path / str(turn)
        extract, fit, assign = jobs(audio, recipe, out, cluster)
        for job in extract:
            extract_features.main(job)
        fit_kmeans.main(fit)
        for job in assign:
            assign_labels.main(job)
        contents.append({path.name: path.read_bytes() for path in out.iterdir() if path.is_file()})
    assert contents[0] == contents[1] == contents[2]
    assert set(contents[0]) == {"centroids.npy", "kmeans.json", "000.npy", "000.json", "001.npy", "001.json"}
    report = read_json(out / "kmeans.json")
    assert (report["labels"], report["digest"], report["num_clips"]) == ("mfcc39-k9", "labels0000", 5)
    labels, clips = RaggedShard(out / "000.npy", "labels0000"), RaggedShard(audio[0])
    assert labels.ids == clips.ids
    assert labels.attrs == {"num_clusters": 9, "frame_rate_hz": 100, "splits": clips.attrs["splits"]}
    centroids = np.load(out / "centroids.npy").astype(np.float64)
    for i in range(7):  # held-out and undrawn clips too
        vectors = mfcc(torch.from_numpy(to_float32(clips[i]))[None], 13, 23)[0].numpy()
        exact = ((vectors[:, None] - centroids) ** 2).sum(2)
        assert (labels[i] == exact.argmin(1)).mean() > 0.99


def test_features_of_another_recipe(audio, recipe, tmp_path):
    extract, *_ = jobs(audio, recipe, tmp_path)
    for job in extract:
        extract_features.main(job)
    _, fit, _ = jobs(audio, recipe, tmp_path, digest="other")
    with pytest.raises(ShardError, match="made by recipe feature000, expected other"):
        fit_kmeans.main(fit)
    _, _, (assign, _) = jobs(audio, recipe, tmp_path, inputs={"corpus": {"digest": "other"}})
    with pytest.raises(ShardError, match="made by recipe corpus0000, expected other"):
        assign_labels.main(assign)


def test_centroids_of_another_width(audio, recipe, tmp_path):
    _, _, (assign, _) = jobs(audio, recipe, tmp_path)
    np.save(tmp_path / "centroids.npy", np.zeros((9, 60), np.float32))
    with pytest.raises(UserError, match=r"centroids.npy: centroids of width 60, but mfcc39 vectors have 39; delete"):
        assign_labels.main(assign)
    assert not (tmp_path / "000.npy").exists()
