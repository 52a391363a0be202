"""Rows of feature shards as fixed blocks of work.

A block is a run of whole-clip rows cut to a fixed size before anybody asks how many workers there are; every sum over
frames is taken tile by tile inside a block and block by block outside, so the result has the same bytes whatever does
the work. Blocks are small plain values (paths and row numbers) and travel to other processes; arrays stay on disk.

Conventions: N frames, D width; tiles are float32 whatever the shard holds.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ...artefacts.ragged import RaggedShard
from ...runtime import UserError

BLOCK_ROWS = 32768
TILE_ROWS = 8192

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Rows:
    """Rows ``start`` to ``stop`` of one shard."""

    path: str
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, part: slice) -> Rows:
        start, stop, _ = part.indices(len(self))
        return Rows(self.path, self.start + start, self.start + stop)

    def read(self) -> npt.NDArray[np.generic]:
        """Return the memory-mapped rows, ``(len(self), D)``."""
        return self.shard().data[self.start : self.stop]

    def shard(self) -> RaggedShard:
        """Return the shard, opened once per process."""
        return _open(self.path, os.stat(self.path).st_mtime_ns)

    def clip_of(self, row: int) -> tuple[str, int]:
        """Return the id of the clip that holds row ``row`` of these, and the frame within the clip."""
        shard = self.shard()
        clip = int(np.searchsorted(shard.offsets, self.start + row, side="right")) - 1
        return shard.ids[clip], self.start + row - int(shard.offsets[clip])


@lru_cache(maxsize=256)
def _open(path: str, modified_ns: int) -> RaggedShard:
    return RaggedShard(path)


Piece = Rows | Array
Block = tuple[Piece, ...]


def width_of(shards: Sequence[RaggedShard]) -> int:
    """Return the common width D of feature shards.

    Raises:
        UserError: a shard does not hold vectors, or two differ in width.
    """
    for shard in shards:
        if shard.data.ndim != 2 or shard.data.shape[1] != shards[0].data.shape[-1]:
            raise UserError(
                f"{shard.path}: rows of shape {shard.data.shape[1:]}, expected vectors as in {shards[0].path} "
                f"({shards[0].data.shape[1:]}); delete the features that are out of date and rerun"
            )
    return int(shards[0].data.shape[1])


def stored_rows(shards: Sequence[RaggedShard]) -> list[Rows]:
    """Return all rows of feature shards, which hold the drawn training clips and nothing else.

    Raises:
        UserError: no shard holds a clip.
    """
    if not any(len(shard) for shard in shards):
        raise UserError(f"{shards[0].path.parent}: no clip has split 'train'; lower the corpus' valid_fraction")
    return [Rows(str(shard.path), 0, len(shard.data)) for shard in shards]


def cut(pieces: Iterable[Piece], block_rows: int) -> list[Block]:
    """Cut pieces, in order, into blocks of ``block_rows`` rows; the last may be shorter."""
    blocks: list[Block] = []
    block: list[Piece] = []
    room = block_rows
    for piece in pieces:
        at = 0
        while at < len(piece):
            part = piece[at : at + room]
            block.append(part)
            at += len(part)
            room -= len(part)
            if room == 0:
                blocks.append(tuple(block))
                block, room = [], block_rows
    return [*blocks, tuple(block)] if block else blocks


def size(block: Block) -> int:
    """Return the number of rows of a block."""
    return sum(len(piece) for piece in block)


def read_tiles(block: Block) -> Iterator[Array]:
    """Yield a block as float32 tiles ``(<= TILE_ROWS, D)``; each tile is overwritten by the next."""
    buffer: Array | None = None
    for tile in cut(block, TILE_ROWS):
        at = 0
        for piece in tile:
            rows = piece.read() if isinstance(piece, Rows) else piece
            if buffer is None:
                buffer = np.empty((min(TILE_ROWS, size(block)), rows.shape[1]), np.float32)
            buffer[at : at + len(rows)] = rows
            at += len(rows)
        assert buffer is not None
        yield buffer[:at]


def require_finite(block: Block, tile: Array, first: int) -> None:
    """Refuse a tile that holds NaN or infinity.

    Args:
        block: the rows the tile came from, all on disk.
        tile: ``(n, D)``.
        first: row of the block at which the tile starts.

    Raises:
        UserError: naming shard, clip and frame.
    """
    if np.isfinite(tile).all():
        return
    row = first + int(np.flatnonzero(~np.isfinite(tile).all(axis=1))[0])
    for piece in block:
        if row < len(piece):
            assert isinstance(piece, Rows)
            clip, frame = piece.clip_of(row)
            raise UserError(
                f"{piece.path}: NaN or infinity in clip {clip!r}, frame {frame}; "
                "look at that recording (or the model's layer), delete the shard and rerun"
            )
        row -= len(piece)
