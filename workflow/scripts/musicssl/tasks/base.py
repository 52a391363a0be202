"""What every dataset adapter shares: the item, the reasons for skipping one, and the checks no task may fail.

Conventions: times in seconds, paths POSIX and relative to the dataset's root, splits ``train``, ``valid`` and ``test``.
An item that cannot be used is never dropped silently: it is skipped with one of the reasons below.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..runtime import UserError
from .disk import AudioFile

SPLITS = ("train", "valid", "test")

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
PROBE_OPTIONS = {"beats": ("crop_s", "frame_times", "neighbours")}
"""Options of a kind of task that its probe reads, not its adapter."""
COMPLETE_SHARE = 0.99
"""Of a published split: known faults and decoders that differ about the last clip of a song cost less than the rest."""


@dataclass(frozen=True, slots=True)
class Item:
    """One example: a stretch of a recording and its target.

    Attributes:
        id: unique within the task.
        path: audio file relative to the dataset's root.
        start_s: where the stretch begins.
        duration_s: its length, 0 for "to the end".
        group: the recording; items of one group carry one target and are scored together where the protocol says so.
        target: class index (multiclass, key), list of 0/1 (multilabel), of floats (regression), of times (beats).
    """

    id: str
    split: str
    path: str
    start_s: float
    duration_s: float
    group: str
    target: int | list[int] | list[float]


class Skip(NamedTuple):
    """An item or file that is not used, and why."""

    item: str
    reason: str
    detail: str


@dataclass(frozen=True)
class TaskData:
    """A task as read from disk; ``expected`` are the published split sizes in items, None where none are."""

    items: list[Item]
    classes: list[str]
    skipped: list[Skip]
    expected: dict[str, int] | None
    notes: list[str]


@dataclass
class Draft:
    """Items and skips while an adapter reads."""

    items: list[Item] = field(default_factory=list)
    skipped: list[Skip] = field(default_factory=list)

    def skip(self, item: str, reason: str, detail: str) -> None:
        """Record that ``item`` is not used."""
        self.skipped.append(Skip(item, reason, detail))

    def audio(self, files: dict[str, AudioFile], key: str, item: str, wanted: str) -> AudioFile | None:
        """Return the listed file of ``key``, or None after recording that ``wanted`` is missing or empty."""
        found = files.get(key)
        if found is None:
            self.skip(item, MISSING_AUDIO, f"{wanted} is not there")
        elif found.num_bytes == 0:
            self.skip(item, EMPTY_FILE, f"{found.path} has no bytes")
            return None
        return found


def count_splits(items: Iterable[Item]) -> dict[str, int]:
    """Return the number of items of each split."""
    counts = Counter(item.split for item in items)
    return {split: counts[split] for split in SPLITS}


def absent_classes(items: Iterable[Item], classes: Sequence[str], kind: str, split: str) -> list[str]:
    """Return the classes without a positive item in ``split``; none for targets without classes."""
    if kind not in ("multiclass", "key", "multilabel"):
        return []
    seen: set[int] = set()
    for item in items:
        if item.split != split:
            continue
        if isinstance(item.target, list):
            seen.update(i for i, value in enumerate(item.target) if value)
        else:
            seen.add(item.target)
    return [name for i, name in enumerate(classes) if i not in seen]


def check_items(name: str, data: TaskData, kind: str, source: str) -> list[str]:
    """Check what no task may lack and return notes about what one may.

    Args:
        name: of the task, for messages.
        data: as an adapter read it.
        kind: of target, see :class:`~musicssl.config.recipes.Task`.
        source: where the dataset comes from.

    Returns:
        One sentence for each difference from the published sizes and each class absent from a split.

    Raises:
        UserError: a split is empty, an id appears twice, or a recording lies in two splits.
    """
    counts = count_splits(data.items)
    if empty := [split for split in SPLITS if not counts[split]]:
        reasons = Counter(skip.reason for skip in data.skipped).most_common()
        why = ", ".join(f"{count:,} x {reason}" for reason, count in reasons) or "none is listed"
        telling = sorted(data.skipped, key=lambda skip: skip.reason not in INCOMPLETE)[:1]
        first = f", first {telling[0].item}: {telling[0].detail}" if telling else ""
        raise UserError(
            f"{name}: no usable item in {', '.join(empty)} ({why}{first}); complete the download from {source}"
        )
    ids = Counter(item.id for item in data.items)
    if twice := [key for key, count in ids.items() if count > 1]:
        raise UserError(
            f"{name}: {twice[0]!r} appears {ids[twice[0]]} times in the dataset's lists, expected once; take the lists "
            "as published and keep one copy of each file"
        )
    homes: dict[str, str] = {}
    for item in data.items:
        if homes.setdefault(item.group, item.split) != item.split:
            raise UserError(
                f"{name}: recording {item.group!r} is in {homes[item.group]} and {item.split}; "
                "restore the split files as downloaded"
            )
    notes = []
    if data.expected and counts != data.expected:
        notes.append(f"split sizes {_sizes(counts)} differ from the published {_sizes(data.expected)}")
    for split in SPLITS:
        if absent := absent_classes(data.items, data.classes, kind, split):
            names = ", ".join(absent[:12]) + (", ..." if len(absent) > 12 else "")
            notes.append(f"{split} has no item of {len(absent)} of {len(data.classes)} classes: {names}")
    return notes


def _sizes(counts: dict[str, int]) -> str:
    return "/".join(f"{counts[split]:,}" for split in SPLITS)


def clip_length_s(options: dict[str, Any]) -> float:
    """Return the option ``clip_s``: the seconds of a clip, more than 0."""
    try:
        clip_s = float(options["clip_s"])
    except ValueError:
        clip_s = 0.0
    if not clip_s > 0:
        raise UserError(f"options.clip_s: found {options['clip_s']!r}, expected seconds, such as 30.0")
    return clip_s


def count_clips(duration_s: float, clip_s: float) -> int:
    """Return how many whole clips follow each other in a recording; a remainder is left out."""
    return int(duration_s / clip_s + 1e-6)


def as_options(defaults: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return the adapter's options: its published protocol, with what the task sets in its place."""
    return {name: given.get(name, value) for name, value in defaults.items()}


def short_splits(data: TaskData) -> list[str]:
    """Return the splits with clearly fewer items than published: their lists or archives are not whole."""
    counts, published = count_splits(data.items), data.expected or {}
    return [split for split, count in published.items() if counts[split] < COMPLETE_SHARE * count]


def refuse_unknown(options: Iterable[str], known: Iterable[str], where: str) -> None:
    """Check the names of options.

    Raises:
        UserError: one is not known, so it would be ignored.
    """
    if unknown := sorted(set(options) - set(known)):
        raise UserError(
            f"options of {where}: found {unknown[0]!r}, expected {' or '.join(known) or 'none'}; correct its name"
        )
