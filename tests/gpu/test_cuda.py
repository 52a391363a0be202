"""What only a GPU can show; every test skips itself where there is none."""

import numpy as np
import pytest
import torch

from musicssl import models
from musicssl.arithmetic import num_frames
from musicssl.config.catalogue import Catalogue
from musicssl.config.recipes import build_kind

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


@pytest.mark.parametrize("name", ["hubert-k500-mfcc39", "music2vec-vanilla"])
def test_a_step_on_the_gpu_equals_one_on_the_cpu(miniature: dict, name: str) -> None:
    recipe = build_kind(Catalogue(miniature).entry("models", name))
    torch.manual_seed(0)
    objective = models.build_objective(recipe, 32 if recipe.kind == "hubert" else None).eval()
    wave = 0.1 * torch.randn(2, 32000)
    frames = num_frames(wave.shape[1])
    mask = torch.from_numpy(models.sample_mask(np.random.default_rng(0), recipe.masking, 2, frames))
    labels = torch.randint(32, (2, frames)) if recipe.kind == "hubert" else None
    keep = [True] * recipe.architecture.num_layers
    on_cpu = objective(wave, mask, labels, keep).loss_sum.item()
    objective.cuda()
    on_gpu = objective(wave.cuda(), mask.cuda(), None if labels is None else labels.cuda(), keep).loss_sum.item()
    assert on_gpu == pytest.approx(on_cpu, rel=1e-3)
    with torch.autocast("cuda", torch.bfloat16):
        mixed = objective(wave.cuda(), mask.cuda(), None if labels is None else labels.cuda(), keep).loss_sum.item()
    assert mixed == pytest.approx(on_cpu, rel=5e-2)


def test_encoder_states_on_the_gpu_equal_those_on_the_cpu(miniature: dict, tmp_path) -> None:
    recipe = build_kind(Catalogue(miniature).entry("models", "music2vec-vanilla"))
    torch.manual_seed(0)
    models.export_encoder(models.build_encoder(recipe), recipe, tmp_path, {"name": "x", "digest": "0", "data": "",
                                                                           "licence": "", "metrics": {}})  # fmt: skip
    encoder = models.frozen(recipe, tmp_path)
    wave = 0.1 * torch.randn(2, 16000)
    expected = encoder.states(wave)
    torch.testing.assert_close(encoder.cuda().states(wave.cuda()).cpu(), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["hubert-k500-mfcc39-cqthead", "music2vec-vanilla"])
@pytest.mark.parametrize("compiled", [False, True])
def test_no_forward_or_backward_waits_for_the_gpu(miniature: dict, name: str, compiled: bool) -> None:
    recipe = build_kind(Catalogue(miniature).entry("models", name))
    objective = models.build_objective(recipe, 32 if recipe.kind == "hubert" else None).cuda().train()
    if compiled:
        objective.compile_layers()
    wave = 0.1 * torch.randn(2, 32000)
    frames = num_frames(wave.shape[1])
    mask = torch.from_numpy(models.sample_mask(np.random.default_rng(0), recipe.masking, 2, frames))
    labels = torch.randint(32, (2, frames)).cuda() if recipe.kind == "hubert" else None
    rows = models.masked_rows(mask).cuda()
    wave, mask = wave.cuda(), mask.cuda()
    for mode in ("default", "error"):  # the first pass may compile and allocate
        torch.cuda.set_sync_debug_mode(mode)
        try:
            with torch.autocast("cuda", torch.bfloat16):
                objective(wave, mask, labels, [True] * recipe.architecture.num_layers, rows).loss_sum.backward()
        finally:
            torch.cuda.set_sync_debug_mode("default")
