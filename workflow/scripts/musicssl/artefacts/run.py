"""A training run on disk: checkpoint and rows of numbers at its end; until then, resume states and snapshots.

A state is ``<update>.pt`` and, written after it, an index ``<update>.json`` with its SHA-256, the recipe digest, the
fingerprint of the data it was trained on, and a SHA-256 of the index itself; a snapshot is the same under
``snapshot-<update>``. All come into being under a temporary name, so a kill at any moment leaves the states before
untouched, and the last two are kept. ``torch.save`` gives the same bytes for the same tensors when it writes to a
stream (to a path, it stores the path's name).
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ..runtime import UserError
from .store import Content, content_of, write_json, writing, written_content

VERSION = 1
logger = logging.getLogger(__name__)
FORMAT = "musicssl-resume/3"
KEPT = 2


def save(path: Path, value: Any) -> Content:
    """Write ``value`` with ``torch.save``, whole or not at all, with the same bytes for the same content.

    Returns:
        SHA-256 and size of the file.

    Raises:
        OSError: the disk is full or gone; nothing carries the name ``path`` that did not before.
    """
    with writing(path) as stream:
        torch.save(value, stream)
    return written_content(path)


def load(path: Path) -> Any:
    """Read tensors and plain values onto the CPU; no code in the file is run.

    Raises:
        UserError: it is no whole file of torch's.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except OSError:
        raise
    except Exception as error:  # torch raises what its readers raise
        raise UserError(
            f"{path}: damaged ({str(error).splitlines()[0]}), expected a whole training checkpoint; restore it from a "
            "backup, or delete it and train again"
        ) from error


@dataclass(frozen=True)
class Checkpoint:
    """A finished run.

    Attributes:
        objective: the objective's ``state_dict``, on the CPU.
        digest: of the recipe.
        update: updates done.
        snapshots: weights of the encoder after earlier updates.
    """

    objective: dict[str, Any]
    digest: str
    update: int
    snapshots: dict[int, dict[str, Any]] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write the checkpoint; raises OSError as :func:`save` does."""
        value: dict[str, Any] = {"objective": self.objective, "digest": self.digest, "update": self.update}
        save(path, value | ({"snapshots": self.snapshots} if self.snapshots else {}))


def read_checkpoint(path: Path, digest: str = "") -> Checkpoint:
    """Read a finished run.

    Args:
        path: of ``checkpoint.pt``.
        digest: of the recipe that must have made it, when known.

    Raises:
        UserError: the file is missing, damaged, or of another recipe.
    """
    try:
        value = load(path)
        found = Checkpoint(**value)
    except (OSError, TypeError) as error:
        raise UserError(
            f"{path}: no training checkpoint ({error}); restore it from a backup, or delete it and train again"
        ) from error
    if digest and found.digest != digest:
        raise UserError(f"{path}: made by recipe {found.digest}, expected {digest}; delete it and train again")
    return found


@dataclass(frozen=True)
class ResumeStates:
    """The resume states of one run, and the snapshots it keeps until it is done.

    Attributes:
        folder: their own; nothing in it is an output of the workflow.
        digest: of the recipe; another recipe's states are refused.
        made_from: SHA-256 of each input by its path; states of other data are refused.
    """

    folder: Path
    digest: str
    made_from: Mapping[str, str] = field(default_factory=dict)

    def path(self, update: int) -> Path:
        """Return where the state after ``update`` updates lies."""
        return self.folder / f"{update:09d}.pt"

    def snapshot(self, update: int) -> Path:
        """Return where the snapshot of ``update`` lies."""
        return self.folder / f"snapshot-{update:09d}.pt"

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
        self._write(self.path(update), update, state, about)
        self._drop(self.updates()[:-KEPT])

    def keep(self, update: int, weights: dict[str, Any]) -> None:
        """Save the snapshot of ``update``; raises UserError as :meth:`save` does."""
        self._write(self.snapshot(update), update, weights, {})

    def latest(self, snapshots: Sequence[int] = ()) -> tuple[int, dict[str, Any]] | None:
        """Return update and ``about`` of the newest state to go on from, or ``None`` when none was ever saved.

        That is the newest undamaged one, or one before it where a snapshot that it has passed is missing or damaged:
        the run then makes the snapshot again.

        Args:
            snapshots: updates whose snapshots the run must have when it is done.

        Raises:
            UserError: the states belong to another recipe, all are damaged, or none lies before a lost snapshot.
        """
        updates = self.updates()
        self._sweep(updates)
        lost: list[str] = []
        for update in reversed(updates):
            problem, index = self._inspect(self.path(update))
            if problem is None:
                lost = self._lost(kept for kept in snapshots if kept <= update)
                if not lost:
                    self._drop([later for later in updates if later > update])
                    return update, index["about"]
                problem = f"it is past a snapshot that is lost ({lost[0]})"
            logger.warning("%s: %s; falling back to the state before", self.path(update), problem)
        if lost:
            raise UserError(f"{lost[0]}; {self._no_way_back}")
        if updates:
            raise UserError(
                f"{self.folder}: found {len(updates)} saved states, all damaged; "
                "restore one from a backup, or delete the folder to train from the start"
            )
        return None

    def load(self, update: int) -> dict[str, Any]:
        """Read a state onto the CPU."""
        return load(self.path(update))

    def load_snapshot(self, update: int) -> dict[str, Any]:
        """Read a snapshot onto the CPU.

        Raises:
            UserError: it is missing or damaged.
        """
        for lost in self._lost([update]):
            before = [saved for saved in self.updates() if saved < update]
            if not before:
                raise UserError(f"{lost}; {self._no_way_back}")
            raise UserError(
                f"{lost}, expected it undamaged to the end of the run; run the same command again, which goes back to "
                f"the state after update {before[-1]} and makes it anew"
            )
        return load(self.snapshot(update))

    def delete(self) -> None:
        """Remove the folder; the run is finished. Killed in between, no half of a state is left under its name."""
        self.folder.rename(self._gone)
        shutil.rmtree(self._gone)

    @property
    def _gone(self) -> Path:
        return self.folder.with_name(f".{self.folder.name}.finished")

    @property
    def _no_way_back(self) -> str:
        return (
            "found no undamaged state before it to make it again from; restore it from a backup, take that entry out "
            f"of the models table, or delete {self.folder} to train from the start"
        )

    def _write(self, path: Path, update: int, value: Any, about: dict[str, Any]) -> None:
        """Write a file, then the index without which it does not count."""
        try:
            index = {
                "format": FORMAT,
                "digest": self.digest,
                "made_from": dict(self.made_from),
                "update": update,
                **save(path, value)._asdict(),
                "about": about,
            }
            write_json(path.with_suffix(".json"), index | {"index_sha256": _index_sum(index)})
        except OSError as error:
            good = self.updates()
            raise UserError(
                f"{path}: could not be saved ({error.strerror}); "
                + (f"the state after update {good[-1]} is untouched; " if good else "there is no earlier state; ")
                + "free space or quota there and run the same command again"
            ) from error

    def _lost(self, snapshots: Iterable[int]) -> list[str]:
        """Return which of some snapshots are missing or damaged, each with the reason."""
        problems = {update: self._inspect(self.snapshot(update))[0] for update in snapshots}
        return [
            f"{self.snapshot(update)}: the snapshot of update {update} is {problem}"
            for update, problem in problems.items()
            if problem is not None
        ]

    def _inspect(self, path: Path) -> tuple[str | None, dict[str, Any]]:
        """Return what is wrong with a state or snapshot, if anything, and its index.

        Raises:
            UserError: an undamaged index says that another recipe or another version of the library wrote it.
        """
        try:
            index = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            content = content_of(path)
        except FileNotFoundError as error:
            return f"missing ({Path(error.filename).name} is not there)", {}
        except (OSError, ValueError, RecursionError) as error:
            return f"unreadable ({error})", {}
        if not isinstance(index, dict):
            return "damaged (its index is no JSON object)", {}
        whole = index.get("index_sha256") == _index_sum(index)
        if index.get("format", FORMAT) != FORMAT and (whole or "index_sha256" not in index):  # earlier ones had none
            raise UserError(
                f"{path}: found format {index['format']}, written by another version of this library, expected "
                f"{FORMAT}; finish the run with that version, or delete {self.folder} to train from the start"
            )
        if not whole:
            return "damaged (its index does not have the SHA-256 that was written)", {}
        self._require_same(index)
        if content != Content(index["sha256"], index["size"]):
            return (
                f"damaged ({content.size} bytes, SHA-256 {content.sha256[:10]}; {index['size']} and "
                f"{index['sha256'][:10]} were written)"
            ), {}
        return None, index

    def _require_same(self, index: Mapping[str, Any]) -> None:
        """Refuse a state of another recipe or of other data."""
        if index["digest"] != self.digest:
            raise UserError(
                f"{self.folder}: saved by recipe {index['digest']}, expected {self.digest}; "
                "restore that recipe to go on, or delete the folder to train from the start"
            )
        before, now = index["made_from"], dict(self.made_from)
        if before != now:
            names = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            first = f"{names[0]} was {before.get(names[0], 'absent')[:10]}, is {now.get(names[0], 'absent')[:10]}"
            raise UserError(
                f"{self.folder}: begun with other data ({first}{more}), which cannot be continued; restore that data "
                "to go on, or delete the folder to train from the start"
            )

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


def _index_sum(index: Mapping[str, Any]) -> str:
    """Return the SHA-256 of an index' content but for that sum."""
    content = {key: value for key, value in index.items() if key != "index_sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
