"""A ragged shard written over hours: killed anywhere, the next writer goes on from the last checkpoint.

Beside the unfinished data lies a journal of JSON lines: what is being written, then one line a checkpoint with the ids,
lengths and checksum so far. Both get lost only when the shard is whole, or when something else is to be written.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy.typing as npt

from .ragged import HEADER_BYTES, RaggedWriter
from .store import read_jsonl, write_jsonl


class ResumableWriter(RaggedWriter):
    """Append arrays and mark checkpoints; data after the last one are written again by the next process.

    Args:
        path: the ``.npy`` path.
        dtype: of the stored values.
        row_shape: shape of one row.
        digest: of the recipe that made the values.
        plan: says what will be appended; an unfinished shard of another digest or plan is begun anew.
        attrs: plain values kept in the index.

    Attributes:
        checkpoints: the notes of the checkpoints so far, in order.
    """

    def __init__(
        self,
        path: str | Path,
        dtype: npt.DTypeLike,
        row_shape: tuple[int, ...],
        digest: str,
        plan: str,
        **attrs: Any,
    ) -> None:
        path = Path(path)
        self._journal = path.with_name(f".{path.name}.journal")
        super().__init__(path, dtype, row_shape, digest, **attrs)
        head = {"digest": digest, "plan": plan, "dtype": self.dtype.str, "row_shape": list(self.row_shape)}
        lines = read_jsonl(self._journal) if self._journal.exists() else []
        self._lines = lines if lines[:1] == [head] else [head]
        self.checkpoints: list[Any] = []
        self.rewind(len(self._lines) - 1)

    def _open(self) -> None:
        self._part = self.path.with_name(f".{self.path.name}.part")
        self._stream = self._part.open("r+b" if self._part.exists() and self._journal.exists() else "w+b")

    def rewind(self, count: int) -> None:
        """Go back to the first ``count`` checkpoints; fewer, if the data end before them."""
        size = os.fstat(self._stream.fileno()).st_size
        row_bytes = self._row_bytes()
        kept = [self._lines[0]]
        self.ids, self.offsets, self.crc, self.checkpoints = [], [0], 0, []
        for line in self._lines[1 : 1 + count]:
            if HEADER_BYTES + (self.offsets[-1] + sum(line["lengths"])) * row_bytes > size:
                break
            kept.append(line)
            self.ids += line["ids"]
            for length in line["lengths"]:
                self.offsets.append(self.offsets[-1] + length)
            self.crc = line["crc32"]
            self.checkpoints.append(line["note"])
        self._lines = kept
        self._stream.truncate(HEADER_BYTES + self.offsets[-1] * row_bytes)
        self._stream.seek(0)
        self._stream.write(self._header(0))
        self._stream.seek(0, os.SEEK_END)
        write_jsonl(self._journal, kept)
        self._marked = len(self.ids)

    def checkpoint(self, note: Any) -> None:
        """Make what was appended so far safe; ``note`` is kept with it."""
        self._stream.flush()
        os.fsync(self._stream.fileno())
        lengths = [self.offsets[i + 1] - self.offsets[i] for i in range(self._marked, len(self.ids))]
        line = {"ids": self.ids[self._marked :], "lengths": lengths, "crc32": self.crc, "note": note}
        with self._journal.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        self._lines.append(line)
        self._marked = len(self.ids)
        self.checkpoints.append(note)

    def close(self) -> None:
        """Finish the shard; the journal goes."""
        super().close()
        self._journal.unlink()

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is None:
            self.close()
        else:
            self._stream.close()
