"""Size, initialisation and passes of the encoders."""

import math

import pytest
import torch
from golden_models import make_data2vec, make_hubert
from transformers import AutoModel

from musicssl.geometry import HOP, RECEPTIVE_FIELD, num_frames
from musicssl.models import build_encoder, layer_output
from musicssl.models.encoders import CLASSES
from musicssl.models.passes import convolve, states
from musicssl.runtime import UserError

BASE = {"conv_width": 512, "hidden_size": 768, "num_layers": 12, "num_heads": 12, "ffn_size": 3072}
BOTH = pytest.mark.parametrize("make", [make_hubert, make_data2vec])


@pytest.fixture(scope="module")
def hubert_base():
    return build_encoder(make_hubert(**BASE, pos_conv_kernel=128, pos_conv_groups=16))


@pytest.fixture(scope="module")
def data2vec_base():
    return build_encoder(make_data2vec(8, **BASE, pos_conv_kernel=19, pos_conv_groups=16, pos_conv_depth=5))


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_base_encoders_have_the_published_sizes(hubert_base, data2vec_base):
    """fairseq's base models, counted part by part."""
    assert count(hubert_base) == 94_371_712
    assert count(hubert_base.feature_extractor) == 4_200_448
    assert count(hubert_base.encoder.pos_conv_embed) == 4_719_488
    assert count(data2vec_base) == 93_164_288
    assert count(data2vec_base.feature_extractor) == 4_206_592
    assert count(data2vec_base.encoder.pos_conv_embed) == 3_505_920


def test_base_encoders_start_as_fairseqs(hubert_base, data2vec_base):
    """Standard deviations in closed form; Hugging Face's own differ in the projection and the positions."""
    for encoder in (hubert_base, data2vec_base):
        mask = encoder.masked_spec_embed
        assert 0 <= mask.min() < 0.02
        assert 0.98 < mask.max() <= 1
        conv = encoder.feature_extractor.conv_layers[3].conv.weight
        assert conv.std().item() == pytest.approx(math.sqrt(2 / (512 * 3)), rel=0.01)
        projection = encoder.feature_projection.projection
        assert projection.weight.std().item() == pytest.approx(1 / math.sqrt(3 * 512), rel=0.01)
        assert projection.weight.abs().max() <= 1 / math.sqrt(512)
        assert projection.bias.abs().max() > 0
        for linear in (encoder.encoder.layers[5].attention.q_proj, encoder.encoder.layers[0].feed_forward.output_dense):
            assert linear.weight.std().item() == pytest.approx(0.02, rel=0.01)
            assert not linear.bias.any()
    position = hubert_base.encoder.pos_conv_embed.conv
    direction = position.parametrizations.weight.original1
    assert direction.std().item() == pytest.approx(math.sqrt(4 / (128 * 768)), rel=0.01)
    lengths = direction.norm(dim=(0, 1), keepdim=True)
    torch.testing.assert_close(position.parametrizations.weight.original0, lengths)
    assert not position.bias.any()
    position = data2vec_base.encoder.pos_conv_embed.layers[2].conv
    assert position.weight.std().item() == pytest.approx(1 / math.sqrt(3 * 48 * 19), rel=0.01)
    assert position.bias.abs().max() > 0


@BOTH
def test_seed_decides_weights(make):
    weights = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        weights.append(torch.cat([p.flatten() for p in build_encoder(make()).parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@BOTH
def test_states_are_hugging_faces(make):
    encoder = build_encoder(make()).eval()
    wave = torch.randn(2, 8000)
    with torch.no_grad():
        expected = encoder(wave, output_hidden_states=True).hidden_states
        found = list(states(encoder, wave))
    assert len(found) == len(expected) == encoder.config.num_hidden_layers + 1
    for ours, theirs in zip(found, expected):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    for layer in (0, 2, encoder.config.num_hidden_layers):
        assert torch.equal(layer_output(encoder, wave, layer), found[layer])


@BOTH
def test_plain_forward_never_masks(make):
    """Hugging Face's default hides 5 % of the frames of a bare forward in training mode."""
    encoder = build_encoder(make(layer_drop=0.0)).train()
    wave = torch.randn(1, 32000)
    assert torch.equal(encoder(wave).last_hidden_state, encoder.eval()(wave).last_hidden_state)


@BOTH
def test_recipe_reaches_the_configuration(make):
    rates = {"dropout": 0.11, "attention_dropout": 0.12, "activation_dropout": 0.13, "input_dropout": 0.14}
    config = build_encoder(make(**rates, layer_drop=0.15)).config
    names = ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "layerdrop")
    assert [getattr(config, name) for name in names] == [0.11, 0.12, 0.13, 0.14, 0.15]
    assert type(AutoModel.from_config(config)) is CLASSES[make().kind]


@BOTH
def test_frame_count_is_that_of_the_convolutions(make):
    encoder = build_encoder(make())
    with torch.no_grad():
        for samples in (400, 719, 720, 8000, 15999, 16000, 80000):
            assert convolve(encoder, torch.zeros(1, samples)).shape[1] == num_frames(samples)
    assert [num_frames(n) for n in (80_000, 250_000, 320_000, 480_000)] == [249, 781, 999, 1499]
    assert num_frames(RECEPTIVE_FIELD - 1) == num_frames(0) == 0
    assert num_frames(RECEPTIVE_FIELD + HOP) == 2


def test_hubert_refuses_several_positional_convolutions():
    with pytest.raises(UserError, match="pos_conv_depth: found 5, expected 1"):
        build_encoder(make_hubert(pos_conv_depth=5))
