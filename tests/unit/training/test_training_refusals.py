"""Runs that must not start or must not go on say why."""

import errno
import logging
import re

import pytest
import torch
import training_kit as kit

from musicssl import models
from musicssl.artefacts import read_jsonl
from musicssl.artefacts import run as checkpoint
from musicssl.artefacts.run import ResumeStates
from musicssl.runtime import UserError
from musicssl.training import distributed
from musicssl.training.batches import plan
from musicssl.training.distributed import World
from musicssl.training.guards import Guard
from musicssl.training.pretraining import _check_share, pretrain


@pytest.fixture
def corpus(tmp_path):
    audio, labels, _ = kit.write_corpus(tmp_path, [[16000] * 8])
    return audio, [labels]


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Run in this process on the tiny objective, and as the ranks of the kit on one thread."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(models, "build_objective", kit.tiny_objective)


def test_a_diverged_run_stops_and_keeps_its_last_good_state(corpus, tmp_path):
    """A learning rate that explodes at the peak of the warm-up: the loss is no number some updates later."""
    optimizer = kit.PRETRAINING["optimizer"] | {"lr": 1e30}
    recipe = kit.recipe(kit.HUBERT, optimizer=optimizer, checkpoint_every=1, log_every=7, valid_every=50)
    with pytest.raises(UserError, match=r"update \d+ of 20: found loss nan .*last finite loss 1.9") as caught:
        pretrain(recipe, *corpus, tmp_path / "model")
    saved, _ = ResumeStates(tmp_path / "model" / "resume", recipe["digest"]).latest()
    assert f"the last good state, after update {saved}, is in" in str(caught.value)
    assert re.search(
        r"The same command would meet the same numbers: look at grad_norm in .*resume/metrics.jsonl, then lower "
        r"optimizer.lr \(1e\+30\) or set precision: fp32, which is a new recipe and trains from the start$",
        str(caught.value),
    )
    assert not (tmp_path / "model" / "checkpoint.pt").exists()


def test_another_recipe_does_not_continue_a_run(corpus, tmp_path):
    kit.run_ranks(1, kit.recipe(kit.HUBERT, updates=20), *corpus, tmp_path / "model", build=kit.dying_objective)
    with pytest.raises(UserError, match="saved by recipe 0123456789, expected 9999999999"):
        pretrain(kit.recipe(kit.HUBERT, "9999999999"), *corpus, tmp_path / "model")


def test_other_data_do_not_continue_a_run(corpus, tmp_path):
    """The recipe is the same; the fingerprint of what it trains on is not."""
    recipe, out = kit.recipe(kit.HUBERT), tmp_path / "model"
    kit.run_ranks(1, recipe, *corpus, out, None, (), 0, {"audio/000.npy": "aaaa"}, build=kit.dying_objective)
    before = sorted((out / "resume").iterdir())
    with pytest.raises(UserError, match=r"begun with other data \(audio/000.npy was aaaa, is bbbb\), which cannot be"):
        pretrain(recipe, *corpus, out, made_from={"audio/000.npy": "bbbb"})
    assert sorted((out / "resume").iterdir()) == before
    pretrain(recipe, *corpus, out, made_from={"audio/000.npy": "aaaa"})


def test_a_collapsed_teacher_stops_data2vec(tmp_path):
    guard = Guard(kit.entry(kit.DATA2VEC), tmp_path)
    row = {"update": 1001, "target_std": 0.2, "prediction_std": 0.02, "target_agreement": 0.5}
    guard.check_collapse(row)
    guard.check_collapse(row | {"update": 1000, "target_std": 0.0})
    guard.saved = 900
    cure = (
        r"\. Lower optimizer.lr \(0.003\), raise batch.global_s \(8 s\) or slow the teacher \(ema.start 0.9\), "
        r"which is a new recipe and trains from the start$"
    )
    with pytest.raises(UserError, match=r"target_std 0.09, expected at least 0.1.*state, after update 900.*" + cure):
        guard.check_collapse(row | {"target_std": 0.09})
    with pytest.raises(
        UserError, match=r"prediction_std 0.009, expected at least 0.01 \(guard.min_prediction_std\).*" + cure
    ):
        guard.check_collapse(row | {"prediction_std": 0.009})
    strict = kit.DATA2VEC["guard"] | {"max_target_agreement": 0.9}
    pattern = r"target_agreement 0.95, expected at most 0.9 \(guard.max_target_agreement\).*" + cure
    with pytest.raises(UserError, match=pattern):
        Guard(kit.entry(kit.DATA2VEC, guard=strict), tmp_path).check_collapse(row | {"target_agreement": 0.95})
    guard.check_collapse(row | {"target_agreement": None})  # batches of one clip do not know
    Guard(kit.entry(kit.HUBERT), tmp_path).check_collapse({"update": 9999})


def test_more_processes_than_micro_batches(caplog):
    sizes = plan(kit.entry())
    cpu = torch.device("cpu")
    with pytest.raises(UserError, match="found 5 processes for 4 micro-batches an update, expected at most 4"):
        _check_share(sizes, World(0, 5, cpu))
    _check_share(sizes, World(0, 4, cpu))
    assert not caplog.records
    _check_share(sizes, World(0, 3, cpu))
    assert "some wait for the others" in caplog.text


def test_missing_folders_and_other_nouns(corpus, tmp_path):
    with pytest.raises(UserError, match="audio: found no shards"):
        pretrain(kit.recipe(kit.DATA2VEC), [], [], tmp_path)
    with pytest.raises(UserError, match=r"labels: found 0 set.*expected one for each of tiny-k7"):
        pretrain(kit.recipe(kit.HUBERT), corpus[0], [], tmp_path)
    released = {"kind": "constant-floor"}
    with pytest.raises(UserError, match="found kind 'constant-floor', expected hubert or data2vec"):
        pretrain(kit.recipe(released), [], [], tmp_path)


def test_resuming_elsewhere_is_said_and_the_log_shows_the_share(corpus, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    recipe = kit.recipe(kit.HUBERT)
    kit.run_ranks(1, recipe, *corpus, tmp_path / "model", build=kit.dying_objective)
    pretrain(recipe, *corpus, tmp_path / "model", micro_batch_s=1.0)
    assert "an update is 8 s of audio = 16 clips of 0.5 s in 4 group(s) of 4, sent in micro-batches of 2" in caplog.text
    assert "resumed after update 9 of 20" in caplog.text
    assert "not equal to the last bit" in caplog.text
    assert len(read_jsonl(tmp_path / "model" / "metrics.jsonl")) == 23


@pytest.mark.parametrize(
    "elsewhere",
    [{}, {"threads": 7}, {"device": "cuda H100"}, {"commit": "0123456789ab"}],
    ids=["no", "threads", "device", "commit"],
)
def test_other_threads_or_another_device_are_said(corpus, tmp_path, caplog, elsewhere):
    """Sums of floats depend on both; the state says that it was saved with others, and nothing else differs."""
    recipe, model = kit.recipe(kit.HUBERT), tmp_path / "model"
    kit.run_ranks(1, recipe, *corpus, model, build=kit.dying_objective)
    states = ResumeStates(model / "resume", recipe["digest"])
    update, about = states.latest()
    (stretch,) = about["stretches"]
    assert (stretch["from"], stretch["to"], stretch["threads"], stretch["precision"]) == (0, update, 1, "fp32")
    assert stretch["device"].startswith("cpu ")
    states.save(update, states.load(update), {"stretches": [stretch | elsewhere]})
    pretrain(recipe, *corpus, model)
    said = [record.getMessage() for record in caplog.records if "not equal to the last bit" in record.getMessage()]
    assert len(said) == len(elsewhere)
    for name, value in elsewhere.items():
        assert f"{name} {value} is now {stretch[name]}" in said[0]


def test_a_state_of_another_version_of_the_library(corpus, tmp_path, monkeypatch):
    """A format this version does not know, and tensors that its modules have no place for."""
    recipe, model = kit.recipe(kit.HUBERT), tmp_path / "model"
    kit.run_ranks(1, recipe, *corpus, model, build=kit.dying_objective)
    states = ResumeStates(model / "resume", recipe["digest"])
    update, about = states.latest()
    assert about["stretches"][0]["torch"] == torch.__version__
    state = states.load(update)
    state["objective"]["head.scale"] = state["objective"].pop("head.bias")
    states.save(update, state, about)
    with pytest.raises(UserError, match=r"000000009.pt: its tensors do not fit this version of the code \(.*finish"):
        pretrain(recipe, *corpus, model)
    assert states.updates() == [6, 9]
    monkeypatch.setattr(checkpoint, "FORMAT", "musicssl-resume/9")
    states.save(update, state, about)
    monkeypatch.setattr(checkpoint, "FORMAT", "musicssl-resume/3")
    with pytest.raises(UserError, match="found format musicssl-resume/9, written by another version of this library"):
        pretrain(recipe, *corpus, model)
    assert states.updates() == [6, 9]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you"),
    ],
    ids=["GPU", "CPU"],
)
def test_a_batch_that_does_not_fit_names_the_number_to_lower(corpus, tmp_path, monkeypatch, error):
    def too_large(self, *arguments):
        raise error

    kit.run_ranks(1, kit.recipe(kit.HUBERT), *corpus, tmp_path / "model", build=kit.dying_objective)
    monkeypatch.setattr(kit.TinyObjective, "forward", too_large)
    with pytest.raises(UserError, match=r"micro-batch: 2 s of audio.*do not fit.*give a smaller micro_batch_s"):
        pretrain(kit.recipe(kit.HUBERT), *corpus, tmp_path / "model")
    assert ResumeStates(tmp_path / "model" / "resume", "0123456789").updates() == [6, 9]


def test_other_errors_of_torch_stay_what_they_are(corpus, tmp_path, monkeypatch):
    def wrong(self, *arguments):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(kit.TinyObjective, "forward", wrong)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        pretrain(kit.recipe(kit.HUBERT), *corpus, tmp_path / "model")


def test_more_processes_than_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name, value in {"RANK": "0", "WORLD_SIZE": "4", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="found 4 processes for 2 visible GPUs, expected at most one process a GPU"):
        distributed.start()


@pytest.mark.parametrize(("there", "count"), [(False, 0), (True, 2)])
def test_fewer_gpus_than_asked_for(monkeypatch, corpus, tmp_path, there, count):
    """A CPU must not take over what eight GPUs were asked for, whatever hides them."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(
        UserError, match=rf"--gpus: found {count} visible GPUs, expected 8; .*lower `gpu` of rule pretrain"
    ):
        pretrain(kit.recipe(kit.HUBERT), *corpus, tmp_path / "model", gpus=8)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "checkpoint.pt",
            r"model: outputs could not be written \(No space left on device\); the states in .* untouched",
        ),
        (
            "snapshot-000000019.pt",
            r"000000019.pt: could not be saved \(No space left on device\); the state after update 18",
        ),
    ],
)
def test_a_disk_that_fills_up_at_the_end_keeps_the_last_state(corpus, tmp_path, monkeypatch, name, words):
    recipe, model = kit.recipe(kit.HUBERT), tmp_path / "model"
    write = checkpoint.save

    def full(path, value):
        if path.name == name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, value)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", full)
        with pytest.raises(UserError, match=words + ".*; free space or quota there and run the same command again"):
            pretrain(recipe, *corpus, model, snapshots=[19])
    assert not (model / "checkpoint.pt").exists()
    assert ResumeStates(model / "resume", recipe["digest"]).updates() == [15, 18]
    pretrain(recipe, *corpus, model, snapshots=[19])
    assert list(torch.load(model / "checkpoint.pt")["snapshots"]) == [19]


@pytest.mark.parametrize("how", ["flip", "cut"])
def test_a_snapshot_damaged_behind_the_run_is_not_shipped(corpus, tmp_path, monkeypatch, how):
    """Damage that comes in the last update: one snapshot can be made again, the other lies before all states."""
    recipe = kit.recipe(kit.HUBERT)
    pretrain(recipe, *corpus, tmp_path / "whole", snapshots=[4, 17])
    forward = kit.TinyObjective.before_forward
    for update, cure in (
        (17, "which goes back to the state after update 15 and makes it anew$"),
        (4, "take that entry"),
    ):
        model = tmp_path / f"model{update}"
        states = ResumeStates(model / "resume", recipe["digest"])
        snapshot = states.snapshot(update)

        def damage(objective, now, path=snapshot):
            forward(objective, now)
            if now == 19:
                data = bytearray(path.read_bytes())
                data[len(data) // 2] ^= 1
                path.write_bytes(data if how == "flip" else data[:-100])

        with monkeypatch.context() as patch:
            patch.setattr(kit.TinyObjective, "before_forward", damage)
            pattern = rf"snapshot-{update:09d}.pt: the snapshot of update {update} is damaged \(.*{cure}"
            with pytest.raises(UserError, match=pattern):
                pretrain(recipe, *corpus, model, snapshots=[4, 17])
        assert not (model / "checkpoint.pt").exists()
        assert states.updates() == [15, 18]
        if update == 4:
            with pytest.raises(UserError, match=pattern):  # and says so before it trains again
                pretrain(recipe, *corpus, model, snapshots=[4, 17])
            assert states.updates() == [15, 18]
        else:
            pretrain(recipe, *corpus, model, snapshots=[4, 17])
            assert (model / "checkpoint.pt").read_bytes() == (tmp_path / "whole" / "checkpoint.pt").read_bytes()
