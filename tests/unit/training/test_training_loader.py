"""The loader alone against the training it feeds."""

import time

import pytest
import torch
import training_kit as kit

from musicssl import models
from musicssl.config.catalogue import Catalogue
from musicssl.config.recipes import build_kind
from musicssl.training.batches import Batches, Plan, plan, prefetch
from musicssl.training.data import Clips
from musicssl.training.distributed import World
from musicssl.training.trainer import Trainer


def audio_rate(batches, updates):
    """Return the seconds of audio a second that the loader's threads make when nobody computes."""
    keys = [(update, micro) for update in updates for micro in range(batches.sizes.num_micro)]
    begin = time.perf_counter()
    for batch in prefetch(batches.train, keys):
        assert len(batch.wave) == batches.sizes.micro
    return len(keys) * batches.sizes.micro * batches.sizes.crop / 16000 / (time.perf_counter() - begin)


@pytest.mark.parametrize("name", ["hubert-k500-mfcc39", "music2vec-crop5s"])
def test_the_loader_alone_is_three_times_as_fast_as_training(miniature, tmp_path, one_thread, name):
    """At the size of the miniature, whose second of audio costs the model about 200 times less than the paper's."""
    recipe = build_kind(Catalogue(miniature).entry("models", name))
    *corpus, _ = kit.write_corpus(tmp_path, [[120000] * 24])
    whole = plan(recipe)
    sizes = Plan(whole.crop, whole.group, whole.group, whole.micro)  # one group an update: the step is the same
    clips = Clips(corpus[0], [corpus[1]] if recipe.kind == "hubert" else [], sizes.crop)
    batches = Batches(clips, recipe, sizes)
    objective = models.build_objective(recipe, kit.NUM_CLUSTERS if recipe.kind == "hubert" else None)
    trainer = Trainer(recipe, objective, batches, World(0, 1, torch.device("cpu")))
    rates = []
    with torch.random.fork_rng():
        for update in range(3):
            ready = iter([batches.train(update, 0)])  # the model alone: its batch lies there
            begin = time.perf_counter()
            trainer.step(update, ready, stop=False)
            rates.append(sizes.group * recipe.crop_s / (time.perf_counter() - begin))
    loader = max(audio_rate(batches, range(10 * k, 10 * k + 10)) for k in range(3))
    assert loader >= 3 * max(rates), (loader, rates)
