"""Rows of numbers that grow while a run is on: one JSON object a line, cut back when the run resumes."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..runtime import UserError
from .store import read_jsonl, write_jsonl


class Journal:
    """A JSON-lines file that is appended to; rows carry the number of updates done as ``update``."""

    def __init__(self, path: Path, update: int) -> None:
        """Open ``path`` and drop the rows after ``update``, which the resumed run will write again.

        Raises:
            UserError: the disk is full or gone; so do the other methods.
        """
        self.path = path
        with self._writing():
            rows = read_jsonl(path) if path.exists() else []
            write_jsonl(path, (row for row in rows if row["update"] <= update))
            self._stream = path.open("a", encoding="utf-8", newline="\n")

    def write(self, row: dict[str, Any]) -> None:
        """Append one row; readers see it at once."""
        with self._writing():
            self._stream.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
            self._stream.flush()

    def sync(self) -> None:
        """Bring all rows to the disk, before a checkpoint that relies on them."""
        with self._writing():
            os.fsync(self._stream.fileno())

    def finish(self, path: Path) -> None:
        """Write the rows under their final name."""
        self._stream.close()
        write_jsonl(path, read_jsonl(self.path))

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(
                f"{self.path}: could not be written ({error.strerror}); the saved states beside it are untouched; "
                "free space or quota there and run the same command again"
            ) from error
