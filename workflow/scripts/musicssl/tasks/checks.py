"""What no task may lack: items in every split, tags to score, and most of what the dataset lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from ..artefacts.task import SPLITS, Item, Skip, count_splits
from ..datasets.base import COMPLETE_SHARE, INCOMPLETE, TaskData, shorten
from ..runtime import UserError
from .kinds import KINDS


def absent_classes(items: Iterable[Item], classes: Sequence[str], kind: str, split: str) -> list[str]:
    """Return the classes without a positive item in ``split``; none for targets without classes."""
    if not (KINDS[kind].has_classes or kind == "multilabel"):
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


def short_splits(data: TaskData) -> list[str]:
    """Return the splits with clearly fewer items than published: their lists or archives are not whole."""
    counts, published = count_splits(data.items), data.expected or {}
    return [split for split, count in published.items() if counts[split] < COMPLETE_SHARE * count]


def _losses(skipped: Sequence[Skip]) -> str:
    """Return how many items were skipped for which reason, and the most telling of them."""
    reasons = Counter(skip.reason for skip in skipped).most_common()
    telling = sorted(skipped, key=lambda skip: skip.reason not in INCOMPLETE)[:1]
    first = [f"first {skip.item}: {skip.detail}" for skip in telling]
    return ", ".join([f"{count:,} x {reason}" for reason, count in reasons] + first) or "nothing was skipped"


def _sizes(counts: dict[str, int]) -> str:
    return "/".join(f"{counts[split]:,}" for split in SPLITS)
