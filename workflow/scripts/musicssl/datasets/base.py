"""What every dataset adapter shares: items as they are read, and the reasons for skipping one.

Conventions: times in seconds, paths POSIX and relative to the dataset's root, splits ``train``, ``valid`` and ``test``.
An item that cannot be used is never dropped silently: it is skipped with one of the reasons below.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..artefacts.task import SPLITS, Item, Skip
from ..runtime import UserError
from .disk import AudioFile

__all__ = ["SPLITS", "Draft", "Item", "Skip", "TaskData", "Total", "as_options", "refuse_unknown",
           "shorten"]  # fmt: skip

MISSING_AUDIO = "missing audio"
EMPTY_FILE = "empty file"
UNREADABLE = "unreadable audio"
MISSING_ANNOTATION = "missing annotation"
UNKNOWN_LABEL = "unknown label"
KNOWN_FAULT = "known fault"
NO_ROW = "audio without annotation"
PROTOCOL = "left out by the protocol"
INCOMPLETE = (MISSING_AUDIO, EMPTY_FILE, UNREADABLE, MISSING_ANNOTATION)
"""Reasons that a complete download would not give."""
COMPLETE_SHARE = 0.99
"""Of a published split: known faults and decoders that differ about the last clip of a song cost less than the rest."""
MAX_NAMED = 12


class Total(NamedTuple):
    """A published number beside what was found.

    Attributes:
        what: is counted, in the plural.
        found: in the download.
        published: of a whole one, as people write it.
        least: what a whole download has for certain.
        detail: what is missing, where that is known.
    """

    what: str
    found: int
    published: str
    least: int
    detail: str = ""

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.found:,} {self.what}, published {self.published}{detail}"


@dataclass(frozen=True)
class TaskData:
    """A target as read from disk, an item a recording.

    Attributes:
        items: in the order of the dataset's lists.
        classes: names of the outputs; empty for beats.
        skipped: what is not used.
        expected: published split sizes in items, None where none are.
        notes: sentences for the report.
        totals: published numbers of other things than items.
    """

    items: list[Item]
    classes: list[str]
    skipped: list[Skip]
    expected: dict[str, int] | None
    notes: list[str]
    totals: list[Total] = field(default_factory=list)


@dataclass
class Draft:
    """Items and skips while an adapter reads, and which file and row put each where it is."""

    items: list[Item] = field(default_factory=list)
    skipped: list[Skip] = field(default_factory=list)
    _listed: dict[str, str] = field(default_factory=dict)
    _sides: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add(self, item: Item, where: str) -> None:
        """Take an item.

        Args:
            item: to take.
            where: the file, and row where it has rows, that lists it.

        Raises:
            UserError: it was listed before, or its recording in another split.
        """
        self.keep_apart(f"recording {item.group!r}", item.split, where)
        if item.id in self._listed:
            raise UserError(
                f"{where}: {item.id!r} is listed a second time, first in {self._listed[item.id]}, expected once; take "
                "the lists as published and keep one copy of each file"
            )
        self._listed[item.id] = where
        self.items.append(item)

    def keep_apart(self, what: str, side: str, where: str) -> None:
        """Record that ``where`` puts ``what`` on a side of the split, such as an artist in ``train``.

        Raises:
            UserError: it lies on another side already, which the protocol promises it does not.
        """
        first_side, first = self._sides.setdefault(what, (side, where))
        if first_side != side:
            raise UserError(
                f"{where}: {what} is in {side}, and in {first_side} by {first}, expected in one only; restore the "
                "split files as downloaded"
            )

    def skip(self, item: str, reason: str, detail: str, split: str = "") -> None:
        """Record that ``item``, which ``split`` lists, is not used."""
        self.skipped.append(Skip(item, reason, detail, split))

    def audio(self, files: dict[str, AudioFile], key: str, item: str, wanted: str, split: str) -> AudioFile | None:
        """Return the listed file of ``key``, or None after recording that ``wanted`` is missing or empty."""
        found = files.get(key)
        if found is None:
            self.skip(item, MISSING_AUDIO, f"{wanted} is not there", split)
        elif found.num_bytes == 0:
            self.skip(item, EMPTY_FILE, f"{found.path} has no bytes", split)
            return None
        return found


def shorten(names: Sequence[str]) -> str:
    """Return the first of many names."""
    return ", ".join(names[:MAX_NAMED]) + (", ..." if len(names) > MAX_NAMED else "")


def as_options(defaults: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return the adapter's options: its published protocol, with what the task sets in its place."""
    return {name: given.get(name, value) for name, value in defaults.items()}


def refuse_unknown(options: Iterable[str], known: Iterable[str], where: str) -> None:
    """Check the names of options.

    Raises:
        UserError: one is not known, so it would be ignored.
    """
    if unknown := sorted(set(options) - set(known)):
        raise UserError(
            f"options of {where}: found {unknown[0]!r}, expected {' or '.join(known) or 'none'}; correct its name"
        )
