"""The survey of a GPU, with measurements that are made up: which batches it tries, and what it makes of them."""

import argparse
import importlib.util
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """Return benchmarks/pretrain.py as a module; a script of the workflow has the same name."""
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location("pretrain_benchmark", FOLDER / "pretrain.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def options():
    values = {"device": "cuda", "clip_s": 30.0, "clips": 2, "clusters": 2000, "threads": 2, "rounds": 1, "only": []}
    return argparse.Namespace(**values, compile=False)


def test_batches_are_those_that_training_takes(script, options):
    """MusicHuBERT's update is 8 groups of 2 clips of 30 s, Music2Vec's 8 of 7; or 8 groups of 12 and 42 of 5 s."""
    assert list(script.micro_batches("hubert", options)) == [1, 2, 4, 8, 16]
    assert list(script.micro_batches("data2vec", options)) == [1, 7, 14, 28, 56]
    options.clip_s = 5.0
    assert list(script.micro_batches("hubert", options)) == [1, 2, 3, 4, 6, 12, 24, 48, 96]


def test_hours_follow_from_the_best_batch_that_fits(script, options, monkeypatch):
    """300 TFLOP/s of products; a step takes 0.1 s and 0.05 s a clip; 8 clips and more do not fit.

    4 clips of 30 s in 0.3 s are 400 s of audio a second: 400,000 updates of 480 s take 480,000 s.
    """
    asked = []

    def alone(mode, argv):
        name = mode[mode.index("--contestant") + 1]
        if name == "matmul":
            return {"s": 2 * 8192**3 / 300e12, "peak_gb": 1.0}
        clips = int(mode[mode.index("--clips") + 1]) if "--clips" in mode else options.clips
        asked.append((name, "--compile" in mode, clips))
        return None if clips >= 8 else {"s": 0.1 + 0.05 * clips, "peak_gb": 9.0 * clips}

    monkeypatch.setattr(script, "alone", alone)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a card")
    lines = list(script.survey(options, []))
    assert "Bare products: 300000 GFLOP/s\n" in lines
    assert {name for name, *_ in asked} == set(script.CONTESTANTS) - {"matmul"}
    assert [c for name, compiled, c in asked if name == "ours_hubert" and compiled] == [1, 2, 4, 8]
    best = next(line for line in lines if line.startswith("| hubert | 4 | no |"))
    work = script.operations(script.recipe("hubert", options))
    assert best == f"| hubert | 4 | no | 400 | {100 * 400 * work / 300e12:.0f} % | 36.0 |"
    assert f"| hubert-k2000-mfcc39 | {480_000 / 3600:.0f} |" in lines
