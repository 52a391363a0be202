"""The same bytes on any number of threads, worker processes or Slurm ranks, even when a worker is killed."""

import os
import signal
import stat
import sys
import threading
import time
from pathlib import Path

import dask
import distributed
import numpy as np
import pytest
from threadpoolctl import threadpool_info

import musicssl.targets.kmeans.job as kmeans_job
import musicssl.targets.kmeans.lloyd as kmeans
from musicssl.artefacts import read_json
from musicssl.runtime import UserError
from musicssl.targets.kmeans import executors
from musicssl.targets.kmeans.blocks import Rows, cut
from musicssl.targets.kmeans.executors import Dask, open_executor
from musicssl.targets.kmeans.job import fit_with_srun

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def data(shards, monkeypatch):
    """Return 24 blocks of features wide enough for BLAS to use several threads."""
    monkeypatch.setattr(kmeans, "BLOCK_ROWS", 1000)
    frames = np.random.default_rng(0).normal(0, 1, (24_000, 64)).astype(np.float32) + 3
    return shards(frames[:9000], frames[9000:], clip=500)


def result(data, recipe, cluster, workers):
    with open_executor(cluster, workers) as executor, open_executor("threads", 1) as local:
        centroids, report = kmeans.fit(data, recipe, executor, local)
    return centroids.tobytes(), report


def test_threads_and_worker_processes_change_nothing(data, recipe):
    made = recipe(96, max_iterations=5)
    reference = result(data, made, "threads", 1)
    assert len(reference[1]["inertia"]) == 5
    for cluster, workers in [("threads", 2), ("threads", 7), ("local", 2), ("local", 4)]:
        assert result(data, made, cluster, workers) == reference, (cluster, workers)


def test_blas_gets_one_thread_while_open(data):
    with open_executor("threads", 2) as executor:
        list(executor.map(kmeans.partial_sums, cut([Rows(str(data[0].path), 0, 900)], 300), np.eye(64, dtype="f4")))
        assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {1}


def test_killed_worker_changes_nothing(data, recipe):
    made = recipe(96, max_iterations=6)
    reference = result(data, made, "threads", 1)
    killed = []
    with open_executor("local", 2) as executor, open_executor("threads", 1) as local:
        client, inner = executor.client, executor.map

        def kill_in_third_iteration(function, blocks, *shared):
            if function is kmeans.partial_sums:
                killed.append(None)
                if len(killed) == 3:
                    pid = next(iter(client.run(os.getpid).values()))
                    threading.Timer(0.05, os.kill, (pid, signal.SIGKILL)).start()
                    killed[-1] = pid
            return inner(function, blocks, *shared)

        executor.map = kill_in_third_iteration
        centroids, report = kmeans.fit(data, made, executor, local)
        assert killed[2] not in client.run(os.getpid).values()
    assert (centroids.tobytes(), report) == reference


def test_what_dask_sets_for_workers_does_not_stay_in_this_process():
    """One thread and a malloc that gives back every 64 KiB would slow down whatever is started next."""
    before = dict(os.environ)
    with open_executor("local", 1):
        assert dict(os.environ) != before
    assert dict(os.environ) == before


def test_complaints_cross_processes(shards, recipe):
    frames = np.random.default_rng(0).normal(0, 1, (900, 4)).astype(np.float32)
    frames[500, 1] = np.nan
    with pytest.raises(UserError, match=r"NaN or infinity in clip 'song0\.wav#5', frame 15"):
        result(shards(frames), recipe(4), "local", 1)


SRUN = """#!{python}
import os, signal, subprocess, sys
options = [word for word in sys.argv[1:] if word.startswith("--")][:2]
count, command = int(options[0].removeprefix("--ntasks=")), sys.argv[3:]
assert options[1] == "--cpus-per-task=1", options
base = os.environ | {{"SLURM_NTASKS": str(count), "SLURM_JOB_ID": "17"}}
ranks = [subprocess.Popen(command, env=base | {{"SLURM_PROCID": str(rank)}}) for rank in range(count)]
if "FREEZE" in os.environ:
    ranks[int(os.environ["FREEZE"])].send_signal(signal.SIGSTOP)
signal.signal(signal.SIGTERM, lambda *_: [rank.kill() for rank in ranks])
sys.exit(max(rank.wait() for rank in ranks))
"""


@pytest.fixture
def srun(tmp_path, monkeypatch):
    """Put a stand-in for ``srun`` first on PATH: it starts the ranks on this machine."""
    program = tmp_path / "bin" / "srun"
    program.parent.mkdir()
    program.write_text(SRUN.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)


def job(data, recipe_entry, folder, digest="feature000"):
    return {
        "features": [str(shard.path) for shard in data],
        "recipe": {
            "name": "labels",
            "digest": "labels0000",
            "entry": vars(recipe_entry),
            "inputs": {"features": {"digest": digest}},
        },
        "centroids": str(folder / "centroids.npy"),
        "report": str(folder / "kmeans.json"),
    }


def test_slurm_ranks_change_nothing(data, recipe, srun, tmp_path, monkeypatch):
    monkeypatch.setattr(kmeans, "BLOCK_ROWS", 32768)  # the ranks see the module's own
    made = recipe(24, max_iterations=3)
    reference = result(data, made, "threads", 1)
    fit_with_srun(4, 1, **job(data, made, tmp_path / "out"))
    assert np.load(tmp_path / "out" / "centroids.npy").tobytes() == reference[0]
    report = read_json(tmp_path / "out" / "kmeans.json")
    assert report == {"labels": "labels", "digest": "labels0000", **reference[1]}
    assert sorted(path.name for path in Path(tmp_path, "out").iterdir()) == ["centroids.npy", "kmeans.json"]


def test_slurm_complaints(data, recipe, srun, tmp_path):
    with pytest.raises(UserError, match="resources tasks is 2, expected at least 3"):
        fit_with_srun(2, 1, **job(data, recipe(4), tmp_path))
    with pytest.raises(UserError, match="made by recipe feature000, expected other"):
        fit_with_srun(3, 1, **job(data, recipe(4), tmp_path, "other"))
    with pytest.raises(UserError, match=r"srun ended with status 1 and wrote no kmeans\.json"):
        fit_with_srun(3, 1, **job(data, recipe(4), tmp_path) | {"unknown": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["features", "bin"]


@pytest.mark.parametrize("fate", ["os._exit(3)", "os.kill(os.getpid(), signal.SIGSTOP)"])
def test_workers_lost_or_frozen_while_they_start_end_with_a_sentence(tmp_path, monkeypatch, fate):
    assert distributed.config  # its defaults must be there before a setting is changed for a while
    (tmp_path / "fate.py").write_text(f"import os, signal\n{fate}\n")
    monkeypatch.setattr(executors, "START_S", 4.0)
    began = time.monotonic()
    with (
        dask.config.set({"distributed.worker.preload": [str(tmp_path / "fate.py")]}),
        pytest.raises(UserError, match=r"dask: 2 worker processes did not start within 4 s .* set `cluster: threads`"),
        open_executor("local", 2),
    ):
        pass
    assert time.monotonic() - began < 30


def test_a_frozen_scheduler_of_slurm_ends_with_a_sentence(data, recipe, srun, tmp_path, monkeypatch):
    monkeypatch.setenv("FREEZE", "0")
    monkeypatch.setattr(kmeans_job, "START_S", 3.0)
    monkeypatch.setattr(kmeans_job, "MARGIN_S", 2.0)
    with pytest.raises(UserError, match="the 3 ranks of srun did not find each other within 5 s; one of them died"):
        fit_with_srun(3, 1, **job(data, recipe(4), tmp_path / "out"))
    assert not list((tmp_path / "out").iterdir())


def test_a_frozen_worker_of_slurm_changes_nothing_and_is_ended(data, recipe, srun, tmp_path, monkeypatch):
    monkeypatch.setenv("FREEZE", "3")
    monkeypatch.setattr(kmeans_job, "MARGIN_S", 2.0)
    made = recipe(24, max_iterations=2)
    monkeypatch.setattr(kmeans, "BLOCK_ROWS", 32768)
    reference = result(data, made, "threads", 1)
    fit_with_srun(4, 1, **job(data, made, tmp_path / "out"))
    assert np.load(tmp_path / "out" / "centroids.npy").tobytes() == reference[0]


class Client:
    """A dask cluster that forgets its workers for a while."""

    def __init__(self, absent, lost=False):
        self.absent, self.lost = absent, lost

    def submit(self, function, *arguments, pure):
        return self

    def nthreads(self):
        return {}

    def wait_for_workers(self, count, timeout):
        if self.lost:
            raise TimeoutError

    def result(self, timeout):
        self.absent -= 1
        if self.absent >= 0:
            raise TimeoutError
        return "done"


def test_a_run_goes_on_as_long_as_workers_come_back_and_ends_when_none_does():
    blocks = [(np.zeros((1, 1), np.float32),)] * 2
    assert list(Dask(Client(absent=3)).map(len, blocks)) == ["done", "done"]
    with pytest.raises(UserError, match="dask: found no worker within 180 s, expected at least one"):
        list(Dask(Client(absent=1, lost=True)).map(len, blocks))
