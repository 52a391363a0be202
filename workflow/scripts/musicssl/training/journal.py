"""Rows of numbers that grow while a run is on: one JSON object a line, cut back when the run resumes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..artefacts import read_jsonl, write_jsonl
from ..runtime import UserError


class Journal:
    """A JSON-lines file that is appended to; rows carry the number of updates done as ``update``."""

    def __init__(self, path: Path, update: int) -> None:
        """Open ``path`` and drop the rows after ``update``, which the resumed run will write again."""
        rows = read_jsonl(path) if path.exists() else []
        write_jsonl(path, (row for row in rows if row["update"] <= update))
        self.path = path
        self._stream = path.open("a", encoding="utf-8", newline="\n")

    def write(self, row: dict[str, Any]) -> None:
        """Append one row; readers see it at once.

        Raises:
            UserError: the disk is full or gone.
        """
        try:
            self._stream.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
            self._stream.flush()
        except OSError as error:
            raise UserError(
                f"{self.path}: could not be written ({error.strerror}); the saved states beside it are untouched; "
                "free space or quota there and run the same command again"
            ) from error

    def sync(self) -> None:
        """Bring all rows to the disk, before a checkpoint that relies on them."""
        os.fsync(self._stream.fileno())

    def finish(self, path: Path) -> None:
        """Write the rows under their final name."""
        self._stream.close()
        write_jsonl(path, read_jsonl(self.path))
