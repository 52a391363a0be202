"""Frozen encoders and floors as probes see them."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from golden_models import GOLDEN, make_data2vec, make_hubert

import musicssl
from musicssl import models
from musicssl.config.recipes import ConstantFloor, MfccFloor, Released
from musicssl.geometry import num_frames
from musicssl.models import build_objective, export_encoder, frozen
from musicssl.runtime import UserError

CARD = {"name": "tiny", "digest": "0123456789", "data": "noise", "licence": "CC0-1.0", "metrics": {}}


@pytest.mark.parametrize(("make", "clusters"), [(make_hubert, 38), (make_data2vec, None)])
def test_states_are_all_hidden_states(tmp_path, make, clusters):
    objective = build_objective(make(dropout=0.5), clusters).eval()
    export_encoder(objective, make(), tmp_path, CARD)
    wave = torch.randn(2, 8000)
    with torch.no_grad():
        expected = torch.stack(objective.encoder(wave, output_hidden_states=True).hidden_states, dim=2)
    release = Released(kind="released", paradigm=make().kind, source="unused", revision="main", normalize=True)
    for recipe in (make(), release):
        model = frozen(recipe, tmp_path)
        found = model.states(wave)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        assert not found.requires_grad
        assert found.shape == (2, num_frames(8000), model.num_states, model.width)
        assert model.normalize == recipe.normalize
        assert model.frame_rate_hz == 50
        torch.testing.assert_close(model.pool(found), expected.mean(1))
        assert model.pool(found).shape == (2, model.num_states, model.pooled_width)


def test_mfcc_floor_sees_the_encoders_frames():
    """Statistics of noise made louder half way follow; one frame is one encoder frame of 400 samples."""
    model = frozen(MfccFloor(kind="mfcc-floor", num_ceps=13, num_mel_bins=23), None)
    assert (model.num_states, model.width, model.pooled_width) == (1, 39, 78)
    rng = np.random.default_rng(0)
    wave = torch.from_numpy(rng.normal(0, 0.1, (2, 16000)).astype(np.float32))
    for samples in (400, 719, 720, 8001, 16000):
        assert model.states(wave[:, :samples]).shape == (2, num_frames(samples), 1, 39)
    states = model.states(wave)
    changed = wave.clone()
    changed[:, 320 * 20 : 320 * 20 + 400] = 0
    touched = (model.states(changed)[..., :13] != states[..., :13]).any(-1)[0, :, 0].nonzero().flatten()
    assert touched.tolist() == [19, 20, 21]
    pooled = model.pool(states)
    torch.testing.assert_close(pooled[:, 0, :39], states[:, :, 0].mean(1))
    torch.testing.assert_close(pooled[:, 0, 39:], states[:, :, 0].std(1, correction=0))
    assert torch.isfinite(model.pool(states[:, :1])).all()  # one frame has no spread


def test_mfcc_of_silence_is_known():
    """All-zero audio leaves the log of float32's epsilon in 23 bands: C0 = sqrt(23) ln(1.19e-7) = -76.46."""
    model = frozen(MfccFloor(kind="mfcc-floor", num_ceps=13, num_mel_bins=23), None)
    states = model.states(torch.zeros(1, 4000))[0, :, 0]
    assert states[:, 0].numpy() == pytest.approx(np.sqrt(23) * np.log(2.0**-23), rel=1e-5)
    assert states[:, 1:].abs().max() < 1e-3


def test_mfcc_floor_is_hubert_iteration_ones_features():
    """Every second frame of what torchaudio's Kaldi front end gave for four seconds of music."""
    golden = np.load(GOLDEN / "mfcc.npz")
    model = frozen(MfccFloor(kind="mfcc-floor", num_ceps=13, num_mel_bins=23), None)
    found = model.states(torch.from_numpy(golden["pcm16"].astype(np.float32) / 32768)[None])
    np.testing.assert_allclose(found[0, :, 0], golden["mfcc39"][::2], rtol=1e-4, atol=1e-3)


def test_constant_floor():
    model = frozen(ConstantFloor(kind="constant-floor"), None)
    states = model.states(torch.randn(3, 8000))
    assert states.shape == (3, num_frames(8000), model.num_states, model.width)
    assert not states.any()
    assert model.pool(states).shape == (3, 1, model.pooled_width)


def test_missing_folder_is_named():
    with pytest.raises(UserError, match="kind hubert"):
        frozen(make_hubert(), None)


def test_all_names_are_there_in_any_order():
    assert all(hasattr(models, name) for name in models.__all__)
    assert callable(models.frozen)
    assert models.frozen is frozen
    with pytest.raises(AttributeError, match="no_such"):
        _ = models.no_such


def test_masks_and_floors_do_not_load_transformers():
    code = (
        "import sys; from musicssl.models import sample_mask, frozen; "
        "from musicssl.config.recipes import ConstantFloor; frozen(ConstantFloor(kind='constant-floor'), None); "
        "assert 'transformers' not in sys.modules"
    )
    root = str(next(iter(musicssl.__path__)) + "/..")
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
