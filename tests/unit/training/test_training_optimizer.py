"""Flat gradients and AdamW against closed forms."""

import numpy as np
import pytest
import torch
import training_kit as kit

from musicssl.training.distributed import World
from musicssl.training.optimizer import FlatGradients, adamw


def make():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.Linear(3, 2), torch.nn.Linear(7, 7))
    model[1].bias.requires_grad_(False)
    return model, FlatGradients(model.parameters())


def test_backward_adds_into_the_flat_vector():
    model, gradients = make()
    wave = torch.randn(4, 5)
    for _ in range(2):
        model[1](model[0](wave)).sum().backward()
    reference, _ = make()
    (2 * reference[1](reference[0](wave)).sum()).backward()
    for found, expected in zip(gradients.parameters, [p for p in reference.parameters() if p.requires_grad]):
        torch.testing.assert_close(found.grad, expected.grad)
        assert found.grad.untyped_storage().data_ptr() == gradients.flat.untyped_storage().data_ptr()
    assert model[1].bias.grad is None
    assert model[2].weight.grad.abs().sum() == 0  # no part in the loss: zero, not missing


def test_divisor_is_the_count_and_what_the_norm_exceeds():
    _, gradients = make()
    gradients.parameters[0].grad.fill_(2.0)
    count = torch.tensor(4.0, dtype=torch.float64)
    norm = 2 * 15**0.5 / 4
    for max_norm, excess in ((0.0, 1.0), (norm + 1, 1.0), (norm / 3, 3.0)):
        divisor, found = gradients.divisor(count, max_norm)
        assert float(found) == pytest.approx(norm)
        assert float(divisor) == pytest.approx(4 * excess, rel=1e-5)


def test_buckets_cover_the_vector(monkeypatch):
    _, gradients = make()
    monkeypatch.setattr("musicssl.training.optimizer.BUCKET", 50)
    sizes = []
    monkeypatch.setattr(World, "sum_", lambda self, tensor, wait: sizes.append(len(tensor)))
    gradients.sum_(World(0, 2, torch.device("cpu")))
    assert sum(sizes) == len(gradients.flat)
    assert max(sizes) == 50


def test_adamw_is_the_published_rule_on_every_tensor():
    recipe = kit.entry().optimizer
    _, gradients = make()
    start = [p.detach().numpy().astype(np.float64) for p in gradients.parameters]
    optimizer = adamw(gradients.parameters, recipe)
    mean, square = [0 * p for p in start], [0 * p for p in start]
    rng = np.random.default_rng(0)
    for t in range(1, 4):
        for i, parameter in enumerate(gradients.parameters):
            grad = rng.normal(size=parameter.shape)
            parameter.grad.copy_(torch.from_numpy(5 * grad))
            mean[i] = 0.9 * mean[i] + 0.1 * grad
            square[i] = 0.98 * square[i] + 0.02 * grad**2
            start[i] = start[i] * (1 - recipe.lr * 0.01)
            start[i] = start[i] - recipe.lr * (mean[i] / (1 - 0.9**t)) / (np.sqrt(square[i] / (1 - 0.98**t)) + 1e-6)
        optimizer.grad_scale = torch.tensor(5.0)
        optimizer.step()
    for parameter, expected in zip(gradients.parameters, start):
        np.testing.assert_allclose(parameter.detach().numpy(), expected, rtol=2e-5, atol=1e-6)
