"""The encoder's own arithmetic against torch's modules: values and gradients, in float64."""

import copy

import pytest
import torch
import torch.nn.functional as F
from golden_models import make_data2vec, make_hubert
from torch import nn

from musicssl.geometry import num_frames
from musicssl.models.cpu.blocks import Dropper, attend, dropout, feed_forward, run_layer
from musicssl.models.cpu.convolutions import feature_rows, grouped_convolution
from musicssl.models.encoders import build_encoder


def gradients(output, parameters):
    """Return the gradients of a scalar in which no value counts as another."""
    weight = torch.linspace(-1, 2, output.numel(), dtype=output.dtype).view(output.shape)
    return torch.autograd.grad((output * weight).sum(), parameters)


def assert_same(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("make", [make_hubert, make_data2vec])
@pytest.mark.parametrize("samples", [400, 3000, 8079])
def test_front_end_is_the_convolutions_one_by_one(make, samples, monkeypatch):
    """Lengths at which the last window is full, part full and nearly full; a wave with a mean; several tiles a clip."""
    monkeypatch.setattr("musicssl.models.cpu.convolutions.TILE", 100)
    part = build_encoder(make()).double().feature_extractor
    wave = torch.randn(3, samples, dtype=torch.float64) + 0.3
    expected = wave[:, None]
    for layer in part.conv_layers:
        expected = layer(expected)
    found = feature_rows(part.conv_layers, wave, torch.float64)
    assert found.shape[1] == num_frames(samples)
    weights = list(part.parameters())
    assert_same([found], [expected.transpose(1, 2)])
    assert_same(gradients(found, weights), gradients(expected.transpose(1, 2), weights))


@pytest.mark.parametrize(("kernel", "frames"), [(4, 9), (19, 5), (48, 30), (128, 11)])
def test_positions_are_a_grouped_convolution(kernel, frames):
    conv = nn.Conv1d(12, 12, kernel, padding=kernel // 2, groups=3).double()
    hidden = torch.randn(2, frames, 12, dtype=torch.float64, requires_grad=True)
    found = grouped_convolution(hidden, conv)
    expected = conv(hidden.transpose(1, 2))[:, :, :frames].transpose(1, 2)
    weights = [hidden, *conv.parameters()]
    assert_same([found], [expected])
    assert_same(gradients(found, weights), gradients(expected, weights))


def test_attention_drops_weights_and_not_outputs():
    """The textbook formula with the very mask that was drawn."""
    query, key, value = torch.randn(3, 2, 2, 7, 4, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(3)
    found = attend(query, key, value, 0.3)
    torch.manual_seed(3)
    dropper = Dropper(0.3)
    keep = dropper.draw(torch.Size((2, 2, 7, 7)))
    weights = torch.softmax(query @ key.mT / 2, -1) * keep * dropper.scale
    expected = weights @ value
    assert not keep.all()
    assert_same([found], [expected])
    parts = [query, key, value]
    assert_same(gradients(found, parts), gradients(expected, parts))


def test_attention_in_parts_is_attention_at_once(monkeypatch):
    parts = torch.randn(3, 1, 4, 20, 4, requires_grad=True)
    outputs = []
    for together in (20, 170, 400, 801, 1 << 21):  # 4 and 8 rows of a head; one head, two and all
        monkeypatch.setattr("musicssl.models.cpu.blocks.TOGETHER", together)
        torch.manual_seed(0)
        out = attend(*parts, 0.1)
        outputs.append((out, *torch.autograd.grad(out.square().sum(), parts)))
    for found in outputs[:-1]:
        torch.testing.assert_close(found, outputs[-1])


def test_dropout_has_its_rate_scale_and_seed():
    module = nn.Dropout(0.1)
    values = torch.ones(1000, 1000, requires_grad=True)
    torch.manual_seed(0)
    first = dropout(values, module)
    second = dropout(values, module)
    torch.manual_seed(0)
    assert torch.equal(dropout(values, module), first)
    assert not torch.equal(first, second)
    share = (first == 0).double().mean().item()
    assert share == pytest.approx(0.1, abs=4 * (0.1 * 0.9 / 1e6) ** 0.5)
    assert first.max().item() == pytest.approx(1 / 0.9, rel=1e-5)
    both = ((first == 0) & (second == 0)).double().mean().item()
    assert both == pytest.approx(0.01, abs=4 * (0.01 * 0.99 / 1e6) ** 0.5)
    (back,) = torch.autograd.grad(first.sum(), values)
    assert torch.equal(back, first)
    assert dropout(values, module.eval()) is values


@pytest.mark.parametrize("make", [make_hubert, make_data2vec])
@pytest.mark.parametrize("inner", [0.0, 0.5])
def test_layer_is_hugging_faces(make, inner):
    layer = build_encoder(make(activation_dropout=inner)).double().encoder.layers[0]
    other = copy.deepcopy(layer).eval()
    hidden = torch.randn(2, 6, 48, dtype=torch.float64, requires_grad=True)
    found, forward = run_layer(layer.train(inner == 0), hidden)  # without dropout training computes the same
    expected = other(hidden)
    assert_same([found], [expected])
    inputs = (hidden, *layer.parameters()), (hidden, *other.parameters())
    assert_same(gradients(found, inputs[0]), gradients(expected, inputs[1]))
    between = layer.layer_norm(hidden + layer.attention(hidden)[0])
    assert_same([forward], [layer.feed_forward.eval()(between)])


def test_inner_dropout_is_applied():
    part = build_encoder(make_hubert(activation_dropout=0.5)).encoder.layers[0].feed_forward.train()
    hidden = torch.randn(2, 6, 48)
    torch.manual_seed(0)
    found = feed_forward(part, hidden)
    torch.manual_seed(0)
    inner = dropout(F.gelu(part.intermediate_dense(hidden)), part.intermediate_dropout)
    torch.testing.assert_close(found, part.output_dense(inner))
    assert not torch.equal(found, feed_forward(part.eval(), hidden))
