"""One update against autograd and the published rules: what is divided by what, what is clipped, what decays."""

import numpy as np
import pytest
import torch
import training_kit as kit

from musicssl import models
from musicssl.training.batches import Batches, plan
from musicssl.training.data import Clips
from musicssl.training.distributed import World
from musicssl.training.schedule import learning_rate
from musicssl.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("one_thread")
QUIET = kit.ARCHITECTURE | {"dropout": 0.0, "attention_dropout": 0.0, "input_dropout": 0.0}
KINDS = {"hubert": kit.HUBERT | {"feature_penalty": 0.0}, "data2vec": kit.DATA2VEC | {"normalize": True}}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    return kit.write_corpus(folder, [[16000 + 400 * i for i in range(12)]])


def make(corpus, values, micro_batch_s=None, **changes):
    recipe = kit.entry(values, **{"architecture": QUIET} | changes)
    sizes = plan(recipe, micro_batch_s)
    clips = Clips(corpus[0], [corpus[1]] if recipe.kind == "hubert" else [], sizes.crop)
    torch.manual_seed(0)
    objective = models.build_objective(recipe, kit.NUM_CLUSTERS if recipe.kind == "hubert" else None)
    return Trainer(recipe, objective, Batches(clips, recipe, sizes), World(0, 1, torch.device("cpu")))


def trained(trainer):
    return {name: value for name, value in trainer.objective.named_parameters() if value.requires_grad}


def do_update(trainer, update):
    stream = trainer.stream(update)
    report = trainer.step(update, stream, stop=False)
    stream.close()
    return report


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_the_mean_over_all_masked_frames_of_the_update(corpus, kind):
    """Groups differ in masked frames: a mean of their means would be another number. Autograd on all clips at once."""
    architecture = QUIET | {"layer_drop": 0.0}
    trainer = make(corpus, KINDS[kind], micro_batch_s=1.0, architecture=architecture)
    batches = [trainer.batches.train(6, micro) for micro in range(trainer.batches.sizes.num_micro)]
    counts = [int(batch.mask.sum()) for batch in batches]
    assert len(set(counts)) > 1
    twin = make(corpus, KINDS[kind], architecture=architecture).objective
    twin.before_forward(6)
    wave, mask = (torch.cat([getattr(batch, name) for batch in batches]) for name in ("wave", "mask"))
    labels = torch.cat([batch.labels for batch in batches]) if kind == "hubert" else None
    loss = twin(wave, mask, labels, [True] * 3).loss_sum / sum(counts)
    loss.backward()
    expected = torch.cat([p.grad.flatten() for p in twin.parameters() if p.grad is not None]).norm()
    report = do_update(trainer, 6)
    assert report.num_masked == sum(counts)
    assert report.loss == pytest.approx(loss.item(), rel=1e-5)
    assert report.grad_norm == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_it_does_not_matter_how_many_clips_go_together(corpus, kind):
    """One clip, a group of four, two groups and the whole update, while groups pass different layers."""
    size = QUIET | {"init_std": 0.5}  # so that a layer matters
    trainers = [make(corpus, KINDS[kind], seconds, architecture=size) for seconds in (0.5, 2.0, 4.0, 8.0)]
    assert trainers[-1].batches.train(6, 0).keep_layers.any(axis=1).sum() > 1
    assert len({tuple(row) for row in trainers[-1].batches.train(6, 0).keep_layers.T}) > 1
    found = [(do_update(trainer, 6), trainer.gradients.flat) for trainer in trainers]
    for report, gradients in found[1:]:
        assert report.num_masked == found[0][0].num_masked
        assert report.loss == pytest.approx(found[0][0].loss, rel=1e-5)
        torch.testing.assert_close(gradients, found[0][1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_gradient_every_tensor_still_decays(corpus, kind, monkeypatch):
    """Decoupled decay of 0.01 on all that trains: biases, norms, mask, codebook, and layers that layer drop skipped.

    A gradient of zero leaves ``w (1 - lr * 0.01)``; the teacher is not trained and stays.
    """
    trainer = make(corpus, KINDS[kind], architecture=QUIET | {"layer_drop": 0.999})
    monkeypatch.setattr(trainer.gradients, "sum_", lambda world: trainer.gradients.flat.zero_())
    before = {name: value.detach().clone() for name, value in trained(trainer).items()}
    slow = {n: v.clone() for n, v in trainer.objective.state_dict().items() if n.startswith("teacher.")}
    update = 5
    do_update(trainer, update)
    lr = learning_rate(trainer.recipe.schedule, trainer.recipe.optimizer.lr, update, trainer.recipe.updates)
    assert lr > 0
    for name, value in trained(trainer).items():
        torch.testing.assert_close(value.detach(), before[name] * (1 - lr * 0.01), rtol=1e-6, atol=0, msg=name)
    assert "encoder.masked_spec_embed" in before
    assert ("codebook" in before) == (kind == "hubert")
    assert all(torch.equal(trainer.objective.state_dict()[name], value) for name, value in slow.items())
    assert bool(slow) == (kind == "data2vec")


@pytest.mark.parametrize("excess", [0.5, 4.0])
def test_the_mean_gradient_is_scaled_down_to_the_clipping_norm(corpus, excess, monkeypatch):
    """First moments after one update are 0.1 of what AdamW was given: the mean gradient, its norm at most the limit."""
    architecture = QUIET | {"layer_drop": 0.0}
    free = make(corpus, KINDS["hubert"], architecture=architecture)
    norm = do_update(free, 6).grad_norm
    limit = norm / excess
    optimizer = kit.PRETRAINING["optimizer"] | {"clip_norm": limit}
    clipped = make(corpus, KINDS["hubert"], architecture=architecture, optimizer=optimizer)
    assert do_update(clipped, 6).grad_norm == pytest.approx(norm, rel=1e-6)  # what is reported is not clipped
    moments = [state["exp_avg"].flatten() for state in clipped.optimizer.state.values()]
    found = 10 * float(torch.cat(moments).norm())
    assert found == pytest.approx(min(norm, limit), rel=1e-4)


def test_dropped_layers_are_as_if_they_were_not_there(corpus):
    """The loss with layer 1 of 3 skipped is that of a model that has the other two; what is kept is not rescaled."""
    size = QUIET | {"init_std": 0.5}  # so that a layer matters
    torch.manual_seed(0)
    three = models.build_objective(kit.entry(KINDS["hubert"], architecture=size), kit.NUM_CLUSTERS)
    recipe = kit.entry(KINDS["hubert"], architecture=size | {"num_layers": 2})
    two = models.build_objective(recipe, kit.NUM_CLUSTERS)
    place = "encoder.encoder.layers.{}."
    weights = {n: value for n, value in three.state_dict().items() if not n.startswith(place.format(1))}
    two.load_state_dict({n.replace(place.format(2), place.format(1)): value for n, value in weights.items()})
    rng = np.random.default_rng(0)
    wave = torch.from_numpy(0.1 * rng.normal(size=(2, 8000)).astype(np.float32))
    mask = torch.from_numpy(models.sample_mask(rng, recipe.masking, 2, 24))
    labels = torch.randint(kit.NUM_CLUSTERS, (2, 24))
    with torch.no_grad():
        found = three(wave, mask, labels, [True, False, True]).loss_sum.item()
        assert found == pytest.approx(two(wave, mask, labels, [True, True]).loss_sum.item(), rel=1e-6)
        assert found != pytest.approx(three(wave, mask, labels, [True] * 3).loss_sum.item(), rel=1e-3)
