"""Ragged shards: many arrays of unequal length, concatenated along the first axis and memory-mapped.

A shard is two files, ``<name>.npy`` (plain NumPy, any reader opens it) and ``<name>.json`` (ids, offsets, digest of
the recipe, attributes). The JSON is written last: without it there is no shard. Audio (int16), features (float32 or
float16), labels (uint16 or uint32) and embeddings are all stored so.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..runtime import UserError
from .store import part_path, read_object, write_json

FORMAT = "musicssl-ragged/2"
HEADER_BYTES = 128


class ShardError(UserError):
    """A shard is missing, truncated, damaged or of another recipe."""


class RaggedWriter:
    """Append arrays one by one, then close; nothing carries its final name before.

    Args:
        path: the ``.npy`` path; the index goes beside it as ``.json``.
        dtype: of the stored values.
        row_shape: shape of one row, ``()`` for scalars such as samples or labels.
        digest: of the recipe that made the values.
        attrs: plain values kept in the index, such as ``frame_rate_hz``.
    """

    def __init__(
        self, path: str | Path, dtype: npt.DTypeLike, row_shape: tuple[int, ...], digest: str, **attrs: Any
    ) -> None:
        self.path = Path(path)
        self.dtype = np.dtype(dtype)
        self.row_shape = tuple(row_shape)
        self.digest, self.attrs = digest, attrs
        self.ids: list[str] = []
        self.offsets = [0]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._open()

    def _open(self) -> None:
        self._part = part_path(self.path)
        self._stream = self._part.open("wb")
        self._stream.write(self._header(0))

    def _row_bytes(self) -> int:
        return self.dtype.itemsize * math.prod(self.row_shape)

    def _header(self, num_rows: int) -> bytes:
        """Return a NPY 1.0 header of fixed size, so it can be rewritten when the row count is known."""
        text = repr({"descr": self.dtype.str, "fortran_order": False, "shape": (num_rows, *self.row_shape)})
        width = HEADER_BYTES - 10
        return b"\x93NUMPY\x01\x00" + width.to_bytes(2, "little") + text.ljust(width - 1).encode() + b"\n"

    def append(self, name: str, values: npt.ArrayLike) -> None:
        """Add one array of shape ``(rows, *row_shape)`` under ``name``."""
        array = np.ascontiguousarray(values, dtype=self.dtype)
        if array.shape[1:] != self.row_shape:
            raise ShardError(f"{self.path}: {name} has rows of shape {array.shape[1:]}, the shard has {self.row_shape}")
        data = array.tobytes() if not array.size else array.data.cast("B")
        self._stream.write(data)
        self.ids.append(str(name))
        self.offsets.append(self.offsets[-1] + len(array))

    def close(self) -> None:
        """Finish both files and give them their names."""
        self._stream.seek(0)
        self._stream.write(self._header(self.offsets[-1]))
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        index = self.path.with_suffix(".json")
        index.unlink(missing_ok=True)
        os.replace(self._part, self.path)
        write_json(
            index,
            {
                "format": FORMAT,
                "digest": self.digest,
                "dtype": self.dtype.str,
                "row_shape": list(self.row_shape),
                "attrs": self.attrs,
                "ids": self.ids,
                "offsets": self.offsets,
            },
        )

    def __enter__(self) -> RaggedWriter:
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is None:
            self.close()
        else:
            self._stream.close()
            self._part.unlink(missing_ok=True)


class RaggedShard:
    """One finished shard, memory-mapped.

    Attributes:
        ids: name of each array, in order.
        offsets: int64, ``len(ids) + 1`` row boundaries.
        data: memory map, ``(rows, *row_shape)``.
        digest: of the recipe that made it.
        attrs: plain values its writer kept.
    """

    def __init__(self, path: str | Path, digest: str | None = None) -> None:
        """Open a shard by its ``.npy`` (or ``.json``) path; with ``digest``, refuse another recipe's.

        Raises:
            ShardError: the shard is missing, truncated, or its digest differs.
        """
        self.path = Path(path).with_suffix(".npy")
        index_path = self.path.with_suffix(".json")
        if not index_path.exists() or not self.path.exists():
            missing = index_path if not index_path.exists() else self.path
            raise ShardError(f"{missing}: missing; delete {self.path.stem}.* beside it and run the workflow again")
        index = read_object(index_path)
        if index.get("format") != FORMAT:
            raise ShardError(f"{index_path}: format {index.get('format')!r}, expected {FORMAT!r}; delete it and rerun")
        try:
            self.ids: list[str] = list(index["ids"])
            self.offsets = np.asarray(index["offsets"], dtype=np.int64)
            self.digest: str = index["digest"]
            self.attrs: dict[str, Any] = dict(index["attrs"])
            dtype, row_shape = np.dtype(index["dtype"]), tuple(index["row_shape"])
            last = int(self.offsets[-1])
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ShardError(
                f"{index_path}: damaged ({error}), expected the index of a shard; delete it and rerun"
            ) from None
        if digest is not None and self.digest != digest:
            raise ShardError(
                f"{self.path}: made by recipe {self.digest}, expected {digest}; delete it and run the workflow again"
            )
        expected = HEADER_BYTES + last * dtype.itemsize * int(np.prod(row_shape, dtype=np.int64))
        found = self.path.stat().st_size
        if found != expected:
            raise ShardError(
                f"{self.path}: {found} bytes, expected {expected} (truncated or half copied); delete it and rerun"
            )
        shape = (last, *row_shape)
        self.data = np.memmap(self.path, dtype, "r", HEADER_BYTES, shape) if shape[0] else np.empty(shape, dtype)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, i: int) -> npt.NDArray[Any]:
        return self.data[self.offsets[i] : self.offsets[i + 1]]

    def lengths(self) -> npt.NDArray[np.int64]:
        """Return the number of rows of each array."""
        return np.diff(self.offsets)


def open_all(paths: Sequence[str | Path], digest: str | None = None) -> list[RaggedShard]:
    """Open shards in order, refusing those of another recipe."""
    return [RaggedShard(path, digest) for path in paths]
