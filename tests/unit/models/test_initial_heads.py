"""What the encoders' tests leave out: first weights of the heads, and each single place of dropout."""

import math

import pytest
import torch
from golden_models import make_data2vec, make_hubert

from musicssl.models import build_objective
from musicssl.models.cpu.blocks import run_layer
from musicssl.models.passes import add_positions, encode


def assert_default_linear(linear):
    """torch's own start of a linear map of D inputs: uniform in ``+-1 / sqrt(D)``, bias included (fairseq keeps it)."""
    bound = 1 / math.sqrt(linear.in_features)
    for values in (linear.weight, linear.bias):
        assert values.abs().max() <= bound
        assert values.abs().max() > 0.9 * bound
    assert linear.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.03)


def test_hubert_starts_with_a_codebook_between_0_and_1():
    """U(0, 1) in 256 dimensions: two rows have a cosine of (1/4) / (1/3), not of 0 as those of a normal start have."""
    torch.manual_seed(0)
    objective = build_objective(type(recipe := make_hubert())(**{**vars(recipe), "codebook_dim": 256}), 500)
    codebook = objective.codebook.detach()
    assert codebook.shape == (500, 256)
    assert 0 <= codebook.min() < 1e-3
    assert 0.999 < codebook.max() <= 1
    unit = codebook / codebook.norm(dim=1, keepdim=True)
    cosines = (unit @ unit.T)[torch.triu_indices(500, 500, 1).unbind()]
    assert cosines.mean().item() == pytest.approx(0.75, abs=0.005)
    assert_default_linear(objective.final_proj)


def test_data2vec_starts_with_a_teacher_that_is_its_student():
    """fairseq copies the student at the first forward pass; only the head starts as torch starts a linear map."""
    torch.manual_seed(0)
    objective = build_objective(make_data2vec(), None)
    assert objective.final_proj.weight.shape == (48, 48)
    assert_default_linear(objective.final_proj)
    student = objective.encoder.encoder.state_dict()
    for name, value in objective.teacher.state_dict().items():
        assert torch.equal(value, student[name]), name


@pytest.mark.parametrize("make", [make_hubert, make_data2vec])
def test_each_place_of_dropout_acts_alone(make):
    """After positions, after attention, inside and after feed-forward: set one, and it alone makes passes differ.

    Then as many values are lost as asked for: of a layer's output before its residual sum, a share of the rate is 0.
    """
    objective = build_objective(make(), None if make is make_data2vec else 7).train()
    trunk = objective.encoder.encoder
    layer = trunk.layers[1]
    places = {
        "positions": trunk.dropout,
        "attention": layer.dropout,
        "inside": layer.feed_forward.intermediate_dropout,
        "after": layer.feed_forward.output_dropout,
    }
    hidden = torch.randn(2, 60, 48)
    keep = [True] * len(trunk.layers)
    with torch.no_grad():
        assert torch.equal(*(encode(objective.encoder, hidden, keep) for _ in range(2)))
        for name, module in places.items():
            module.p = 0.25
            assert not torch.equal(*(encode(objective.encoder, hidden, keep) for _ in range(2))), name
            if name == "after":
                _, forward = run_layer(layer, hidden)
                share = (forward == 0).double().mean().item()
                assert share == pytest.approx(0.25, abs=4 * math.sqrt(0.25 * 0.75 / forward.numel()))
            module.p = 0.0
        assert torch.equal(add_positions(objective.encoder, hidden), add_positions(objective.encoder, hidden))
