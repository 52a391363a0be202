"""The rules' scripts, from audio on disk to labels on disk."""

import pickle
import subprocess
import sys
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import assign_labels
import extract_features
import fit_kmeans
from musicssl.artefacts import read_json
from musicssl.artefacts.ragged import RaggedShard, RaggedWriter, ShardError
from musicssl.geometry import to_float32
from musicssl.runtime import UserError
from musicssl.signal.mfcc import mfcc
from musicssl.targets import features
from musicssl.targets.kmeans import nearest

FEATURES = {
    "name": "mfcc39",
    "digest": "feature000",
    "entry": {
        "kind": "mfcc", "num_ceps": 13, "num_mel_bins": 23, "frame_rate_hz": 100, "sample_fraction": 0.5,
        "sample_seed": 0,
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


def test_a_run_on_cpus_imports_no_faiss(audio, recipe, tmp_path, root):
    (extract, *more), fit, (assign, _) = jobs(audio, recipe, tmp_path / "out")
    todo = [(extract_features, extract), *((extract_features, job) for job in more), (fit_kmeans, fit)]
    (tmp_path / "jobs").write_bytes(
        pickle.dumps([(script.__name__, job) for script, job in [*todo, (assign_labels, assign)]])
    )
    code = (
        "import importlib, pickle, sys\n"
        "for name, job in pickle.load(open(sys.argv[1], 'rb')):\n"
        "    importlib.import_module(name).main(job)\n"
        "print([name for name in ('faiss', 'distributed', 'transformers') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "jobs")]
    done = subprocess.run(command, cwd=root / "workflow/scripts", capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert (tmp_path / "out/000.npy").exists()


@pytest.mark.parametrize("kind", ["mfcc", "layer"])
def test_only_layers_of_an_encoder_are_searched_on_a_gpu(audio, recipe, tmp_path, monkeypatch, kind):
    """MFCC-like features reserve none, so their labels must not take one that is there."""
    extract, fit, (assign, _) = jobs(audio, recipe, tmp_path)
    for job in extract:
        extract_features.main(job)
    fit_kmeans.main(fit)
    asked = []
    monkeypatch.setattr(nearest, "index_here", lambda: asked.append(kind))
    monkeypatch.setattr(features, "extractor", lambda recipe, folder, make=features.extractor: make(FEATURES, folder))
    changed = {**FEATURES, "entry": FEATURES["entry"] | {"kind": kind}}
    assign.params.recipe["inputs"]["features"] = changed
    assign_labels.main(assign)
    assert asked == (["layer"] if kind == "layer" else [])


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
    with pytest.raises(UserError, match=r"centroids.npy: centroids of width 60, expected 39, that of the v"):
        assign_labels.main(assign)
    assert not (tmp_path / "000.npy").exists()
