"""data2vec's loss, teacher and statistics against fairseq's own run of five updates."""

import math

import pytest
import torch
import torch.nn.functional as F
from golden_models import make_data2vec

from musicssl.models import build_objective
from musicssl.models.data2vec import Teacher, ema_decay, instance_norm, shared
from musicssl.models.fairseq import fairseq_name, load_fairseq

KEEP = [True] * 4


def golden_objective(golden):
    weights = golden.weights("w0/")
    objective = build_objective(make_data2vec(golden.config["top_k"]), None)
    load_fairseq(objective.encoder, "data2vec", weights)
    objective.final_proj.load_state_dict({k: weights[f"final_proj.{k}"] for k in ("weight", "bias")})
    objective.teacher = Teacher(objective.encoder)
    return objective


def test_five_updates_are_fairseqs(data2vec_golden):
    golden = data2vec_golden
    objective = golden_objective(golden)
    optimizer = torch.optim.SGD([p for p in objective.parameters() if p.requires_grad], lr=0.01)
    for update in range(5):
        objective.before_forward(update)
        output = objective(golden.wave, torch.from_numpy(golden["masks"][update]), None, KEEP)
        metrics = objective.metrics(output.sums, output.num_masked.item())
        assert output.num_masked == golden["num_masked"][update]
        assert output.loss_sum.item() == pytest.approx(golden["loss_sum"][update], rel=1e-4)
        assert metrics["target_std"] == pytest.approx(golden["target_var"][update], rel=1e-4)
        assert metrics["prediction_std"] == pytest.approx(golden["pred_var"][update], rel=1e-4)
        assert metrics["ema_decay"] == pytest.approx(golden["ema_decay_before_step"][update])
        optimizer.zero_grad()
        (output.loss_sum / output.num_masked).backward()
        optimizer.step()
    objective.before_forward(5)
    found = {**objective.encoder.encoder.state_dict(), **objective.teacher.state_dict()}  # positions are the student's
    found = {fairseq_name(f"encoder.{n}", "data2vec").removeprefix("encoder."): value for n, value in found.items()}
    for name, expected in golden.weights("ema_after5/").items():
        torch.testing.assert_close(found[name], expected, rtol=1e-4, atol=1e-6)


def test_teacher_stays_still_quiet_and_fp32(data2vec_recipe):
    objective = build_objective(make_data2vec(dropout=0.5, attention_dropout=0.5), None).train()
    assert not any(module.training for module in objective.teacher.modules())
    assert not any(parameter.requires_grad for parameter in objective.teacher.parameters())
    assert {value.dtype for value in objective.teacher.state_dict().values()} == {torch.float32}
    hidden = torch.randn(2, 20, 48)
    first, second = (objective.teacher.targets(hidden, 2) for _ in range(2))
    assert torch.equal(first, second)


def test_nothing_moves_at_update_0_and_decay_moves_the_rest(data2vec_recipe):
    objective = build_objective(data2vec_recipe, None)
    with torch.no_grad():
        for weight in objective.encoder.parameters():
            weight.add_(1.0)
    before = {name: value.clone() for name, value in objective.teacher.state_dict().items()}
    objective.before_forward(0)
    assert all(torch.equal(value, before[name]) for name, value in objective.teacher.state_dict().items())
    objective.before_forward(2)
    for name, value in objective.teacher.state_dict().items():
        torch.testing.assert_close(value, before[name] + (1 - 0.945), rtol=1e-5, atol=1e-6)


def test_decay_rises_linearly_then_stays():
    ema = make_data2vec().ema
    assert [ema_decay(ema, update) for update in (0, 1, 2, 4, 9)] == pytest.approx([0.9, 0.9225, 0.945, 0.99, 0.99])


def test_instance_norm_is_torchs():
    values = torch.randn(2, 50, 8) * 3 + 1
    expected = F.instance_norm(values.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(instance_norm(values), expected, rtol=1e-5, atol=1e-6)


def test_metrics_are_those_of_all_frames_together(data2vec_recipe):
    """Deviations and explained variance, from sums over two micro-batches of unequal size, by their definitions."""
    objective = build_objective(data2vec_recipe, None)
    wave = torch.randn(3, 16000)
    mask = torch.rand(3, 49) < 0.5
    seen = {"target": [], "prediction": []}
    targets = objective.teacher.targets
    objective.teacher.targets = lambda *args: seen["target"].append(targets(*args)) or seen["target"][-1]
    objective.final_proj.register_forward_hook(lambda *args: seen["prediction"].append(args[2].detach()))
    outputs = [objective(wave[part], mask[part], None, KEEP) for part in (slice(0, 1), slice(1, 3))]
    sums = {name: sum(output.sums[name] for output in outputs) for name in outputs[0].sums}
    metrics = objective.metrics(sums, float(sum(output.num_masked for output in outputs)))
    everywhere, prediction = (torch.cat(seen[name]).double() for name in ("target", "prediction"))
    target = everywhere[mask]
    assert metrics["target_std"] == pytest.approx((target.var(0) + 1e-6).sqrt().mean().item(), rel=1e-6)
    assert metrics["prediction_std"] == pytest.approx((prediction.var(0) + 1e-6).sqrt().mean().item(), rel=1e-6)
    explained = 1 - (target - prediction).square().sum() / (target - target.mean(0)).square().sum()
    assert metrics["explained_variance"] == pytest.approx(explained.item(), rel=1e-5)
    one, two = everywhere[1], everywhere[2]  # the only two of one micro-batch; each has mean 0 over time
    agreement = 2 * (one * two).sum() / (one.square().sum() + two.square().sum())
    assert metrics["target_agreement"] == pytest.approx(agreement.item(), rel=1e-5)
    loss = (target - prediction).square().sum().item() / 48**0.5 / len(target)
    assert metrics["loss"] == pytest.approx(loss, rel=1e-5)


def test_agreement_is_1_for_places_and_0_for_what_clips_do_not_share():
    place, own = torch.randn(1, 4000, 8).expand(3, -1, -1), torch.randn(3, 4000, 8)
    for share in (0.0, 0.3, 1.0):
        sums = shared(share**0.5 * place + (1 - share) ** 0.5 * own)
        assert float(sums["between_clips"] / sums["within_clips"]) == pytest.approx(share, abs=0.02)
    assert math.isnan(shared(own[:1])["between_clips"] / shared(own[:1])["within_clips"])  # one clip agrees with nobody


def test_teacher_sees_inputs_before_dropout():
    objective = build_objective(make_data2vec(input_dropout=0.9), None).train()
    seen = []
    targets = objective.teacher.targets
    objective.teacher.targets = lambda *args: seen.append(args[0]) or targets(*args)
    for _ in range(2):
        objective(torch.ones(1, 16000).cumsum(1) / 16000, torch.ones(1, 49, dtype=torch.bool), None, KEEP)
    assert torch.equal(seen[0], seen[1])


def test_state_holds_the_teacher(data2vec_recipe):
    torch.manual_seed(1)
    first, second = build_objective(data2vec_recipe, None), build_objective(data2vec_recipe, None)
    with torch.no_grad():
        first.teacher.layer_norm.weight.fill_(3.0)
    second.load_state_dict(first.state_dict())
    assert torch.equal(second.teacher.layer_norm.weight, torch.full((48,), 3.0))
    assert "encoder.masked_spec_embed" in first.state_dict()
