"""What only a GPU can show; every test skips itself where there is none."""

import numpy as np
import pytest
import torch

from musicssl import models
from musicssl.artefacts import read_jsonl
from musicssl.artefacts.ragged import RaggedWriter
from musicssl.config.catalogue import Catalogue
from musicssl.config.recipes import build_kind
from musicssl.geometry import num_frames
from musicssl.training.batches import Batches, plan
from musicssl.training.data import Clips
from musicssl.training.distributed import World
from musicssl.training.pretraining import pretrain
from musicssl.training.trainer import Trainer

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


PARADIGMS = pytest.mark.parametrize("name", ["hubert-k500-mfcc39", "music2vec-vanilla"])


@pytest.fixture(autouse=True)
def deterministic_algorithms():
    """Put back what training sets for its process."""
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def corpus(tmp_path):
    """Return folders of the audio and labels of twelve clips of noise, 6 s each, two of them held out."""
    rng, splits = np.random.default_rng(0), ["train"] * 10 + ["valid"] * 2
    audio = RaggedWriter(tmp_path / "audio/000.npy", np.int16, (), "corpus0000", sample_rate_hz=16000, splits=splits)
    labels = RaggedWriter(
        tmp_path / "labels/000.npy", np.uint16, (), "labels0000", frame_rate_hz=100, num_clusters=32, splits=splits
    )
    with audio, labels:
        for clip in range(12):
            audio.append(str(clip), rng.integers(-3000, 3000, 96000, dtype=np.int16))
            labels.append(str(clip), rng.integers(0, 32, 598))
    return tmp_path / "audio", tmp_path / "labels"


def small(miniature: dict, name: str, **changes) -> dict:
    """Return the recipe of a miniature model in bf16: six updates, logged, validated and saved every other one."""
    entry = Catalogue(miniature).entry("models", name) | {"precision": "bf16", "updates": 6, "short_updates": 0}
    entry |= {"log_every": 2, "valid_every": 2, "checkpoint_every": 2, "micro_batch_s": 0.0}
    if "guard" in entry:
        entry["guard"] |= {"after_updates": 100}
    inputs = {"corpus": {"digest": "corpus0000"}, "labels": {"digest": "labels0000"}}
    return {"noun": "models", "name": name, "digest": "0123456789", "entry": entry | changes, "inputs": inputs}


@PARADIGMS
@pytest.mark.parametrize("compiled", ["nothing", "layers"])
def test_training_in_bf16_goes_on_where_it_was_killed(miniature, corpus, tmp_path, monkeypatch, name, compiled) -> None:
    """Losses are those of the run that nobody killed; weights and teacher stay float32."""
    recipe = small(miniature, name, compile=compiled)
    labels = [corpus[1]] if name.startswith("hubert") else []
    pretrain(recipe, corpus[0], labels, tmp_path / "straight", gpus=1)
    step = Trainer.step

    def dying(self, update, stream, stop):
        if update == 5:
            raise KeyboardInterrupt
        return step(self, update, stream, stop)

    monkeypatch.setattr(Trainer, "step", dying)
    with pytest.raises(KeyboardInterrupt):
        pretrain(recipe, corpus[0], labels, tmp_path / "killed", gpus=1)
    monkeypatch.setattr(Trainer, "step", step)
    pretrain(recipe, corpus[0], labels, tmp_path / "killed", gpus=1)
    found, expected = (read_jsonl(tmp_path / run / "metrics.jsonl") for run in ("killed", "straight"))
    assert [row["update"] for row in found] == [2, 2, 4, 4, 6, 6]
    for row, other in zip(found, expected):
        assert row["loss"] == pytest.approx(other["loss"], rel=1e-3)
    saved = torch.load(tmp_path / "killed/checkpoint.pt", weights_only=True)["objective"]
    assert {value.dtype for value in saved.values()} == {torch.float32}
    assert read_jsonl(tmp_path / "killed/speed.jsonl")[-1]["audio_s_per_s"] > 0


@PARADIGMS
def test_an_update_does_not_wait_for_the_gpu(miniature, corpus, name) -> None:
    """All of it: copies of micro-batches, both passes, clipping, AdamW, the sums' way home. Only reading them waits."""
    recipe = build_kind(small(miniature, name)["entry"])
    hubert = name.startswith("hubert")
    device, sizes = torch.device("cuda"), plan(recipe)
    batches = Batches(Clips(corpus[0], [corpus[1]] if hubert else [], sizes.crop), recipe, sizes, pin=True)
    objective = models.build_objective(recipe, 32 if hubert else None).to(device)
    trainer = Trainer(recipe, objective, batches, World(0, 1, device))
    stream = trainer.stream(0)
    for update, mode in enumerate(("default", "default", "error", "error")):  # the first allocate
        torch.cuda.set_sync_debug_mode(mode)
        try:
            report = trainer.step(update, stream, stop=False)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    report.wait()
    stream.close()
    assert report.is_finite


@PARADIGMS
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
    spectrum = build_kind(Catalogue(miniature).entry("features", "cqt")) if recipe.kind == "hubert" else None
    objective = models.build_objective(recipe, 32 if recipe.kind == "hubert" else None, spectrum).cuda().train()
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
