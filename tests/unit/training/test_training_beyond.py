"""Models beyond the paper train, resume and share work like the others."""

import pytest
import training_kit as kit

from musicssl.artefacts import read_jsonl
from musicssl.config.catalogue import Catalogue

MODELS = {
    "spectrum": kit.HUBERT | {"cqt_weight": 1.0, "cqt_features": "cqt"},
    "label sets": kit.HUBERT | {"more_labels": ["more"]},
    "curriculum": kit.DATA2VEC | {"normalize": True, "short_crop_s": 0.25, "short_updates": 10},
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    audio, labels, _ = kit.write_corpus(folder, [[16000 + 400 * i for i in range(10)], [24000] * 11])
    return audio, [labels]


@pytest.mark.parametrize("name", MODELS)
def test_killed_and_shared_is_uninterrupted_and_alone(corpus, miniature, tmp_path, monkeypatch, name):
    """Killed at update 11 and resumed, the same bytes; on two processes, the same losses."""
    straight, killed, shared = (tmp_path / part for part in ("straight", "killed", "shared"))
    recipe = kit.recipe(MODELS[name])
    if name == "spectrum":
        recipe["inputs"]["spectrum"] = Catalogue(miniature).recipe("features", "cqt", "miniature")
    if name == "label sets":
        corpus = (corpus[0], corpus[1] * 2)
        recipe["inputs"]["more"] = recipe["inputs"]["labels"]
    assert kit.run_ranks(1, recipe, *corpus, straight, build=kit.BUILD) == [0]
    monkeypatch.setenv("TEST_SIGNAL", "0 11 9")
    assert kit.run_ranks(1, recipe, *corpus, killed, build=kit.real_objective) == [-9]
    monkeypatch.delenv("TEST_SIGNAL")
    assert kit.run_ranks(1, recipe, *corpus, killed, build=kit.BUILD) == [0]
    assert (killed / "checkpoint.pt").read_bytes() == (straight / "checkpoint.pt").read_bytes()
    assert (killed / "metrics.jsonl").read_bytes() == (straight / "metrics.jsonl").read_bytes()
    assert kit.run_ranks(2, recipe, *corpus, shared, build=kit.BUILD) == [0, 0]
    rows, expected = (read_jsonl(folder / "metrics.jsonl") for folder in (shared, straight))
    assert [row["loss"] for row in rows] == pytest.approx([row["loss"] for row in expected], rel=1e-5)
    if name == "label sets":  # the same labels twice, from other weights
        assert expected[0]["bits_2"] != expected[0]["bits"]
        assert expected[0]["majority_share_2"] == expected[0]["majority_share"]
    if name == "spectrum":
        explained = [row["cqt_explained"] for row in expected if row["split"] == "valid"]
        assert explained[-1] > explained[0]
