"""One fit from files to files; also the program that every rank of an ``srun`` starts.

``python -m musicssl.targets.kmeans.job <job.json>`` takes the arguments of :func:`fit_files` from a file. Under Slurm
a job needs at least three tasks, because rank 0 becomes the dask scheduler, rank 1 the client and the others workers.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...artefacts import read_json, write_json, write_text
from ...artefacts.centroids import Centroids
from ...artefacts.ragged import open_all
from ...artefacts.store import read_text
from ...config.recipes import Labels, build
from ...runtime import UserError, start_log
from .executors import START_S, Cluster, open_executor
from .lloyd import fit
from .nearest import index_here

logger = logging.getLogger(__name__)
COMPLAINT, STARTED = "error.txt", "started.txt"
MARGIN_S = 60.0  # for ranks to be started, and to leave when all is done
POLL_S = 0.2


def fit_files(
    *,
    features: Sequence[str],
    recipe: dict[str, Any],
    centroids: str,
    report: str,
    cluster: Cluster,
    num_threads: int,
    scratch: str = ".",
) -> None:
    """Fit centroids to feature shards and write both outputs, the report last.

    Args:
        features: ``.npy`` paths of all shards.
        recipe: a labels recipe with its ``inputs``.
        centroids: path of the (K, D) float32 array.
        report: path of ``kmeans.json``; it holds nothing that depends on time or machine.
        cluster: where blocks are worked on, see :func:`musicssl.targets.kmeans.executors.open_executor`.
        num_threads: of this process, or of each Slurm worker.
        scratch: see there.

    Raises:
        UserError: see :func:`musicssl.targets.kmeans.lloyd.fit` and :func:`.executors.open_executor`; a shard is
            damaged or of another recipe.
    """
    with open_executor(cluster, num_threads, scratch) as executor, open_executor("threads", num_threads) as local:
        if cluster == "slurm":
            write_text(Path(scratch, STARTED), "")
        shards = open_all(features, recipe["inputs"]["features"]["digest"])
        found, facts = fit(shards, build(Labels, recipe["entry"]), executor, local, index_here())
    Centroids(found).write(centroids)
    write_json(report, {"labels": recipe["name"], "digest": recipe["digest"], **facts})


def fit_with_srun(num_tasks: int, num_threads: int, **job: Any) -> None:
    """Run :func:`fit_files` on ``num_tasks`` ranks of this Slurm allocation and relay their log.

    A lost worker makes ``srun`` fail although nothing is lost, so the report's existence tells success; a frozen one
    would keep ``srun`` for ever, so it is ended when the client has finished, or has not begun in time.

    Raises:
        UserError: fewer than three tasks, the client rank failed, or the ranks did not find each other in time.
    """
    if num_tasks < 3:
        raise UserError(f"fit_kmeans: resources tasks is {num_tasks}, expected at least 3 (scheduler, client, workers)")
    report = Path(job["report"]).absolute()
    report.unlink(missing_ok=True)
    report.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fit-", dir=report.parent) as scratch:
        path = Path(scratch, "job.json")
        write_json(path, {**job, "cluster": "slurm", "num_threads": num_threads, "scratch": scratch})
        command = ["srun", f"--ntasks={num_tasks}", f"--cpus-per-task={num_threads}", sys.executable]
        command += ["-m", "musicssl.targets.kmeans.job", str(path)]
        code = str(Path(__file__).parents[3])
        ranks = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": code}, stderr=subprocess.PIPE, text=True)
        relay = threading.Thread(target=_relay, args=(ranks,), daemon=True)
        relay.start()
        status = _watch(ranks, Path(scratch), report)
        relay.join(MARGIN_S)
        complaint = Path(scratch, COMPLAINT)
        if complaint.exists():
            raise UserError(read_text(complaint))
        if not Path(scratch, STARTED).exists() and status is None:
            raise UserError(
                f"fit_kmeans: the {num_tasks} ranks of srun did not find each other within {START_S + MARGIN_S:g} s; "
                "one of them died or froze while it started: run the same command again, on other nodes if it repeats"
            )
    if not report.exists():
        raise UserError(
            f"fit_kmeans: srun ended with status {status} and wrote no {report.name}; its lines stand above"
        )


def _relay(ranks: subprocess.Popen[str]) -> None:
    """Log the lines of the ranks."""
    assert ranks.stderr is not None
    for line in ranks.stderr:
        logger.info("srun: %s", line.rstrip())


def _watch(ranks: subprocess.Popen[str], scratch: Path, report: Path) -> int | None:
    """Wait until the ranks end; end them when they are late. Returns their status, ``None`` where they were ended."""
    deadline: float | None = time.monotonic() + START_S + MARGIN_S
    begun = finished = False
    while ranks.poll() is None:
        if not begun and (scratch / STARTED).exists():
            begun, deadline = True, None
        if not finished and (report.exists() or (scratch / COMPLAINT).exists()):
            finished, deadline = True, time.monotonic() + MARGIN_S
        if deadline is not None and time.monotonic() > deadline:
            logger.warning("srun: ranks that did not end by themselves are ended")
            ranks.terminate()
            try:
                ranks.wait(MARGIN_S)
            except subprocess.TimeoutExpired:
                ranks.kill()
                ranks.wait()
            return None
        time.sleep(POLL_S)
    return ranks.returncode


def main(path: str) -> None:
    """Be one rank of an ``srun``."""
    start_log(None)
    job = read_json(path)
    try:
        fit_files(**job)
    except UserError as error:
        write_text(Path(job["scratch"], COMPLAINT), str(error))
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
