"""A task: items with splits and targets, what is left out and why, and what the dataset says of itself.

Conventions: times in seconds, paths POSIX and relative to the dataset's root.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from ..runtime import UserError
from .store import read_json, write_json
from .tables import CURE, read_table, write_table

VERSION = 1
SPLITS = ("train", "valid", "test")
ITEMS, SKIPPED, CARD = "items.csv", "skipped.csv", "task.json"


@dataclass(frozen=True, slots=True)
class Item:
    """One example: a stretch of a recording and its target.

    Attributes:
        id: unique within the task.
        split: one of :data:`SPLITS`.
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


@dataclass(frozen=True)
class TaskTable:
    """A task as it is stored.

    Attributes:
        task: its name.
        dataset: that it is read from.
        kind: of target.
        classes: names of the outputs; empty for beats.
        items: in the order of the dataset's lists.
        skipped: what is not used.
        expected: published split sizes in items, None where none are.
        notes: sentences for the report.
        citation: BibTeX.
        licence: of audio and annotations.
    """

    task: str
    dataset: str
    kind: str
    classes: list[str]
    items: list[Item]
    skipped: list[Skip]
    expected: dict[str, int] | None
    notes: list[str]
    citation: str
    licence: str


COLUMNS = tuple(field.name for field in fields(Item))


def path(task: str) -> str:
    """Return a task's folder below the results; it holds ``items.csv``, ``skipped.csv`` and ``task.json``."""
    return f"tasks/{task}"


def count_splits(items: Iterable[Item]) -> dict[str, int]:
    """Return the number of items of each split."""
    counts = Counter(item.split for item in items)
    return {split: counts[split] for split in SPLITS}


def write(folder: str | Path, task: TaskTable) -> None:
    """Write the three files, each whole or not at all; ``task.json`` last."""
    folder = Path(folder)
    cells = (astuple(item) for item in task.items)
    write_table(
        folder / ITEMS, COLUMNS, ((*rest, json.dumps(target, separators=(",", ":"))) for *rest, target in cells)
    )
    write_table(folder / SKIPPED, Skip._fields, task.skipped)
    card = {name: getattr(task, name) for name in ("task", "dataset", "kind", "classes", "citation", "licence")}
    card |= {"counts": count_splits(task.items), "expected": task.expected, "notes": task.notes}
    write_json(folder / CARD, card)


def read(folder: str | Path) -> TaskTable:
    """Read a task back.

    Raises:
        UserError: a file is missing, has another header, or a row is damaged.
    """
    folder = Path(folder)
    try:
        card = read_json(folder / CARD)
        shown = {key: card[key] for key in ("task", "dataset", "kind", "classes", "expected", "notes", "citation",
                                            "licence")}  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder / CARD}: missing or damaged ({error!r}); {CURE}") from None
    skipped = [Skip(*cells) for _, cells in read_table(folder / SKIPPED, Skip._fields)]
    return TaskTable(items=read_items(folder / ITEMS), skipped=skipped, **shown)


def read_items(table: str | Path) -> list[Item]:
    """Read ``items.csv``.

    Raises:
        UserError: its header is another one, or a row is damaged.
    """
    return [_item(table, row, cells) for row, cells in read_table(table, COLUMNS)]


def _item(table: str | Path, row: int, cells: list[str]) -> Item:
    name, split, audio, start, duration, group, target = cells
    if split not in SPLITS:
        raise UserError(f"{table}: row {row}, column split: found {split!r}, expected {' or '.join(SPLITS)}; {CURE}")
    try:
        value: Any = json.loads(target)
        return Item(name, split, audio, float(start), float(duration), group, value)
    except ValueError as error:
        raise UserError(f"{table}: row {row} is damaged ({error}); {CURE}") from None
