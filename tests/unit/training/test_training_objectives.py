"""Runs with the real objectives: any number of processes, killed or not, trained or untrained."""

import pytest
import torch
import training_kit as kit

from musicssl.artefacts import read_jsonl

KINDS = {"hubert": kit.HUBERT, "data2vec": kit.DATA2VEC | {"normalize": True}}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    audio, labels, _ = kit.write_corpus(folder, [[16000 + 400 * i for i in range(10)], [24000] * 11])
    return audio, [labels]


@pytest.fixture(scope="module")
def straight(corpus, tmp_path_factory):
    """Outputs of uninterrupted runs of one process, by kind."""
    folder = tmp_path_factory.mktemp("straight")
    for kind, values in KINDS.items():
        assert kit.run_ranks(1, kit.recipe(values), *corpus, folder / kind, build=kit.real_objective) == [0]
    return folder


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_one_two_and_four_processes_give_the_same_losses(corpus, straight, tmp_path, kind, size):
    assert kit.run_ranks(size, kit.recipe(KINDS[kind]), *corpus, tmp_path, build=kit.real_objective) == [0] * size
    expected, losses = (
        [row["loss"] for row in read_jsonl(folder / "metrics.jsonl")] for folder in (straight / kind, tmp_path)
    )
    assert len(losses) == len(set(losses)) == 23
    assert losses == pytest.approx(expected, rel=1e-5)


def test_ranks_start_from_the_first_ones_weights(corpus, tmp_path):
    """Two kinds of CPU round initial weights differently; the ranks would drift apart from the first update on."""
    arguments = (kit.recipe(KINDS["hubert"], updates=3), *corpus)
    for size in (1, 2):
        assert kit.run_ranks(size, *arguments, tmp_path / str(size), build=kit.uneven_objective) == [0] * size
    losses = [[row["loss"] for row in read_jsonl(tmp_path / f"{size}/metrics.jsonl")] for size in (1, 2)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_resumed_equals_uninterrupted(corpus, straight, tmp_path, monkeypatch, kind):
    """Killed at update 11, after the state of update 9: teacher, optimizer and weights come back to the last bit."""
    arguments = (kit.recipe(KINDS[kind]), *corpus, tmp_path)
    monkeypatch.setenv("TEST_SIGNAL", "0 11 9")
    assert kit.run_ranks(1, *arguments, build=kit.real_objective) == [-9]
    monkeypatch.delenv("TEST_SIGNAL")
    assert kit.run_ranks(1, *arguments, build=kit.real_objective) == [0]
    for name in ("metrics.jsonl", "checkpoint.pt"):
        assert (tmp_path / name).read_bytes() == (straight / kind / name).read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_untrained_baseline_needs_no_data_and_has_the_trained_models_first_weights(tmp_path, kind):
    recipe = kit.recipe(KINDS[kind], updates=0)
    assert kit.run_ranks(1, recipe, None, [], tmp_path, build=kit.real_objective) == [0]
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert (saved["digest"], saved["update"]) == (recipe["digest"], 0)
    assert (tmp_path / "metrics.jsonl").read_bytes() == (tmp_path / "speed.jsonl").read_bytes() == b""
    torch.manual_seed(recipe["entry"]["seed"])
    encoder = kit.BUILD(kit.entry(KINDS[kind]), kit.NUM_CLUSTERS).encoder.state_dict()
    assert all(torch.equal(value, saved["objective"][f"encoder.{name}"]) for name, value in encoder.items())
