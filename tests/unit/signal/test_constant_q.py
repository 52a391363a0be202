"""The spectrum that HuBERT may predict beside clusters."""

import math

import numpy as np
import pytest
import torch
from golden_models import make_hubert

from musicssl.geometry import num_frames
from musicssl.models import build_objective, masked_rows, sample_mask
from musicssl.signal.constant_q import NUM_BINS, ConstantQ
from musicssl.signal.harmonic import cqt


@pytest.mark.parametrize("bin_", [9, 40, 80])
def test_a_full_scale_sine_is_log_101_in_its_bin_and_less_elsewhere(bin_):
    time = torch.arange(48000) / 16000
    wave = torch.sin(2 * math.pi * 32.70319566257483 * 2 ** (bin_ / 12) * time)[None]
    spectrum = ConstantQ()(wave)
    assert spectrum.shape == (1, num_frames(48000), NUM_BINS)
    middle = spectrum[0, 60:90]
    assert (middle.argmax(1) == bin_).all()
    torch.testing.assert_close(middle[:, bin_], torch.full((30,), math.log(101)), rtol=1e-3, atol=0)


def test_it_is_the_constant_q_of_the_features():
    """librosa's, of the features table: other windows at the edges and recursive resampling, the same picture."""
    rng = np.random.default_rng(0)
    time = np.arange(64000) / 16000
    wave = sum(0.2 * np.sin(2 * np.pi * f * time * (1 + 0.02 * rng.random())) for f in (110, 220.5, 440, 1001, 1800))
    wave = wave.astype(np.float32)
    ours = ConstantQ()(torch.from_numpy(wave)[None])[0].numpy()[40:-40]
    theirs = cqt(wave, 50, NUM_BINS, 12, 32.70319566257483, 100.0)[40:-40]
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.99
    assert np.abs(ours - theirs).mean() < 0.1


def test_the_head_adds_its_weighted_error():
    """Loss, metric and gradient against the definition; without weight there is no head."""
    recipe = make_hubert()
    weighted = type(recipe)(**{**vars(recipe), "cqt_weight": 3.0})
    wave = 0.1 * torch.randn(2, 16000)
    frames = num_frames(16000)
    mask = torch.from_numpy(sample_mask(np.random.default_rng(0), recipe.masking, 2, frames))
    labels = torch.randint(5, (2, frames))
    torch.manual_seed(0)
    plain = build_objective(recipe, 5)
    torch.manual_seed(0)
    objective = build_objective(weighted, 5)
    assert not any("cqt" in name for name in plain.state_dict())
    captured = []
    objective.cqt_head.register_forward_hook(lambda module, args, output: captured.append(output))
    output = objective(wave, mask, labels, [True] * 3)
    rows = masked_rows(mask)
    target = objective.spectrum(wave).flatten(0, 1)[rows]
    error = (captured[0] - target).square().mean(1).sum()
    expected = plain(wave, mask, labels, [True] * 3).loss_sum + 3 * error
    torch.testing.assert_close(output.loss_sum, expected)
    output.loss_sum.backward()
    torch.testing.assert_close(
        objective.cqt_head.bias.grad, 3 * 2 / NUM_BINS * (captured[0] - target).sum(0), rtol=1e-4, atol=1e-4
    )
    values = objective.metrics(output.sums, len(rows))
    variance = target.var(0, correction=0).mean() * len(rows)
    assert values["cqt_explained"] == pytest.approx(1 - float(error / variance), rel=1e-4)
    assert values["loss"] == pytest.approx(float(output.loss_sum) / len(rows))
