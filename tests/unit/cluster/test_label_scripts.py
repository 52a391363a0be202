"""The rules' scripts, from features on disk to labels on disk."""

from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest

import assign_labels
import fit_kmeans
from musicssl.artefacts import RaggedShard, ShardError, read_json


def jobs(found, recipe, out, **params):
    values = {
        "noun": "labels",
        "name": "mfcc39-k9",
        "digest": "labels0000",
        "entry": asdict(recipe(9, sample_fraction=0.5)),
        "inputs": {"features": {"digest": params.pop("digest", "feature000")}},
    }
    paths = [str(shard.path) for shard in found]
    centroids, report = str(out / "centroids.npy"), str(out / "kmeans.json")
    yield SimpleNamespace(
        input=SimpleNamespace(features=paths),
        output=SimpleNamespace(centroids=centroids, report=report),
        params=SimpleNamespace(recipe=values, **params),
        threads=2,
    )
    for shard, path in enumerate(paths):
        yield SimpleNamespace(
            input=SimpleNamespace(features=path, centroids=centroids),
            output=SimpleNamespace(labels=str(out / f"{shard:03d}.npy")),
            params=SimpleNamespace(recipe=values),
            threads=2,
        )


def test_fit_then_assign(clouds, shards, recipe, tmp_path):
    found = shards(clouds[:1700], clouds[1700:])
    contents = []
    for turn, params in enumerate([{}, {}, {"cluster": "local"}]):
        out = tmp_path / str(turn)
        fit, *assign = jobs(found, recipe, out, **params)
        fit_kmeans.main(fit)
        for job in assign:
            assign_labels.main(job)
        contents.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert contents[0] == contents[1] == contents[2]
    assert set(contents[0]) == {"centroids.npy", "kmeans.json", "000.npy", "000.json", "001.npy", "001.json"}
    report = read_json(out / "kmeans.json")
    assert (report["labels"], report["digest"], report["num_clips"]) == ("mfcc39-k9", "labels0000", 16)
    labels = RaggedShard(out / "001.npy", "labels0000")
    exact = ((clouds[1700:, None] - np.load(out / "centroids.npy").astype(np.float64)) ** 2).sum(2)
    assert (labels.data == exact.argmin(1)).mean() > 0.999


def test_features_of_another_recipe(clouds, shards, recipe, tmp_path):
    fit, assign = jobs(shards(clouds), recipe, tmp_path, digest="other")
    for main, job in ((fit_kmeans.main, fit), (assign_labels.main, assign)):
        with pytest.raises(ShardError, match="made by recipe feature000, expected other"):
            main(job)
