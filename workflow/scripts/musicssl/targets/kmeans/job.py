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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...artefacts import atomic, open_all, read_json, write_json, write_text
from ...config.recipes import Labels, build
from ...runtime import UserError, start_log
from .executors import Cluster, open_executor
from .lloyd import fit

logger = logging.getLogger(__name__)
COMPLAINT = "error.txt"


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
        UserError: see :func:`musicssl.targets.kmeans.lloyd.fit`; a shard is damaged or of another recipe.
    """
    with open_executor(cluster, num_threads, scratch) as executor, open_executor("threads", num_threads) as local:
        shards = open_all(features, recipe["inputs"]["features"]["digest"])
        found, facts = fit(shards, build(Labels, recipe["entry"]), executor, local)
    with atomic(centroids) as part, open(part, "wb") as stream:
        np.save(stream, found)
    write_json(report, {"labels": recipe["name"], "digest": recipe["digest"], **facts})


def fit_with_srun(num_tasks: int, num_threads: int, **job: Any) -> None:
    """Run :func:`fit_files` on ``num_tasks`` ranks of this Slurm allocation and relay their log.

    A lost worker makes ``srun`` fail although nothing is lost, so the report's existence tells success.

    Raises:
        UserError: fewer than three tasks, or the client rank failed.
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
        assert ranks.stderr is not None
        for line in ranks.stderr:
            logger.info("srun: %s", line.rstrip())
        status = ranks.wait()
        complaint = Path(scratch, COMPLAINT)
        if complaint.exists():
            raise UserError(complaint.read_text(encoding="utf-8"))
    if not report.exists():
        raise UserError(
            f"fit_kmeans: srun ended with status {status} and wrote no {report.name}; its lines stand above"
        )


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
