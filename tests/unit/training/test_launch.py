"""How a training is started: processes, threads, nodes, and what its processes are told."""

import os
from dataclasses import asdict

import pytest
import training_kit as kit

from musicssl.artefacts.ledger import read_record, records
from musicssl.artefacts.store import read_object
from musicssl.runtime import UserError
from musicssl.training import launch

TORCHRUN = "torchrun --signals-to-handle SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1 --shutdown-timeout 240"


@pytest.mark.parametrize(
    ("nodes", "gpus", "mpi", "expected"),
    [
        (1, 0, None, f"{TORCHRUN} --standalone --nproc-per-node 1 pretrain.py job.json"),
        (1, 4, None, f"{TORCHRUN} --standalone --nproc-per-node 4 pretrain.py job.json"),
        (
            2,
            2,
            "srun",
            f"srun --nodes 2 --ntasks 2 --ntasks-per-node 1 --cpus-per-task 8 {TORCHRUN} --nnodes 2 --nproc-per-node 2 "
            f"--rdzv-backend c10d --rdzv-id 77 --rdzv-endpoint {os.uname().nodename}:20077 pretrain.py job.json",
        ),
    ],
    ids=["cpu", "one node", "two nodes"],
)
def test_a_process_a_gpu_and_a_launcher_a_node(monkeypatch, nodes, gpus, mpi, expected):
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    assert launch.command("pretrain.py", "job.json", 8, nodes, gpus, mpi) == expected.split()


@pytest.fixture
def training(tmp_path):
    path = kit.write_job(tmp_path, kit.recipe(kit.HUBERT), [], [], tmp_path / "model")
    return launch.Training(**read_object(path))


@pytest.mark.parametrize(("gpus", "threads"), [(0, "8"), (4, "2")])
def test_the_job_becomes_torchrun_with_a_record_begun(training, monkeypatch, tmp_path, gpus, threads):
    became = []
    monkeypatch.setattr(os, "execvp", lambda *words: became.append(words))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    launch.become(launch.Training(**asdict(training) | {"gpus": gpus}), "pretrain.py", 8, 1, None)
    assert os.environ["OMP_NUM_THREADS"] == threads
    assert became[0][0] == "torchrun"
    told = launch.Training(**read_object(training.path))
    assert (told.audio, told.out, told.gpus) == (training.audio, training.out, gpus)
    assert told.record == str(list(records(tmp_path / "results"))[-1])
    assert read_record(told.record).status == "begun"


def test_a_missing_launcher_is_a_sentence(training):
    with pytest.raises(UserError, match="no-such-srun: not found, expected on PATH; install it, or leave `mpi` out"):
        launch.become(training, "pretrain.py", 8, 1, "no-such-srun")


def test_label_shards_are_shared_out_to_their_sets():
    assert launch.by_set(["a0", "a1", "b0", "b1"], 2) == [["a0", "a1"], ["b0", "b1"]]
    assert launch.by_set([], 2) == []
