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
COMMON_OPTIONS = {"min_usable_fraction": 0.9}
"""Of every task: the share of a split's listed recordings that must be usable; with fewer it would be another task."""
MAX_NAMED = 12


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
    """An item or file that is not used, why, and the split that lists it, empty where none does."""

    item: str
    reason: str
    detail: str
    split: str = ""


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
    """A task as read from disk.

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
        One sentence for each difference from the published numbers and each class absent from a split.

    Raises:
        UserError: a split is empty, or lacks a tag, whose score would be undefined or never learnt.
    """
    counts = count_splits(data.items)
    if empty := [split for split in SPLITS if not counts[split]]:
        raise UserError(
            f"{name}: no usable item in {', '.join(empty)} ({_losses(data.skipped)}); complete the download from "
            f"{source}"
        )
    notes = []
    if data.expected and counts != data.expected:
        notes.append(f"split sizes {_sizes(counts)} differ from the published {_sizes(data.expected)}")
    notes += [str(total) for total in data.totals if total.found < total.least]
    for split in SPLITS:
        if absent := absent_classes(data.items, data.classes, kind, split):
            lack = f"{split} has no item of {len(absent)} of {len(data.classes)} classes: {shorten(absent)}"
            if kind == "multilabel":
                raise UserError(
                    f"{name}: {lack} ({_losses(data.skipped)}); expected every tag in every split; complete the "
                    f"download from {source}"
                )
            notes.append(lack)
    return notes


def require_usable(name: str, data: TaskData, least: Any, source: str) -> None:
    """Check that enough of what each split lists can be used.

    Args:
        name: of the task, for messages.
        data: as an adapter read it; what a whole download would not skip counts as lost, one recording a skip, in every
            split where its own is not known.
        least: option ``min_usable_fraction``, 0 to 1, of the recordings of a split.
        source: where the dataset comes from.

    Raises:
        UserError: a split falls short, or ``least`` is no such number.
    """
    if not isinstance(least, int | float) or not 0 <= least <= 1:
        raise UserError(f"options.min_usable_fraction: found {least!r}, expected a share from 0 to 1, such as 0.9")
    for split in SPLITS:
        usable = len({item.group for item in data.items if item.split == split})
        lost = [skip for skip in data.skipped if skip.split in (split, "") and skip.reason in INCOMPLETE]
        if usable < least * (total := usable + len(lost)):
            raise UserError(
                f"{name}: found {usable:,} usable of {total:,} recordings that {split} lists ({usable / total:.1%}; "
                f"{_losses(lost)}), expected at least {least:.1%}; complete the download from {source}, or lower "
                "options.min_usable_fraction of the task"
            )


def _losses(skipped: Sequence[Skip]) -> str:
    """Return how many items were skipped for which reason, and the most telling of them."""
    reasons = Counter(skip.reason for skip in skipped).most_common()
    telling = sorted(skipped, key=lambda skip: skip.reason not in INCOMPLETE)[:1]
    first = [f"first {skip.item}: {skip.detail}" for skip in telling]
    return ", ".join([f"{count:,} x {reason}" for reason, count in reasons] + first) or "nothing was skipped"


def shorten(names: Sequence[str]) -> str:
    """Return the first of many names."""
    return ", ".join(names[:MAX_NAMED]) + (", ..." if len(names) > MAX_NAMED else "")


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
