"""Every branch of the models table trains from the miniature's configuration alone."""

import math

import pytest
import torch
import training_kit as kit

from musicssl.artefacts import read_jsonl
from musicssl.artefacts.ragged import RaggedWriter
from musicssl.config.catalogue import Catalogue
from musicssl.config.load import load

NAMES = Catalogue(load()[0]).trained
SECONDS = 8


@pytest.fixture(scope="module")
def audio(tmp_path_factory):
    return kit.write_corpus(tmp_path_factory.mktemp("corpus"), [[SECONDS * 16000] * 8])[0]


def write_labels(folder, digest, rate, num_clusters):
    """Write one label set of the eight clips, at the rate and size that the configuration asks for."""
    splits = ["valid" if n % 4 == 3 else "train" for n in range(8)]
    attributes = {"frame_rate_hz": rate, "num_clusters": num_clusters, "splits": splits}
    generator = torch.Generator().manual_seed(0)
    with RaggedWriter(folder / "000.npy", "uint16", (), digest, **attributes) as shard:
        for n in range(8):
            shard.append(f"file{n}.wav#0", torch.randint(num_clusters, (SECONDS * rate,), generator=generator).numpy())
    return [folder / "000.npy"]


@pytest.mark.parametrize("name", NAMES)
def test_two_updates_of_each(miniature, audio, tmp_path, name):
    """The recipe is the catalogue's, digests and all, cut to two updates; labels by lot cost log2(k) bits or more."""
    recipe = Catalogue(miniature).recipe("models", name)
    short = min(recipe["entry"]["short_updates"], 1)
    recipe["entry"] = recipe["entry"] | {"updates": 2, "short_updates": short, "log_every": 1, "checkpoint_every": 9}
    recipe["inputs"]["corpus"]["digest"] = "corpus0000"
    folders, sizes = [], []
    for role, labels in recipe["inputs"].items():
        if role not in ("corpus", "spectrum"):
            sizes.append(labels["entry"]["num_clusters"])
            rate = labels["inputs"]["features"]["entry"]["frame_rate_hz"]
            folders.append(write_labels(tmp_path / role, labels["digest"], rate, sizes[-1]))
    assert kit.run_ranks(1, recipe, audio, folders, tmp_path / "model", build=kit.BUILD) == [0]
    saved = torch.load(tmp_path / "model" / "checkpoint.pt", weights_only=True)
    assert (saved["digest"], saved["update"]) == (recipe["digest"], 2)
    assert all(torch.isfinite(value).all() for value in saved["objective"].values())
    rows = read_jsonl(tmp_path / "model" / "metrics.jsonl")
    assert [row["update"] for row in rows] == [1, 2, 2]
    assert len(sizes) == (1 + len(recipe["entry"]["more_labels"]) if recipe["entry"]["kind"] == "hubert" else 0)
    for end, size in zip(("", "_2"), sizes):
        assert 0.97 * math.log2(size) < rows[0][f"bits{end}"] < 2 + math.log2(size)
    assert len(saved["objective"].get("codebook", [])) == sum(sizes)
