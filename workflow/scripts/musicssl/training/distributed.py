"""The processes that ``torchrun`` started: who am I, sum over all, agree on what rank 0 saw."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from ..runtime import UserError, device

T = TypeVar("T")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class World:
    """This process among ``size``; a world of one needs no process group."""

    rank: int
    size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def sum_(self, tensor: torch.Tensor, wait: bool = True) -> Any:
        """Replace ``tensor`` by its sum over ranks; with ``wait=False`` return a handle to wait on."""
        return dist.all_reduce(tensor, async_op=not wait) if self.size > 1 else None

    def share(self, value: T) -> T:
        """Return rank 0's value on every rank."""
        if self.size == 1:
            return value
        box: list[Any] = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def on_main(self, work: Callable[[], T]) -> T:
        """Run ``work`` on rank 0 and return its value on every rank.

        Raises:
            UserError: on every rank, when ``work`` raised it on rank 0.
        """
        outcome: tuple[Any, str | None] = (None, None)
        if self.is_main:
            try:
                outcome = (work(), None)
            except UserError as error:
                outcome = (None, str(error))
        value, problem = self.share(outcome)
        if problem is not None:
            raise UserError(problem)
        return value

    def copy_from_main(self, module: torch.nn.Module) -> None:
        """Give every rank rank 0's tensors: two kinds of CPU may round an initial weight differently."""
        if self.size > 1:
            for tensor in module.state_dict().values():
                if isinstance(tensor, torch.Tensor):
                    dist.broadcast(tensor, src=0)


def start(gpus: int = 0) -> World:
    """Join the process group that ``torchrun`` describes in the environment.

    Args:
        gpus: what was asked for on each machine; 0 takes what is there.

    Raises:
        UserError: fewer GPUs than asked for, or than processes, on this machine.
    """
    rank, size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    local, local_size = int(os.environ.get("LOCAL_RANK", 0)), int(os.environ.get("LOCAL_WORLD_SIZE", size))
    cuda = torch.cuda.is_available()
    visible = torch.cuda.device_count() if cuda else 0
    if visible < gpus:
        raise UserError(
            f"--gpus: found {visible} visible GPUs, expected {gpus}; ask for a partition that has them, mend the "
            f"driver or a torch without CUDA (this is {torch.__version__}), or lower `gpu` of rule pretrain "
            "(0 trains on the CPU)"
        )
    if cuda:
        if local_size > visible:
            raise UserError(
                f"--nproc-per-node: found {local_size} processes for {visible} visible GPUs, "
                "expected at most one process a GPU; lower it or ask for more GPUs"
            )
        torch.cuda.set_device(local)
    if size > 1:
        if local_size == size and sys.platform == "linux":
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # one machine: do not depend on its host name
        dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo", rank=rank, world_size=size)
    return World(rank, size, device())


def stop() -> None:
    """Leave the process group."""
    if dist.is_initialized():
        dist.destroy_process_group()
