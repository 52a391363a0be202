"""Resume states: written whole or not at all, verified before use, the last two kept.

A state is ``<update>.pt`` and, written after it, ``<update>.json`` with its length, CRC-32 and recipe digest. Both
come into being under a temporary name, so a kill at any moment leaves the states before untouched. ``torch.save``
gives the same bytes for the same tensors when it writes to a stream (to a path, it stores the path's name).
"""

from __future__ import annotations

import logging
import shutil
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch

from ..artefacts import atomic, read_json, write_json
from ..runtime import UserError

logger = logging.getLogger(__name__)
FORMAT = "musicssl-resume/1"
KEPT = 2
CHUNK = 1 << 24


class _Checked:
    """A stream that counts and sums the bytes written, and remembers why writing failed."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size, self.crc = 0, 0
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            self._stream.write(data)
        except OSError as error:
            self.error = error
            raise
        self.size += len(data)
        self.crc = zlib.crc32(data, self.crc)
        return len(data)

    def flush(self) -> None:
        self._stream.flush()


def save(path: Path, value: Any) -> dict[str, int]:
    """Write ``value`` with ``torch.save``, atomically and with the same bytes for the same content.

    Returns:
        Length and CRC-32 of the file.

    Raises:
        OSError: the disk is full or gone; nothing carries the name ``path`` that did not before.
    """
    with atomic(path) as part, part.open("wb") as stream:
        checked = _Checked(stream)
        try:
            torch.save(value, cast(BinaryIO, checked))
        except RuntimeError:  # torch's writer hides the reason
            if checked.error is None:
                raise
            raise checked.error from None
    return {"size": checked.size, "crc32": checked.crc}


def load(path: Path) -> Any:
    """Read tensors and plain values onto the CPU."""
    return torch.load(path, map_location="cpu", weights_only=True)


@dataclass(frozen=True)
class ResumeStates:
    """The resume states of one run.

    Attributes:
        folder: their own; nothing in it is an output of the workflow.
        digest: of the recipe; another recipe's states are refused.
    """

    folder: Path
    digest: str

    def path(self, update: int) -> Path:
        """Return where the state after ``update`` updates lies."""
        return self.folder / f"{update:09d}.pt"

    def updates(self) -> list[int]:
        """Return the updates after which a state was saved, ascending."""
        return sorted(int(path.stem) for path in self.folder.glob("[0-9]*.json"))

    def save(self, update: int, state: dict[str, Any], about: dict[str, Any]) -> None:
        """Save the state after ``update`` updates and drop all but the last two.

        Args:
            update: number of updates done.
            state: tensors and plain values.
            about: plain values that :meth:`latest` gives back.

        Raises:
            UserError: the disk is full or gone; earlier states are untouched.
        """
        index = self.path(update).with_suffix(".json")
        try:
            checks = save(self.path(update), state)
            write_json(index, {"format": FORMAT, "digest": self.digest, "update": update, **checks, "about": about})
        except OSError as error:
            good = self.updates()
            raise UserError(
                f"{self.path(update)}: could not be saved ({error.strerror}); "
                + (f"the state after update {good[-1]} is untouched; " if good else "there is no earlier state; ")
                + "free space or quota there and run the same command again"
            ) from error
        self._drop(self.updates()[:-KEPT])

    def latest(self) -> tuple[int, dict[str, Any]] | None:
        """Return update and ``about`` of the newest undamaged state, or ``None`` when none was ever saved.

        Raises:
            UserError: the states belong to another recipe, or all are damaged.
        """
        updates = self.updates()
        self._sweep(updates)
        for update in reversed(updates):
            problem, index = self._inspect(update)
            if problem is None:
                self._drop([later for later in updates if later > update])
                return update, index["about"]
            logger.warning("%s: %s; falling back to the state before", self.path(update), problem)
        if updates:
            raise UserError(
                f"{self.folder}: found {len(updates)} saved states, all damaged; "
                "restore one from a backup, or delete the folder to train from the start"
            )
        return None

    def load(self, update: int) -> dict[str, Any]:
        """Read a state onto the CPU."""
        return load(self.path(update))

    def delete(self) -> None:
        """Remove the folder; the run is finished. Killed in between, no half of a state is left under its name."""
        self.folder.rename(self._gone)
        shutil.rmtree(self._gone)

    @property
    def _gone(self) -> Path:
        return self.folder.with_name(f".{self.folder.name}.finished")

    def _inspect(self, update: int) -> tuple[str | None, dict[str, Any]]:
        """Return what is wrong with a state, if anything, and its index."""
        path = self.path(update)
        try:
            index = read_json(path.with_suffix(".json"))
            size, crc = _measure(path)
        except (OSError, ValueError) as error:
            return f"unreadable ({error})", {}
        if not isinstance(index, dict) or "format" not in index:
            return "its index is none", {}
        if index["format"] != FORMAT:
            raise UserError(
                f"{path}: found format {index['format']}, written by another version of this library, expected "
                f"{FORMAT}; finish the run with that version, or delete {self.folder} to train from the start"
            )
        if index["digest"] != self.digest:
            raise UserError(
                f"{self.folder}: saved by recipe {index['digest']}, expected {self.digest}; "
                "restore that recipe to go on, or delete the folder to train from the start"
            )
        if (size, crc) != (index["size"], index["crc32"]):
            return f"damaged ({size} bytes, CRC {crc:08x}; {index['size']} and {index['crc32']:08x} were written)", {}
        return None, index

    def _sweep(self, updates: list[int]) -> None:
        """Delete what a kill in the middle of writing or deleting left behind, each as large as a state."""
        shutil.rmtree(self._gone, ignore_errors=True)
        whole = {self.path(update) for update in updates}
        parts = (*self.folder.glob(".*.part"), *self.folder.parent.glob(".*.part"))
        for path in (*parts, *set(self.folder.glob("[0-9]*.pt")) - whole):
            path.unlink()

    def _drop(self, updates: list[int]) -> None:
        """Delete states, index first: without it there is no state."""
        for update in updates:
            self.path(update).with_suffix(".json").unlink(missing_ok=True)
            self.path(update).unlink(missing_ok=True)


def _measure(path: Path) -> tuple[int, int]:
    """Return length and CRC-32 of a file."""
    size = crc = 0
    with path.open("rb") as stream:
        while block := stream.read(CHUNK):
            size, crc = size + len(block), zlib.crc32(block, crc)
    return size, crc
