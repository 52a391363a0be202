"""Where blocks are worked on: threads of this process, dask workers of this machine, or dask workers of a Slurm job.

An executor only maps a function over blocks and returns results in the order of the blocks; nothing that decides a
result depends on it. Kernels run on one BLAS thread because a matrix product may differ in its last bit with the
number of threads. A worker that dies or freezes loses nothing: its blocks are computed again. Without any worker the
work ends with a sentence, at the start after :data:`START_S` and later as soon as none comes back for as long.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

from threadpoolctl import threadpool_limits

from ...runtime import UserError

Cluster = Literal["threads", "local", "slurm"]
START_S = 180.0  # within which dask's workers must be there
CHECK_S = 30.0  # a result later than this makes us count the workers


class Executor(Protocol):
    """Maps over blocks, in order."""

    def map(self, function: Callable[..., Any], blocks: Iterable[Any], *shared: Any) -> Iterator[Any]:
        """Yield ``function(block, *shared)`` for every block, in the order of the blocks."""


class Threads:
    """Threads of this process; NumPy releases the interpreter lock inside its kernels."""

    def __init__(self, num_threads: int, pool: ThreadPoolExecutor) -> None:
        self.num_threads, self.pool = num_threads, pool

    def map(self, function: Callable[..., Any], blocks: Iterable[Any], *shared: Any) -> Iterator[Any]:
        """Yield results in order, holding at most two blocks a thread."""
        futures = (self.pool.submit(function, block, *shared) for block in blocks)
        return (future.result() for future in _in_order(futures, 2 * self.num_threads))


class Dask:
    """Workers of a dask cluster."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def map(self, function: Callable[..., Any], blocks: Iterable[Any], *shared: Any) -> Iterator[Any]:
        """Yield results in order; ``shared`` travels once, as a task, so that it can be made again.

        Raises:
            UserError: no worker is left.
        """
        sent = self.client.submit(_same, shared, pure=False)
        window = 4 * max(1, sum(self.client.nthreads().values()))
        futures = (self.client.submit(_task, function, block, sent, pure=False) for block in blocks)
        return map(self._result, _in_order(futures, window))

    def _result(self, future: Any) -> Any:
        """Wait for one result as long as there are workers."""
        while True:
            try:
                return future.result(timeout=CHECK_S)
            except TimeoutError:
                wait_for_worker(self.client)


def wait_for_worker(client: Any) -> None:
    """Wait until dask has a worker.

    Raises:
        UserError: none came in time.
    """
    try:
        client.wait_for_workers(1, timeout=START_S)
    except TimeoutError as error:
        raise UserError(
            f"dask: found no worker within {START_S:g} s, expected at least one: they died, froze or never started; "
            "look at the lines above and at the memory of the job, then run the same command again, or set "
            "`cluster: threads` in the labels entry"
        ) from error


def _restore_environment(before: dict[str, str]) -> None:
    """Take back what dask sets for its workers in the process that starts them, threads and malloc among it."""
    os.environ.clear()
    os.environ.update(before)


def _in_order(futures: Iterator[Any], window: int) -> Iterator[Any]:
    """Yield futures in order of submission while at most ``window`` are under way."""
    pending: deque[Any] = deque()
    for future in futures:
        pending.append(future)
        if len(pending) >= window:
            yield pending.popleft()
    yield from pending


def _same(value: Any) -> Any:
    return value


@lru_cache(maxsize=1)
def _use_one_blas_thread() -> None:
    """Pin this worker process to one BLAS thread, for good."""
    threadpool_limits(1, user_api="blas")


def _task(function: Callable[..., Any], block: Any, shared: tuple[Any, ...]) -> Any:
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

    Raises:
        UserError: dask's workers do not start.
    """
    with contextlib.ExitStack() as stack:
        if cluster == "threads":
            stack.enter_context(threadpool_limits(1, user_api="blas"))
            yield Threads(num_threads, stack.enter_context(ThreadPoolExecutor(num_threads)))
            return
        stack.callback(_restore_environment, dict(os.environ))
        client = _local_client(stack, num_threads) if cluster == "local" else _slurm_client(stack, num_threads, scratch)
        wait_for_worker(client)
        yield Dask(client)


def _local_client(stack: contextlib.ExitStack, num_workers: int) -> Any:
    """Start worker processes on this machine and return their client."""
    distributed: Any = import_module("distributed")  # whose functions have no types
    logging.getLogger("distributed").setLevel(logging.WARNING)  # its import sets INFO
    before = set(multiprocessing.active_children())
    try:
        owner = distributed.LocalCluster(
            n_workers=num_workers, threads_per_worker=1, dashboard_address=None, death_timeout=START_S
        )
    except Exception as error:  # of many kinds, an AssertionError of dask's own among them
        for worker in set(multiprocessing.active_children()) - before:
            worker.kill()  # dask leaves frozen ones, and Python waits for them when it ends
        raise UserError(
            f"dask: {num_workers} worker processes did not start within {START_S:g} s ({error!r}); look at the memory "
            "of this machine, then run the same command again with fewer threads, or set `cluster: threads` in the "
            "labels entry"
        ) from error
    stack.enter_context(owner)
    return stack.enter_context(distributed.Client(owner))


def _slurm_client(stack: contextlib.ExitStack, num_threads: int, scratch: str | Path) -> Any:
    """Become one rank of dask; only the client's returns."""
    distributed: Any = import_module("distributed")
    slurm: Any = import_module("dask_jobqueue.slurm")
    logging.getLogger("distributed").setLevel(logging.WARNING)
    owner = slurm.SLURMRunner(
        scheduler_file=str(Path(scratch) / "scheduler.json"),
        scheduler_options={"dashboard": False},
        worker_options={"dashboard": False, "nthreads": num_threads, "death_timeout": START_S},
    )
    stack.enter_context(owner)
    return stack.enter_context(distributed.Client(owner))
