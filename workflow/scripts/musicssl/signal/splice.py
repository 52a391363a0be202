"""Parts of a file as a file of its own: a header made here, then spans of its bytes, without a copy on disk."""

from __future__ import annotations

import bisect
import io
import itertools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Splice:
    """Bytes to read in place of a whole file.

    Attributes:
        head: bytes that come first.
        spans: (start, stop) in the file, which follow in this order.
    """

    head: bytes
    spans: tuple[tuple[int, int], ...]

    def open(self, path: str | Path) -> SpliceReader:
        """Return a binary stream of these bytes."""
        return SpliceReader(path, self)


class SpliceReader(io.RawIOBase):
    """A seekable stream over the head and the spans of one file."""

    def __init__(self, path: str | Path, splice: Splice) -> None:
        super().__init__()
        self._stream = open(path, "rb", buffering=0)  # noqa: SIM115, closed by close
        self._head, self._spans = splice.head, splice.spans
        sizes = [len(splice.head), *(stop - start for start, stop in splice.spans)]
        self._ends = list(itertools.accumulate(sizes))
        self._at = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position from the start of the head."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position and return it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._ends[-1]}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as there are bytes, across spans, and return their number."""
        view, done = memoryview(buffer).cast("B"), 0
        while done < len(view) and self._at < self._ends[-1]:
            part = bisect.bisect_right(self._ends, self._at)
            count = min(len(view) - done, self._ends[part] - self._at)
            if part == 0:
                view[done : done + count] = self._head[self._at : self._at + count]
            else:
                self._stream.seek(self._spans[part - 1][1] - (self._ends[part] - self._at))
                count = self._stream.readinto(view[done : done + count]) or 0
                if not count:
                    break
            done += count
            self._at += count
        return done

    def close(self) -> None:
        """Close the file below."""
        self._stream.close()
        super().close()
