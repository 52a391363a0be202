"""Hidden states of one model for one view of one dataset, float16, in blocks of consecutive recordings.

A block is a ragged shard whose ids are recordings and whose rows are what the view stores of them. Several blocks are
read as one without being copied: a row is found in the memory map of its block.

Axes: N hidden states, W width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..runtime import UserError
from .ragged import RaggedShard, RaggedWriter, open_all

VERSION = 1
Halves = npt.NDArray[np.float16]
Ints = npt.NDArray[np.int64]
Lost = tuple[str, float, str]
"""Recording, start in seconds of what was lost of it, and why."""


def path(model: str, dataset: str, view: str, block: str) -> str:
    """Return a block's place below the results; its index lies beside it as ``.json``."""
    return f"states/{model}/{dataset}/{view}/{block}.npy"


class Rows:
    """Rows of several memory maps, one after the other, of some of their hidden states.

    Args:
        parts: float16 (rows, N, W) each.
    """

    def __init__(self, parts: Sequence[Halves]) -> None:
        self.parts = list(parts)
        self.starts: Ints = np.cumsum([0, *(len(part) for part in parts)])
        self.shape: tuple[int, ...] = (int(self.starts[-1]), *self.parts[0].shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Ints) -> Halves:
        """Return float16 (M, N, W) of the rows (M,), copied out of the files."""
        if len(self.parts) == 1:
            return self.parts[0][rows]
        owner = np.searchsorted(self.starts, rows, side="right") - 1
        out = np.empty((len(rows), *self.shape[1:]), np.float16)
        for k in np.unique(owner):
            mine = np.flatnonzero(owner == k)
            out[mine] = self.parts[k][rows[mine] - self.starts[k]]
        return out

    def states(self, chosen: npt.NDArray[np.bool_]) -> Rows:
        """Return the rows of chosen hidden states (N,): neighbors stay in the files, others are copied into memory."""
        numbers = np.flatnonzero(chosen)
        first, last = int(numbers[0]), int(numbers[-1])
        together = len(numbers) == last - first + 1
        return Rows([part[:, first : last + 1] if together else part[:, numbers] for part in self.parts])


@dataclass(frozen=True)
class States:
    """All blocks of a view, in order."""

    blocks: list[RaggedShard]

    @cached_property
    def recordings(self) -> dict[str, int]:
        """The place of every stored recording."""
        names = (name for block in self.blocks for name in block.ids)
        return {name: i for i, name in enumerate(names)}

    @cached_property
    def offsets(self) -> Ints:
        """Where each recording's rows begin, and the end of the last, (recordings + 1,)."""
        return np.cumsum([0, *(n for block in self.blocks for n in block.lengths())], dtype=np.int64)

    @cached_property
    def skipped(self) -> set[tuple[str, float]]:
        """Recording and start of all that was lost."""
        return {(name, start_s) for block in self.blocks for name, start_s, _ in block.attrs["skipped"]}

    @property
    def frame_rate_hz(self) -> float:
        """Frames a second."""
        return float(self.blocks[0].attrs["frame_rate_hz"])

    @property
    def frame_offset_s(self) -> float:
        """Center of a recording's first frame."""
        return float(self.blocks[0].attrs["frame_offset_s"])

    @cached_property
    def rows(self) -> Rows:
        """Every stored row, (rows, N, W)."""
        return Rows([np.asarray(block.data) for block in self.blocks])


def write(
    block: str | Path, row_shape: tuple[int, int], digest: str, place: tuple[int, int], **attrs: Any
) -> RaggedWriter:
    """Open a block to append recordings to; it gets its name when it is closed. What a killed job left of it goes.

    Args:
        block: the ``.npy`` path.
        row_shape: (N, W).
        digest: of the states' recipe.
        place: the block's number and the number of blocks.
        attrs: ``frame_rate_hz``, ``frame_offset_s`` and ``skipped``, a list of :data:`Lost` that may still grow.
    """
    return RaggedWriter(block, np.float16, row_shape, digest, block=list(place), **attrs)


def read(blocks: Sequence[str | Path], digest: str | None = None) -> States:
    """Open all blocks of a view.

    Args:
        blocks: their ``.npy`` paths, in order.
        digest: of the recipe that must have made them.

    Raises:
        UserError: one is missing, damaged, of another recipe, or out of its place.
    """
    shards = open_all(blocks, digest)
    for i, shard in enumerate(shards):
        if (found := shard.attrs.get("block")) != [i, len(shards)]:
            raise UserError(
                f"{shard.path}: found block {found} of its dataset, expected {[i, len(shards)]} (number, how many); "
                "delete the folder and run the workflow again"
            )
    return States(shards)
