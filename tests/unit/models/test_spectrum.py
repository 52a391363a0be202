"""The spectrum that HuBERT may predict beside clusters."""

import dataclasses

import numpy as np
import pytest
import torch
from golden_models import make_hubert

from musicssl.config.catalogue import Catalogue
from musicssl.config.inherit import ConfigError
from musicssl.config.recipes import CqtFeatures, build
from musicssl.geometry import num_frames
from musicssl.models import build_objective, masked_rows, sample_mask


def test_a_model_predicts_the_spectrum_that_its_entry_names(paper):
    """The constants stand in the features table alone; other ones there are another model."""
    recipe = Catalogue(paper).recipe("models", "hubert-k500-mfcc39-cqthead")
    assert recipe["inputs"]["spectrum"] == Catalogue(paper).recipe("features", "cqt", "music1000h")
    assert build(CqtFeatures, recipe["inputs"]["spectrum"]["entry"]).num_bins == 84
    paper["features"]["cqt"]["num_bins"] = 72
    assert Catalogue(paper).recipe("models", "hubert-k500-mfcc39-cqthead")["digest"] != recipe["digest"]
    other = Catalogue(paper).recipe("models", "hubert-k500-mfcc39")
    assert "spectrum" not in other["inputs"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cqt_features": ""}, "cqt_features: found '' with cqt_weight 1.0, expected both or neither"),
        ({"cqt_weight": 0.0}, "cqt_features: found 'cqt' with cqt_weight 0.0, expected both or neither"),
        ({"cqt_features": "cqtt"}, "cqt_features: no features entry 'cqtt'; did you mean 'cqt'"),
        ({"cqt_features": "chroma"}, "cqt_features: chroma is of kind chroma at 50 Hz, expected an entry of kind cqt"),
    ],
)
def test_a_spectrum_that_is_none_is_refused(paper, changes, words):
    paper["models"]["hubert-k500-mfcc39-cqthead"] |= changes
    with pytest.raises(ConfigError, match=words):
        Catalogue(paper)


def test_the_head_adds_its_weighted_error():
    """Loss, metric and gradient against the definition; without weight there is no head."""
    recipe = make_hubert()
    weighted = dataclasses.replace(recipe, cqt_weight=3.0, cqt_features="cqt")
    common = {"frame_rate_hz": 50, "sample_fraction": 1.0, "sample_seed": 0}
    spectrum = CqtFeatures(kind="cqt", num_bins=30, bins_per_octave=12, min_hz=220.0, compression=10.0, **common)
    wave = 0.1 * torch.randn(2, 16000)
    frames = num_frames(16000)
    mask = torch.from_numpy(sample_mask(np.random.default_rng(0), recipe.masking, 2, frames))
    labels = torch.randint(5, (2, frames))
    torch.manual_seed(0)
    plain = build_objective(recipe, 5)
    torch.manual_seed(0)
    objective = build_objective(weighted, 5, spectrum)
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
        objective.cqt_head.bias.grad, 3 * 2 / 30 * (captured[0] - target).sum(0), rtol=1e-4, atol=1e-4
    )
    values = objective.metrics(output.sums, len(rows))
    variance = target.var(0, correction=0).mean() * len(rows)
    assert values["cqt_explained"] == pytest.approx(1 - float(error / variance), rel=1e-4)
    assert values["loss"] == pytest.approx(float(output.loss_sum) / len(rows))
