"""What a run of the real objectives writes and says, against counts of its own batches and closed forms."""

import logging
import math
import re

import numpy as np
import pytest
import training_kit as kit

from musicssl.artefacts import read_jsonl
from musicssl.costs.flops import train_step
from musicssl.runtime import UserError
from musicssl.training.batches import Batches, plan
from musicssl.training.data import Clips
from musicssl.training.pretraining import pretrain

pytestmark = pytest.mark.usefixtures("one_thread")
KINDS = {"hubert": kit.HUBERT, "data2vec": kit.DATA2VEC | {"normalize": True}}
BOTH = {"update", "split", "loss", "masked_fraction", "mask_run", "cnn_std"}
OWN = {
    "hubert": {"bits", "masked_accuracy", "majority_share", "feature_penalty"},
    "data2vec": {"target_std", "prediction_std", "target_agreement", "explained_variance", "ema_decay"},
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    audio, labels, _ = kit.write_corpus(folder, [[16000 + 400 * i for i in range(10)]])
    return audio, labels


def train(corpus, out, kind, **changes):
    labels = [corpus[1]] if kind == "hubert" else []
    pretrain(kit.recipe(KINDS[kind], **changes), corpus[0], labels, out)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_say_what_the_batches_held(corpus, tmp_path, caplog, kind):
    """Masks are drawn again and their frames and runs counted one by one; rates and decays are closed forms."""
    caplog.set_level(logging.INFO)
    train(corpus, tmp_path, kind, updates=6, valid_every=3, log_every=2)
    recipe = kit.entry(KINDS[kind], updates=6)
    sizes = plan(recipe)
    batches = Batches(Clips(corpus[0], [], sizes.crop), recipe, sizes)
    rows = read_jsonl(tmp_path / "metrics.jsonl")
    found = [row for row in rows if row["split"] == "train"]
    assert [row["update"] for row in found] == [2, 4, 6]
    assert [row["update"] for row in rows if row["split"] == "valid"] == [3, 6]
    assert all(row.keys() == BOTH | OWN[kind] | {"grad_norm", "lr"} for row in found)
    assert all(row.keys() == BOTH | OWN[kind] for row in rows if row["split"] == "valid")
    for row in found:
        update = row["update"] - 1
        masks = np.concatenate([batches.train(update, micro).mask.numpy() for micro in range(sizes.num_micro)])
        runs = [len(run) for line in masks for run in re.findall("1+", "".join("01"[bit] for bit in line.astype(int)))]
        assert row["masked_fraction"] == pytest.approx(masks.sum() / masks.size)
        assert row["mask_run"] == pytest.approx(np.mean(runs))
        assert row["lr"] == pytest.approx(3e-3 * (update / 4 if update < 4 else (6 - update) / 2))
        assert row["cnn_std"] > 0
        if kind == "hubert":  # nats: cross-entropy and ten times the mean square of the features
            nats = row["bits"] * math.log(2)  # groups with more masked frames weigh more in the loss's penalty
            assert row["loss"] == pytest.approx(nats + 10 * row["feature_penalty"], rel=1e-3)
            assert 1 / kit.NUM_CLUSTERS <= row["majority_share"] <= 1
        else:
            assert row["ema_decay"] == pytest.approx(0.9 + 0.09 * update / 10)
            assert row["target_std"] > 0 < row["prediction_std"]
    speed = read_jsonl(tmp_path / "speed.jsonl")
    work = train_step(recipe.architecture, 0.5, kind == "data2vec")
    for row in speed:
        assert row["audio_s_per_s"] * row["seconds_per_update"] == pytest.approx(8.0)
        assert row["flops_per_s"] == pytest.approx(row["audio_s_per_s"] * work)
        assert row["model_flops_utilisation"] is None  # of a CPU no peak is known
        assert row["peak_memory_bytes"] > 1e7
        assert 0 <= row["data_wait_fraction"] <= 1
    lines = [r.getMessage() for r in caplog.records if re.match(r"update \d/6, loss", r.getMessage())]
    assert len(lines) == 3
    assert all(re.search(r"loss \d+\.\d{4}, [\d.]+ s of audio a second, \d+ s left$", line) for line in lines)


def test_a_run_whose_targets_hardly_vary_is_stopped_after_the_guards_updates(corpus, tmp_path):
    """Deviations of real targets are below an absurd limit from the first update on; the guard waits for the fifth."""
    guard = {"after_updates": 5, "min_target_std": 1e3, "min_prediction_std": 0.0, "max_target_agreement": 1.0}
    with pytest.raises(UserError, match=r"update 6: found target_std [\d.]+, expected at least 1000 .*after update 3"):
        train(corpus, tmp_path, "data2vec", guard=guard)
    assert read_jsonl(tmp_path / "resume" / "metrics.jsonl")[-1]["update"] == 6
    assert not (tmp_path / "checkpoint.pt").exists()
