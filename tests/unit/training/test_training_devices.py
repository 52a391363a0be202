"""What a recipe asks of the device: precision and compilation reach the objective, masters stay float32."""

import pytest
import torch
import training_kit as kit

from musicssl import models
from musicssl.training import devices, trainer
from musicssl.training.pretraining import pretrain


@pytest.fixture
def corpus(tmp_path):
    audio, labels, _ = kit.write_corpus(tmp_path / "corpus", [[16000] * 8])
    return audio, [labels]


@pytest.mark.parametrize(
    ("asked", "device", "hardware", "found"),
    [("bf16", "cuda", True, "bf16"), ("bf16", "cuda", False, "fp32"), ("fp32", "cuda", True, "fp32")],
)
def test_bf16_needs_a_gpu_that_has_it_in_hardware(monkeypatch, asked, device, hardware, found):
    """Volta and Turing only emulate it, at a fraction of their float32 rate."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: hardware or including_emulation)
    assert devices.precision(kit.entry(precision=asked), torch.device(device)) == found


def test_a_cpu_computes_in_float32():
    assert devices.precision(kit.entry(precision="bf16"), torch.device("cpu")) == "fp32"


@pytest.mark.parametrize(("asked", "compiled"), [("bf16", "layers"), ("fp32", "nothing")])
def test_precision_and_compilation_reach_the_objective(corpus, tmp_path, monkeypatch, asked, compiled):
    seen = {"compiled": 0, "types": set(), "masters": set()}

    class Watched(kit.TinyObjective):
        def compile_layers(self):
            seen["compiled"] += 1

        def forward(self, *arguments):
            seen["types"].add(self.head(torch.zeros(1, 16)).dtype)
            seen["masters"] |= {value.dtype for value in self.state_dict().values()}
            return super().forward(*arguments)

    monkeypatch.setattr(models, "build_objective", lambda recipe, clusters, spectrum: Watched(3, clusters[0]))
    monkeypatch.setattr(trainer, "precision", lambda recipe, device: recipe.precision)
    pretrain(kit.recipe(kit.HUBERT, precision=asked, compile=compiled, updates=2), *corpus, tmp_path / "model")
    assert seen["types"] == {torch.bfloat16 if asked == "bf16" else torch.float32}
    assert seen["masters"] == {torch.float32}
    assert seen["compiled"] == (compiled == "layers")
