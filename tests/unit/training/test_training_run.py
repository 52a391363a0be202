"""Whole runs: any number of processes, any interruption, one result."""

import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import training_kit as kit

from musicssl.artefacts import read_jsonl
from musicssl.artefacts.run import ResumeStates

HERE = Path(__file__).parent
SCRIPTS = HERE.parents[2] / "workflow" / "scripts"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    audio, labels, _ = kit.write_corpus(folder, [[16000 + 400 * i for i in range(10)], [24000] * 11])
    return audio, [labels]


@pytest.fixture(scope="module")
def reference(corpus, tmp_path_factory):
    """Output of an uninterrupted run of one process."""
    out = tmp_path_factory.mktemp("reference") / "model"
    assert kit.run_ranks(1, kit.recipe(kit.HUBERT), *corpus, out) == [0]
    return out


def assert_equal_outputs(found, expected):
    assert sorted(path.name for path in found.iterdir()) == ["checkpoint.pt", "metrics.jsonl", "speed.jsonl"]
    for name in ("metrics.jsonl", "checkpoint.pt"):
        assert (found / name).read_bytes() == (expected / name).read_bytes(), name


def test_rows_of_a_run(reference):
    rows = read_jsonl(reference / "metrics.jsonl")
    assert [row["update"] for row in rows if row["split"] == "train"] == list(range(1, 21))
    assert [row["update"] for row in rows if row["split"] == "valid"] == [8, 16, 20]
    train, valid = rows[0], next(row for row in rows if row["split"] == "valid")
    assert train.keys() == {"update", "split", "loss", "masked_fraction", "majority_share", "grad_norm", "lr"}
    assert valid.keys() == train.keys() - {"grad_norm", "lr"}
    assert train["lr"] == 0
    assert [row["update"] for row in read_jsonl(reference / "speed.jsonl")] == list(range(1, 21))
    assert rows[-2]["loss"] < rows[0]["loss"]


@pytest.mark.parametrize("size", [2, 4])
def test_processes_share_the_work_not_the_result(corpus, reference, tmp_path, size):
    assert kit.run_ranks(size, kit.recipe(kit.HUBERT), *corpus, tmp_path) == [0] * size
    rows, expected = (read_jsonl(folder / "metrics.jsonl") for folder in (tmp_path, reference))
    assert len(rows) == len(expected) == 23
    for row, other in zip(rows, expected):
        assert row == pytest.approx(other, rel=1e-5) if row.pop("split") == other.pop("split") else False


def test_a_repeated_run_gives_the_same_bytes(corpus, reference, tmp_path):
    assert kit.run_ranks(1, kit.recipe(kit.HUBERT), *corpus, tmp_path) == [0]
    assert_equal_outputs(tmp_path, reference)


def test_killed_at_random_moments_equals_uninterrupted(corpus, reference, tmp_path):
    """A moment is some updates and milliseconds after an attempt began, so a slow machine gets past a state as well."""
    out, seen = tmp_path / "model", tmp_path / "updates"
    arguments = (kit.recipe(kit.HUBERT), *corpus, out)
    moments, starts = random.Random(0), [0]

    def build(recipe, num_clusters, spectrum):
        objective = kit.tiny_objective(recipe, num_clusters, spectrum)
        before_forward = objective.before_forward

        def note(update):
            with seen.open("a") as stream:
                stream.write(f"{update}\n")
            before_forward(update)

        objective.before_forward = note
        return objective

    def begun():
        """Return the updates that this attempt has begun."""
        return [int(update) for update in seen.read_text().split()]

    for _ in range(24):
        seen.write_text("")
        (process,) = kit.start_ranks(1, arguments, build)
        number = moments.choice((0, 1, 4, 7))
        while process.is_alive() and len(begun()) < number:
            time.sleep(0.001)
        process.join(moments.uniform(0.0, 0.03))
        over = not process.is_alive()
        if not over:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
        starts += begun()[:1]
        if over and max(starts) > 0:
            assert process.exitcode == 0
            break
        if over:  # a machine so fast that the run was over before it could be killed and go on
            shutil.rmtree(out)
    else:
        assert kit.run_ranks(1, *arguments) == [0]
    assert max(starts) > 0
    assert_equal_outputs(out, reference)


@pytest.fixture(scope="module")
def reference_with_snapshots(corpus, tmp_path_factory):
    """Output of an uninterrupted run of one process that keeps three snapshots."""
    out = tmp_path_factory.mktemp("reference") / "model"
    assert kit.run_ranks(1, kit.recipe(kit.HUBERT), *corpus, out, None, (4, 9, 14)) == [0]
    return out


def test_snapshots_are_what_the_run_passes_through_killed_or_not(corpus, reference, reference_with_snapshots, tmp_path):
    """Kept encoders are those of resume states, at the end the rest is as without them, and a kill changes no byte."""
    arguments = (kit.recipe(kit.HUBERT), *corpus, tmp_path, None, (4, 9, 14))
    assert kit.run_ranks(1, *arguments, build=kit.dying_objective) == [-signal.SIGKILL]
    state = ResumeStates(tmp_path / "resume", arguments[0]["digest"]).load(9)["objective"]
    assert kit.run_ranks(1, *arguments) == [0]
    assert_equal_outputs(tmp_path, reference_with_snapshots)
    found, expected = (torch.load(folder / "checkpoint.pt") for folder in (reference_with_snapshots, reference))
    snapshots = found.pop("snapshots")
    assert list(snapshots) == [4, 9, 14]
    assert snapshots[9].keys() == {"encoder.weight", "encoder.bias"}
    assert all(torch.equal(weight, state[name]) for name, weight in snapshots[9].items())
    assert not torch.equal(snapshots[4]["encoder.weight"], snapshots[9]["encoder.weight"])
    torch.testing.assert_close(found["objective"], expected["objective"], rtol=0, atol=0)


def test_a_snapshot_damaged_while_the_run_was_dead(corpus, reference_with_snapshots, tmp_path, capfd):
    """That of update 9 is made again from the state after update 6; no state is left before update 4."""
    arguments = (kit.recipe(kit.HUBERT), *corpus, tmp_path, None, (4, 9, 14))
    assert kit.run_ranks(1, *arguments, build=kit.dying_objective) == [-signal.SIGKILL]
    states = ResumeStates(tmp_path / "resume", arguments[0]["digest"])
    first = states.snapshot(4).read_bytes()
    for update in (4, 9):
        path = states.snapshot(update)
        path.write_bytes(path.read_bytes()[:-100])
    assert kit.run_ranks(1, *arguments) == [1]
    assert "snapshot-000000004.pt: the snapshot of update 4 is damaged" in capfd.readouterr().err
    assert states.updates() == [6, 9]  # it has not trained
    states.snapshot(4).write_bytes(first)
    assert kit.run_ranks(1, *arguments) == [0]
    assert_equal_outputs(tmp_path, reference_with_snapshots)


def test_a_snapshot_the_run_has_passed_is_refused(corpus, tmp_path, capfd):
    arguments = (kit.recipe(kit.HUBERT), *corpus, tmp_path)
    assert kit.run_ranks(1, *arguments, build=kit.dying_objective) == [-signal.SIGKILL]
    assert kit.run_ranks(1, *arguments, None, (5,)) == [1]
    message = capfd.readouterr().err
    assert "snapshot-000000005.pt: the snapshot of update 5 is missing" in message
    assert "take that entry out of the models table" in message
    assert kit.run_ranks(1, *arguments, None, (7, 12)) == [0]  # 7 lies after a state that is still there
    assert list(torch.load(tmp_path / "checkpoint.pt")["snapshots"]) == [7, 12]


@pytest.fixture(scope="module")
def reference_of_two(corpus, tmp_path_factory):
    """Output of an uninterrupted run of two processes."""
    out = tmp_path_factory.mktemp("reference") / "model"
    assert kit.run_ranks(2, kit.recipe(kit.HUBERT), *corpus, out) == [0, 0]
    return out


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGUSR1, 138)])
def test_asked_to_stop_saves_and_goes_on(corpus, reference_of_two, tmp_path, monkeypatch, number, code):
    """One of two ranks gets the signal during update 6; both save after the same update and leave."""
    recipe = kit.recipe(kit.HUBERT, checkpoint_every=1000)
    monkeypatch.setenv("TEST_SIGNAL", f"1 6 {int(number)}")
    assert kit.run_ranks(2, recipe, *corpus, tmp_path) == [143, code]
    (index,) = (tmp_path / "resume").glob("*.json")
    assert json.loads(index.read_text())["update"] == 8  # rank 0 learns of it with the sums of the update after
    assert not (tmp_path / "checkpoint.pt").exists()
    assert kit.run_ranks(2, recipe, *corpus, tmp_path) == [0, 0]
    assert_equal_outputs(tmp_path, reference_of_two)


def test_a_rank_killed_under_torchrun_ends_the_job_and_the_next_goes_on(corpus, reference_of_two, tmp_path):
    """Rank 1 dies in update 8, once rank 0 has begun update 7, so has saved update 6."""
    recipe = kit.recipe(kit.HUBERT)

    out = tmp_path / "model"
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        HERE / "training_worker.py", kit.write_job(tmp_path, recipe, *corpus, out, log_every=1, checkpoint_every=3),
    ]  # fmt: skip
    changes = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(SCRIPTS), "TEST_SIGNAL": f"1 7 {int(signal.SIGKILL)}"}
    job = subprocess.run(list(map(str, command)), env=os.environ | changes, capture_output=True, text=True, timeout=120)
    assert job.returncode == 1
    assert f"exitcode  : {-signal.SIGKILL}" in job.stderr
    assert ResumeStates(out / "resume", recipe["digest"]).latest()[0] == 6
    assert "update 7/20" in (tmp_path / "log").read_text()
    assert kit.run_ranks(2, recipe, *corpus, out) == [0, 0]
    assert_equal_outputs(out, reference_of_two)


@pytest.mark.parametrize("launcher", ["shell", "torchrun"])
def test_a_run_outlives_its_shell_and_not_its_torchrun(tmp_path, monkeypatch, launcher):
    """``python pretrain.py job &`` of a shell that then ends; a pipe for a job file shows whether it is still there."""
    job_file, log = tmp_path / "job.json", tmp_path / "log"
    os.mkfifo(job_file)
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    if launcher == "torchrun":
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    assert torch.distributed.is_torchelastic_launched() == (launcher == "torchrun")
    command = [sys.executable, SCRIPTS / "pretrain.py", job_file]
    with log.open("w") as stderr:
        shell = subprocess.Popen(
            ["sh", "-c", '"$@" & read line', "sh", *map(str, command)], stdin=subprocess.PIPE, stderr=stderr
        )
    pipe = open_when_read(job_file)
    shell.communicate()  # closes what the shell reads from: it ends
    gone = select.poll()
    gone.register(pipe, 0)
    if launcher == "torchrun":
        assert gone.poll(30_000) == [(pipe, select.POLLERR)]
        os.close(pipe)
    else:
        assert gone.poll(1_200) == []  # it looks for its parent twice a second
        os.write(pipe, b"no job")
        os.close(pipe)
        give_up = time.monotonic() + 30
        while "damaged" not in log.read_text():
            assert time.monotonic() < give_up
            time.sleep(0.02)


def open_when_read(path):
    """Return the writing end of a named pipe as soon as somebody has opened the other."""
    give_up = time.monotonic() + 30
    while True:
        try:
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            assert time.monotonic() < give_up
            time.sleep(0.02)
