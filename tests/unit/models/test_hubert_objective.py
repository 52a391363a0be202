"""HuBERT's loss, gradients and layers against fairseq's own run."""

import dataclasses
import math

import pytest
import torch
from golden_models import make_hubert

from musicssl.geometry import num_frames
from musicssl.models import build_objective
from musicssl.models.fairseq import fairseq_name, load_fairseq
from musicssl.models.passes import convolve, project, states

KEEP = [True] * 3


@pytest.fixture
def objective(hubert_golden):
    weights = hubert_golden.weights("w/")
    objective = build_objective(make_hubert(), hubert_golden.config["num_clusters"])
    load_fairseq(objective.encoder, "hubert", weights)
    with torch.no_grad():
        objective.codebook.copy_(weights["label_embs_concat"])
        objective.final_proj.load_state_dict({k: weights[f"final_proj.{k}"] for k in ("weight", "bias")})
    return objective


@pytest.fixture
def batch(hubert_golden):
    return hubert_golden.wave, torch.from_numpy(hubert_golden["mask"]), torch.from_numpy(hubert_golden["labels"])


def test_loss_is_fairseqs(hubert_golden, objective, batch):
    output = objective(*batch, KEEP)
    metrics = objective.metrics(output.sums, output.num_masked.item())
    assert output.num_masked == hubert_golden["num_masked"]
    assert output.loss_sum.item() == pytest.approx(float(hubert_golden["loss_total"]), rel=1e-5)
    assert float(output.sums["cross_entropy"]) == pytest.approx(float(hubert_golden["loss_masked_ce_sum"]), rel=1e-5)
    assert metrics["feature_penalty"] == pytest.approx(float(hubert_golden["features_pen"]), rel=1e-5)
    assert metrics["masked_accuracy"] == pytest.approx(hubert_golden["correct_masked"] / hubert_golden["num_masked"])
    nats = hubert_golden["loss_masked_ce_sum"] / hubert_golden["num_masked"]
    assert metrics["bits"] == pytest.approx(nats / math.log(2), rel=1e-5)


def test_gradients_are_fairseqs(hubert_golden, objective, batch):
    objective(*batch, KEEP).loss_sum.backward()
    norms = {fairseq_name(n.removeprefix("encoder."), "hubert"): p.grad.norm() for n, p in objective.named_parameters()}
    norms["label_embs_concat"] = norms.pop("codebook")
    expected = hubert_golden.table("gradnorm/")
    assert norms.keys() == expected.keys()
    for name, norm in norms.items():  # keys' biases cannot change softmax: their gradient is rounding
        assert norm.item() == pytest.approx(float(expected[name]), rel=1e-4, abs=1e-6), name


def test_logits_are_fairseqs(hubert_golden, objective, batch):
    wave, mask, labels = batch
    seen = []
    objective.final_proj.register_forward_hook(lambda _, args, __: seen.append(args[0]))
    objective(wave, mask, labels, KEEP)
    assert [len(hidden) for hidden in seen] == [mask.sum()]  # nothing is projected where nothing is predicted
    positive = objective.logits(seen[0])[0][torch.arange(len(seen[0])), labels[mask]]
    torch.testing.assert_close(
        positive, torch.from_numpy(hubert_golden["logits_masked_positive"]), rtol=1e-4, atol=1e-4
    )


def test_layers_are_fairseqs(hubert_golden, objective):
    encoder = objective.encoder.eval()
    with torch.no_grad():
        projected = project(encoder, convolve(encoder, hubert_golden.wave))
        layers = torch.stack(list(states(encoder, hubert_golden.wave))[1:])
    torch.testing.assert_close(projected, torch.from_numpy(hubert_golden["eval_projected"]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(layers, torch.from_numpy(hubert_golden["eval_layers"]), rtol=1e-4, atol=1e-5)


def test_statistics_describe_mask_labels_and_features(objective, batch):
    wave, _, _ = batch
    mask = torch.zeros(2, 149, dtype=torch.bool)
    mask[0, 3:7] = mask[0, 20:22] = mask[1, 0:6] = True
    labels = torch.arange(2 * 149).reshape(2, 149) % 38
    labels[mask] = torch.tensor([5] * 9 + [1, 2, 3])
    output = objective(wave, mask, labels, KEEP)
    metrics = objective.metrics(output.sums, output.num_masked.item())
    with torch.no_grad():
        features = convolve(objective.encoder, wave).flatten(0, 1)
    assert metrics["masked_fraction"] == pytest.approx(12 / 298)
    assert metrics["mask_run"] == pytest.approx(4.0)
    assert metrics["majority_share"] == pytest.approx(9 / 12)
    assert metrics["cnn_std"] == pytest.approx(features.std(0).mean().item(), rel=1e-5)
    assert metrics["loss"] == pytest.approx(output.loss_sum.item() / 12)
    assert all(isinstance(value, float) for value in metrics.values())


def test_sums_of_micro_batches_are_those_of_the_batch(objective, batch):
    """Cross-entropy and its statistics add up; the penalty of fairseq is a mean and stays out of this law."""
    objective.recipe = dataclasses.replace(objective.recipe, feature_penalty=0.0)
    whole = objective(*batch, KEEP)
    parts = [objective(*(value[i : i + 1] for value in batch), KEEP) for i in range(2)]
    assert sum(p.num_masked for p in parts) == whole.num_masked
    for name, value in whole.sums.items():
        torch.testing.assert_close(sum(p.sums[name] for p in parts), value, rtol=1e-5, atol=1e-6)


def test_dropped_layers_are_skipped(objective, batch):
    objective(*batch, [True, False, True]).loss_sum.backward()
    layers = objective.encoder.encoder.layers
    grads = [any(p.grad is not None for p in layer.parameters()) for layer in layers]
    assert grads == [True, False, True]


def test_dropout_reaches_every_place(batch, hubert_recipe):
    """Each rate alone makes two passes in training differ, and none does in evaluation."""
    for rate in ("dropout", "attention_dropout", "activation_dropout", "input_dropout"):
        objective = build_objective(make_hubert(**{rate: 0.5}), 38)
        losses = [objective(*batch, KEEP).loss_sum.item() for _ in range(2)]
        assert losses[0] != losses[1], rate
        objective.eval()
        losses = [objective(*batch, KEEP).loss_sum.item() for _ in range(2)]
        assert losses[0] == losses[1], rate
    objective = build_objective(make_hubert(layer_drop=0.9), 38)  # only the caller drops layers
    losses = [objective(*batch, KEEP).loss_sum.item() for _ in range(2)]
    assert losses[0] == losses[1]


def test_several_label_sets_add_up():
    """Each with its own projection and codebook: the sum of two models that share an encoder."""
    recipe = make_hubert()
    torch.manual_seed(0)
    both = build_objective(recipe, [5, 9])
    wave = 0.1 * torch.randn(2, 16000)
    frames = num_frames(16000)
    mask = torch.rand(2, frames) < 0.5
    labels = torch.stack([torch.randint(5, (2, frames)), torch.randint(9, (2, frames))], -1)
    output = both(wave, mask, labels, [True] * 3)
    values = both.metrics(output.sums, int(mask.sum()))
    alone = []
    for i, (size, rows) in enumerate(((5, slice(0, 5)), (9, slice(5, 14)))):
        one = build_objective(recipe, size)
        one.encoder.load_state_dict(both.encoder.state_dict())
        part = slice(24 * i, 24 * (i + 1))
        with torch.no_grad():
            one.codebook.copy_(both.codebook[rows])
            one.final_proj.weight.copy_(both.final_proj.weight[part])
            one.final_proj.bias.copy_(both.final_proj.bias[part])
        found = one(wave, mask, labels[..., i], [True] * 3)
        alone.append(found.sums["cross_entropy"])
        end = ("", "_2")[i]
        mine = one.metrics(found.sums, int(mask.sum()))
        for name in ("bits", "masked_accuracy", "majority_share"):
            assert values[name + end] == pytest.approx(mine[name], rel=1e-5)
    penalty = 10 * both.metrics(output.sums, 1)["feature_penalty"] * int(mask.sum())
    assert float(output.loss_sum) == pytest.approx(float(sum(alone)) + penalty, rel=1e-5)
