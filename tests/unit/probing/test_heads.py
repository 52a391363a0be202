"""Batched heads against heads trained one by one, and against torch's own modules and optimiser."""

import numpy as np
import pytest
import torch
from probing_kit import examples, protocol
from torch import nn

from musicssl.probing import fit as fitting
from musicssl.probing import heads as batched
from musicssl.probing.heads import Dropout, Heads
from musicssl.runtime import UserError

CPU = torch.device("cpu")
RNG = np.random.default_rng(0)
STATES = RNG.standard_normal((120, 3, 8)).astype(np.float16)
LABELS = RNG.integers(0, 4, 40)


def never(heads):
    """Score every epoch as better than the last, so that nothing stops."""
    never.calls += 1
    return np.full(len(heads.weights[0]), float(never.calls))


@pytest.fixture(autouse=True)
def _reset():
    never.calls = 0


def train(data, recipe, validate=never, crop_rows=0, kind="multiclass"):
    return fitting.fit(data, kind, recipe, crop_rows, validate, CPU)


@pytest.mark.parametrize(("crop", "rows"), [(0, 1), (0, 3), (2, 3)])
def test_a_replica_is_the_same_trained_alone(crop, rows, monkeypatch):
    monkeypatch.setitem(batched.CHUNK_VALUES, "cpu", 700)
    data = examples(STATES, np.repeat(LABELS, 3), 4, rows)
    recipe = {"learning_rates": [1e-2, 3e-3], "max_epochs": 6}
    together = train(data, protocol(seeds=[5, 1, 2], **recipe), crop_rows=crop)
    for r, (seed, rate) in enumerate([(s, lr) for s in (5, 1, 2) for lr in (1e-2, 3e-3)]):
        alone = train(data, protocol(**recipe | {"seeds": [seed], "learning_rates": [rate]}), crop_rows=crop)
        for one, many in zip(alone.heads.weights, together.heads.weights):
            torch.testing.assert_close(many[r], one[0], rtol=0, atol=1e-5)


def test_training_equals_torch_modules_and_adam():
    data = examples(STATES[:40], LABELS, 4)
    recipe = protocol(seeds=[3], dropout=0.0, max_epochs=5, batch_size=40)
    start = Heads([3], 3, 8, 16, 4, CPU)
    first, second = nn.Linear(8, 16), nn.Linear(16, 4)
    mixing = nn.Parameter(torch.zeros(3))
    with torch.no_grad():
        for parameter, weight in zip((first.weight, first.bias, second.weight, second.bias), start.weights[1:]):
            parameter.copy_(weight[0].T if parameter is first.weight else weight[0].view(parameter.shape))
    optimizer = torch.optim.Adam([mixing, *first.parameters(), *second.parameters()], lr=1e-2)
    for _ in range(5):
        mixed = torch.einsum("n,mnw->mw", mixing.softmax(0), torch.from_numpy(STATES[:40]).float())
        loss = nn.functional.cross_entropy(second(first(mixed).relu()), torch.from_numpy(LABELS))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = train(data, recipe)
    torch.testing.assert_close(found.heads.weights[0][0], mixing.data, rtol=0, atol=1e-6)
    torch.testing.assert_close(found.heads.weights[1][0], first.weight.data.T, rtol=0, atol=1e-6)
    torch.testing.assert_close(found.heads.weights[3][0], second.weight.data, rtol=0, atol=1e-6)
    assert found.curves[-1]["train_loss"] == pytest.approx(loss.item(), abs=1e-6)


def test_gradients_are_those_of_einsum():
    heads = Heads([0, 1], 3, 8, 16, 4, CPU)
    states, dropout = torch.from_numpy(STATES[:40]).float(), Dropout([0, 1], 0.5, 16).draw(40, CPU)
    logits, w1, b1, w2, b2 = heads.weights
    mixed = torch.einsum("rn,mnw->rmw", logits.softmax(1), states)
    hidden = (torch.einsum("rmw,rwh->rmh", mixed, w1) + b1).relu() * dropout
    wanted = torch.einsum("rmh,roh->rmo", hidden, w2) + b2.transpose(1, 2)
    found = heads(states, dropout)
    torch.testing.assert_close(found, wanted)
    pairs = (torch.autograd.grad(outputs.sigmoid().sum(), heads.weights) for outputs in (found, wanted))
    for ours, theirs in zip(*pairs):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_a_replica_does_not_notice_that_another_ends():
    data = examples(STATES[:40], LABELS, 4)
    recipe = {"stop_patience": 2, "plateau_patience": 1, "max_epochs": 8}

    def validate(heads):
        never.calls += 1
        scores = [1.0 if never.calls < 2 else 0.0, float(never.calls)]
        return np.array(scores[-len(heads.weights[0]) :])

    together = train(data, protocol(seeds=[0, 1], **recipe), validate)
    assert together.epochs.tolist() == [1, 8]
    never.calls = 0
    alone = train(data, protocol(seeds=[1], **recipe))
    for one, many in zip(alone.heads.weights, together.heads.weights):
        torch.testing.assert_close(many[1], one[0], rtol=0, atol=1e-6)


def test_a_halved_rate_halves_the_step():
    heads = Heads([0, 1], 1, 4, 8, 2, CPU)
    before = heads.weights[1].detach().clone()
    batched.Adam(heads).step(heads, [torch.ones_like(weight) for weight in heads.weights], [0.1, 0.05])
    moved = (before - heads.weights[1].detach()).flatten(1)
    torch.testing.assert_close(moved, torch.tensor([[0.1], [0.05]]).expand_as(moved))


def test_the_training_loss_is_the_mean_over_all_rows():
    data = examples(STATES[:40], LABELS, 4)
    found = train(data, protocol(learning_rates=[1e-12], dropout=0.0, max_epochs=1, batch_size=16))
    outputs = batched.predict(found.heads, data, np.arange(40))
    wanted = [nn.functional.cross_entropy(one, torch.from_numpy(LABELS)).item() for one in outputs]
    assert [row["train_loss"] for row in found.curves] == pytest.approx(wanted)


def test_dropout_drops_its_share_and_keeps_the_mean():
    factors = Dropout([0, 1, 0], 0.2, 510).draw(400, CPU)
    assert factors.shape == (3, 400, 510)
    assert set(factors.unique().tolist()) == {0.0, 1.25}
    assert (factors[0] == 0).float().mean().item() == pytest.approx(0.2, abs=0.004)
    torch.testing.assert_close(factors[0], factors[2])
    assert not torch.equal(factors[0], factors[1])


def test_heads_start_uniform_and_differ_by_seed():
    heads = Heads([0, 1, 0], 13, 50, 512, 10, CPU)
    torch.testing.assert_close(heads.layer_weights(), torch.full((3, 13), 1 / 13))
    assert heads.weights[1].abs().max().item() == pytest.approx(50**-0.5, rel=0.01)
    assert heads.weights[3].abs().max().item() == pytest.approx(512**-0.5, rel=0.01)
    assert torch.equal(heads.weights[1][0], heads.weights[1][2])
    assert not torch.equal(heads.weights[1][0], heads.weights[1][1])


def test_constant_states_learn_the_prior():
    labels = (np.arange(200)[:, None] % 10 < np.array([1, 3])).astype(np.float32)
    data = examples(np.zeros((200, 1, 1)), labels, 2)
    found = train(data, protocol(max_epochs=150, batch_size=50, dropout=0.0), kind="multilabel")
    answer = batched.predict(found.heads, data, np.arange(3)).sigmoid()
    torch.testing.assert_close(answer, torch.tensor([0.1, 0.3]).expand(2, 3, 2), rtol=0, atol=0.02)


def test_rates_halve_replicas_stop_and_the_best_epoch_is_kept():
    data = examples(STATES[:40], LABELS, 4)
    script = iter([[1.0, 1.0], [2.0, 0.0], [0.0, 0.0], [0.0, 0.0], [3.0], [0.0], [0.0], [0.0]])
    seen, sizes = {}, []

    def validate(heads):
        sizes.append(len(heads.weights[0]))
        seen[len(sizes)] = [weight.detach().clone() for weight in heads.weights]
        return np.array(next(script))

    recipe = protocol(plateau_patience=2, stop_patience=3, max_epochs=20)
    found = train(data, recipe, validate)
    assert sizes == [2, 2, 2, 2, 1, 1, 1, 1]
    assert found.epochs.tolist() == [5, 1]
    assert found.scores.tolist() == [3.0, 1.0]
    for kept, first, last in zip(found.heads.weights, seen[1], seen[5]):
        torch.testing.assert_close(kept[0], last[0])
        torch.testing.assert_close(kept[1], first[1])


def test_rates_fall_as_torchs_scheduler_lets_them_and_training_ends_after_its_patience():
    """Two replicas whose scores stand still at different times, beside ReduceLROnPlateau."""
    recipe = protocol(plateau_patience=2, stop_patience=8)
    scores = np.array([[1, 1], [0, 2], [0, 2], [0, 0], [0, 0], [0, 3], [1, 0], [0, 0], [0, 4]], float)
    patience, best, stopped = fitting.Patience([1.0, 1.0], recipe), np.full(2, -np.inf), []
    parameters = [torch.optim.SGD([torch.zeros(1)], lr=1.0) for _ in range(2)]
    options = {"mode": "max", "factor": 0.5, "patience": 2, "threshold": 0.0}
    schedulers = [torch.optim.lr_scheduler.ReduceLROnPlateau(one, **options) for one in parameters]
    for epoch, row in enumerate(scores):
        alive = patience.alive
        better = row[alive] > best[alive]
        patience.after_epoch(better, np.ones(len(alive), bool))
        best = np.maximum(best, row)
        for scheduler, score in zip(schedulers, row):
            scheduler.step(score)
        expected = [one.param_groups[0]["lr"] for one in parameters]
        assert patience.rates.tolist() == [expected[r] for r in patience.alive]
        stopped += [epoch] * (len(alive) - len(patience.alive))
    assert expected == [0.25, 0.5]
    assert (stopped, patience.alive.tolist()) == ([8], [1])  # eight epochs after the first, its best


def test_the_best_learning_rate_of_each_seed_is_chosen():
    found = fitting.Fitted(None, [7, 7, 8, 8], [1, 2, 1, 2], np.arange(4), np.array([0.1, 0.3, 0.2, 0.2]))
    assert found.chosen() == [1, 2]


def test_a_diverging_rate_is_dropped_and_divergence_everywhere_is_explained():
    data = examples(STATES[:40] * np.float16(1000), np.full((40, 2), 1e30, np.float32), 2)
    recipe = protocol(learning_rates=[1e-3], max_epochs=3)
    found = train(data, recipe, kind="regression")
    assert {row["train_loss"] for row in found.curves} == {None}
    assert len(found.curves) == 2
    with pytest.raises(UserError, match=r"learning_rates: found \[0.001\].*seed 0 diverges"):
        found.chosen()
