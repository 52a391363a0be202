"""Where blocks are worked on: threads of this process, dask workers of this machine, or dask workers of a Slurm job.

An executor only maps a function over blocks and returns results in the order of the blocks; nothing that decides a
result depends on it. Kernels run on one BLAS thread because a matrix product may differ in its last bit with the
number of threads.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol

from threadpoolctl import threadpool_limits

from .blocks import Block

Cluster = Literal["threads", "local", "slurm"]


class Executor(Protocol):
    """Maps over blocks, in order."""

    def map(self, function: Callable[..., Any], blocks: Iterable[Block], *shared: Any) -> Iterator[Any]:
        """Yield ``function(block, *shared)`` for every block, in the order of the blocks."""


class Threads:
    """Threads of this process; NumPy releases the interpreter lock inside its kernels."""

    def __init__(self, num_threads: int, pool: ThreadPoolExecutor) -> None:
        self.num_threads, self.pool = num_threads, pool

    def map(self, function: Callable[..., Any], blocks: Iterable[Block], *shared: Any) -> Iterator[Any]:
        """Yield results in order, holding at most two blocks a thread."""
        return _in_order((self.pool.submit(function, block, *shared) for block in blocks), 2 * self.num_threads)


class Dask:
    """Workers of a dask cluster; a worker that dies loses nothing, its blocks are computed again."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def map(self, function: Callable[..., Any], blocks: Iterable[Block], *shared: Any) -> Iterator[Any]:
        """Yield results in order; ``shared`` travels once, as a task, so that it can be made again."""
        sent = self.client.submit(_same, shared, pure=False)
        window = 4 * max(1, sum(self.client.nthreads().values()))
        return _in_order((self.client.submit(_task, function, block, sent, pure=False) for block in blocks), window)


def _restore_environment(before: dict[str, str]) -> None:
    """Take back what dask sets for its workers in the process that starts them, threads and malloc among it."""
    os.environ.clear()
    os.environ.update(before)


def _in_order(futures: Iterator[Any], window: int) -> Iterator[Any]:
    """Yield results in order of submission while at most ``window`` futures are under way."""
    pending: deque[Any] = deque()
    for future in futures:
        pending.append(future)
        if len(pending) >= window:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _same(value: Any) -> Any:
    return value


@lru_cache(maxsize=1)
def _use_one_blas_thread() -> None:
    """Pin this worker process to one BLAS thread, for good."""
    threadpool_limits(1, user_api="blas")


def _task(function: Callable[..., Any], block: Block, shared: tuple[Any, ...]) -> Any:
    _use_one_blas_thread()
    return function(block, *shared)


@contextlib.contextmanager
def open_executor(cluster: Cluster, num_threads: int, scratch: str | Path = ".") -> Iterator[Executor]:
    """Open an executor and close it at the end of the block.

    Args:
        cluster: ``threads`` of this process; ``local`` dask worker processes; ``slurm``: the ranks of the enclosing
            ``srun`` become dask scheduler, this client and workers, and only the client returns from here.
        num_threads: threads, local worker processes, or threads of each Slurm worker.
        scratch: folder all ranks see, new for every ``srun``; they meet there.
    """
    with contextlib.ExitStack() as stack:
        if cluster == "threads":
            stack.enter_context(threadpool_limits(1, user_api="blas"))
            yield Threads(num_threads, stack.enter_context(ThreadPoolExecutor(num_threads)))
            return
        stack.callback(_restore_environment, dict(os.environ))
        from distributed import Client, LocalCluster

        logging.getLogger("distributed").setLevel(logging.WARNING)  # its import sets INFO
        if cluster == "local":
            owner: Any = LocalCluster(n_workers=num_threads, threads_per_worker=1, dashboard_address=None)
        else:
            from dask_jobqueue.slurm import SLURMRunner

            owner = SLURMRunner(
                scheduler_file=str(Path(scratch) / "scheduler.json"),
                scheduler_options={"dashboard": False},
                worker_options={"dashboard": False, "nthreads": num_threads},
            )
        stack.enter_context(owner)
        client = stack.enter_context(Client(owner))
        client.wait_for_workers(1)
        yield Dask(client)
