"""Cost per second of audio against an independent count (tests/golden/pretraining.md)."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import training_kit as kit

from musicssl.costs.flops import context_network, front_end, num_parameters, train_step
from musicssl.models import build_encoder
from musicssl.training.devices import peak_rate

GOLDEN = Path(__file__).parents[2] / "golden" / "pretraining_gflop.csv"
BASE = {
    "conv_width": 512, "hidden_size": 768, "num_layers": 12, "num_heads": 12, "ffn_size": 3072,
    "pos_conv_kernel": 128, "pos_conv_groups": 16, "pos_conv_depth": 1,
}  # fmt: skip
MODELS = {
    "hubert": kit.entry(kit.HUBERT, architecture=kit.ARCHITECTURE | BASE),
    "data2vec": kit.entry(
        kit.DATA2VEC, architecture=kit.ARCHITECTURE | BASE | {"pos_conv_kernel": 19, "pos_conv_depth": 5}
    ),
}


@pytest.mark.parametrize("row", csv.DictReader(GOLDEN.open()), ids=lambda row: "-".join(row.values()))
def test_base_models_cost_what_was_counted(row):
    recipe = replace(MODELS[row["model"]], crop_s=float(row["crop_s"]))
    size = (recipe.architecture, recipe.crop_s)
    context = context_network(*size)
    found = {
        "forward": front_end(*size) + context,
        "teacher": context,
        "train": train_step(*size, row["model"] == "data2vec"),
    }
    assert found[row["part"]] / 1e9 == pytest.approx(float(row["gflop_per_s"]), abs=float(row["half_digit"]))


def test_a_cpu_has_no_known_peak():
    assert peak_rate(torch.device("cpu")) is None


@pytest.mark.parametrize("name", MODELS)
def test_parameters_are_counted(name):
    """94 371 712 backbone parameters of HuBERT base (tests/golden/pretraining.md), here without norms and biases."""
    built = sum(value.numel() for value in build_encoder(MODELS[name]).parameters())
    assert num_parameters(MODELS[name].architecture) == pytest.approx(built, rel=0.003)
    assert built == 94_371_712 or name == "data2vec"
