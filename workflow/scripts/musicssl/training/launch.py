"""How one training is started: a process a GPU under ``torchrun``, on one machine or several nodes of a Slurm job.

The job that Snakemake starts writes what is to be done into ``resume/job.json`` and becomes ``torchrun``, whose
processes read it. ``torchrun workflow/scripts/pretrain.py job.json`` does the same by hand.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import machine
from ..artefacts.ledger import Record
from ..artefacts.store import read_object, write_json
from ..job import Job, attempt
from ..runtime import UserError, die_with_parent, die_with_program, start_log

# torchrun passes on what it is told to; by itself SIGUSR1, Slurm's warning, would end it and lose the update.
TORCHRUN = ("torchrun", "--signals-to-handle", "SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1", "--shutdown-timeout", "240")
FIRST_PORT = 20000


@dataclass(frozen=True)
class Training:
    """One attempt to train one model, as plain values.

    Attributes:
        job: rule, names, recipe, inputs and outputs, for log, ledger and header.
        audio: audio shards.
        labels: label shards of each label set.
        out: folder of the model.
        speed: where the rows of timings go.
        place: how often to log and save, what to compile, seconds of audio in one forward pass; in no digest.
        snapshots: updates whose encoders are kept.
        gpus: of each node; 0 takes what is there.
        record: path of the ledger record that was begun.
    """

    job: dict[str, Any]
    audio: list[str]
    labels: list[list[str]]
    out: str
    speed: str
    place: dict[str, Any]
    snapshots: list[int]
    gpus: int
    record: str = ""

    @property
    def path(self) -> Path:
        """Where the processes find it."""
        return Path(self.out, "resume", "job.json")


def by_set(labels: Sequence[str], num_shards: int) -> list[list[str]]:
    """Return label shards, one set after the other, as a list for each set."""
    return [list(labels[first : first + num_shards]) for first in range(0, len(labels), num_shards)]


def command(script: str, job_file: Path, threads: int, nodes: int, gpus: int, mpi: str | None) -> list[str]:
    """Return the command that starts the processes of a training.

    Args:
        script: ``pretrain.py``.
        job_file: as :class:`Training` wrote it.
        threads: of a node.
        nodes: machines.
        gpus: processes on each, at least one.
        mpi: program that starts a step on all nodes of an allocation (``srun``); None outside of one. Training is a
            step of its own, because Slurm warns steps, and Snakemake, which knows no warning, must not be in it.
    """
    each = str(max(1, gpus))
    if not mpi:
        return [*TORCHRUN, "--standalone", "--nproc-per-node", each, script, str(job_file)]
    number = os.environ.get("SLURM_JOB_ID", "0")
    meeting = [
        "--rdzv-backend",
        "c10d",
        "--rdzv-id",
        number,
        "--rdzv-endpoint",
        f"{os.uname().nodename}:{port(number)}",
    ]
    step = [*mpi.split(), "--nodes", str(nodes), "--ntasks", str(nodes), "--ntasks-per-node", "1"]
    step += ["--cpus-per-task", str(threads)]
    return [*step, *TORCHRUN, "--nnodes", str(nodes), "--nproc-per-node", each, *meeting, script, str(job_file)]


def port(job_id: str) -> int:
    """Return the port at which the nodes of a Slurm job meet; jobs that share a node have different ones."""
    return FIRST_PORT + int(job_id) % FIRST_PORT


def become(training: Training, script: str, threads: int, nodes: int, mpi: str | None) -> None:
    """Begin the ledger record, write the job file and become ``torchrun``; does not return."""
    job = Job(**training.job)
    record = Record(job.rule, job.names, recipe=job.recipe["digest"], about=machine.surroundings())
    path = record.begin(job.results)
    write_json(training.path, asdict(training) | {"record": str(path)})
    os.environ["OMP_NUM_THREADS"] = str(max(1, threads // max(1, training.gpus)))
    words = command(script, training.path, threads, nodes, training.gpus, mpi)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    try:
        os.execvp(words[0], words)
    except FileNotFoundError as error:
        raise UserError(
            f"{words[0]}: not found, expected on PATH; install it, or leave `mpi` out of the resources"
        ) from error


def work(job_file: Path) -> None:
    """Be one process of a training.

    Raises:
        SystemExit: training failed, or a signal asked to stop; the log has the sentence.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:  # as torch.distributed.is_torchelastic_launched() asks
        die_with_parent()
        die_with_program("snakemake")
    training = Training(**read_object(job_file))
    job = Job(**training.job)
    with contextlib.ExitStack() as stack:
        if os.environ.get("RANK", "0") == "0":
            stack.enter_context(attempt(job, training.record))
            run(training, job.made_from)
            return
        start_log(None, job.title)
        logging.getLogger().setLevel(logging.WARNING)
        try:
            run(training, job.made_from)
        except UserError as error:
            logging.getLogger(__name__).error("failed: %s", error)
            raise SystemExit(1) from None


def run(training: Training, made_from: Mapping[str, str]) -> None:
    """Train as a job file says."""
    from .pretraining import pretrain  # torch takes seconds: after the log is open

    recipe = dict(training.job["recipe"])
    place = dict(training.place)
    micro_batch_s = place.pop("micro_batch_s", 0.0) or None
    recipe["entry"] = recipe["entry"] | place
    pretrain(
        recipe,
        _paths(training.audio),
        [_paths(files) for files in training.labels],
        Path(training.out),
        micro_batch_s=micro_batch_s,
        snapshots=training.snapshots,
        gpus=training.gpus,
        made_from=made_from,
        speed=Path(training.speed),
    )


def _paths(files: Sequence[str]) -> list[Path]:
    return [Path(file) for file in files]
