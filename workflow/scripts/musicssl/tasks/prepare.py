"""Items of a task: what the adapter reads, cut by the task's view where each window is an item, and checked."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..artefacts.task import Item, Skip, TaskTable
from ..config.recipes import Items, View
from ..datasets import adapter
from ..datasets.base import PROTOCOL, UNREADABLE, TaskData, as_options, refuse_unknown
from ..runtime import UserError
from .checks import check_items, require_usable
from .views import ROUNDING, count_windows

logger = logging.getLogger(__name__)
VERSION = 1
"""Raised when other items come out; what reads one dataset has its own."""
COMMON_OPTIONS = {"min_usable_fraction": 0.9, "min_recording_s": 0.0}
"""Of every task: the share of a split's listed recordings that must be usable, with fewer of which it would be another
task; and the length in seconds below which a recording is left out."""
Lengths = Callable[[str], float | None]
"""From the path of a recording to its seconds: 0 where its header says nothing, None where it is not listed."""


def read_target(dataset: str, target: str, root: str | Path, options: dict[str, Any]) -> TaskData:
    """Read one target of one dataset, an item a recording, without the checks.

    Args:
        dataset: one of :data:`~musicssl.datasets.DATASETS`.
        target: a key of the adapter's ``TARGETS``.
        root: the dataset's folder as downloaded.
        options: of the adapter, in place of its ``DEFAULTS``, and :data:`COMMON_OPTIONS`.

    Raises:
        UserError: something is missing, damaged or unknown.
    """
    module = adapter(dataset)
    if target not in module.TARGETS:
        raise UserError(f"target of {dataset}: found {target!r}, expected one of {', '.join(module.TARGETS)}")
    refuse_unknown(options, [*module.DEFAULTS, *COMMON_OPTIONS], dataset)
    data: TaskData = module.read(Path(root), target, as_options(module.DEFAULTS, options))
    return data


def checked(dataset: str, target: str, data: TaskData) -> TaskData:
    """Return the data with a note about each thing that differs from what is published.

    Raises:
        UserError: something is missing that no task can do without.
    """
    module, name = adapter(dataset), f"{dataset}:{target}"
    notes = check_items(name, data, module.TARGETS[target], module.SOURCE)
    for note in notes:
        logger.warning("%s: %s", name, note)
    return dataclasses.replace(data, notes=data.notes + notes)


def prepare(task: Items, view: View | None, root: str | Path, lengths: Lengths) -> TaskData:
    """Read the items of a task.

    Args:
        task: the entry.
        view: that each window of is an item; None where recordings are.
        root: the dataset's folder.
        lengths: of the dataset's recordings.

    Raises:
        UserError: the entry's kind does not fit its target, an option is unknown, data are damaged, a recording is not
            listed, or more is missing than ``options.min_usable_fraction`` allows.
    """
    module = adapter(task.dataset)
    kind = module.TARGETS.get(task.target, task.kind)
    if kind != task.kind:
        raise UserError(f"kind of {task.dataset}:{task.target}: found {task.kind!r}, expected {kind!r}")
    data = read_target(task.dataset, task.target, root, task.options)
    if strange := next((item.path for item in data.items if lengths(item.path) is None), None):
        raise UserError(
            f"{strange}: is not among the listed recordings of {task.dataset}, expected there; files were added since: "
            "list them again with --forcerun list_recordings"
        )
    data = checked(task.dataset, task.target, cut(task.dataset, data, view, task.options, lengths))
    least = as_options(COMMON_OPTIONS, task.options)["min_usable_fraction"]
    require_usable(f"{task.dataset}:{task.target}", data, least, module.SOURCE)
    return data


def table_of(name: str, task: Items, data: TaskData) -> TaskTable:
    """Return a prepared task as it is stored."""
    module = adapter(task.dataset)
    return TaskTable(
        name, task.dataset, task.kind, data.classes, data.items, data.skipped, data.expected, data.notes,
        module.CITATION, module.LICENCE,
    )  # fmt: skip


def cut(dataset: str, data: TaskData, view: View | None, options: dict[str, Any], lengths: Lengths) -> TaskData:
    """Return the data without recordings that are too short, and with an item a window where a view is given.

    A recording shorter than one window stays whole.

    Args:
        dataset: that the data are read from.
        data: an item a recording.
        view: of whole windows, or None.
        options: of the task; ``min_recording_s`` is read.
        lengths: of the dataset's recordings; asked only where a length matters.

    Raises:
        UserError: the option is no number of seconds.
    """
    least_s = _seconds(as_options(COMMON_OPTIONS, options)["min_recording_s"])
    items: list[Item] = []
    skipped = list(data.skipped)
    for item in data.items:
        found = lengths(item.path) if view or least_s else None
        if not (view or least_s):
            items.append(item)
        elif not found:
            skipped.append(Skip(item.id, UNREADABLE, f"{item.path} has no readable header; fetch it again", item.split))
        elif least_s and found / least_s + ROUNDING < 1:
            detail = f"{found:.2f} s is shorter than {least_s:g} s (options.min_recording_s)"
            skipped.append(Skip(item.id, PROTOCOL, detail, item.split))
        else:
            items += _windows(item, found, view) if view else [item]
    if not view:
        return dataclasses.replace(data, items=items, skipped=skipped)
    published = getattr(adapter(dataset), "WINDOWS", {}).get(view.window_s)  # of windows of some lengths
    notes = [*data.notes, f"an item each {view.window_s:g} s"]
    return dataclasses.replace(data, items=items, skipped=skipped, notes=notes, expected=published)


def _seconds(value: Any) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not seconds >= 0:
        raise UserError(f"options.min_recording_s: found {value!r}, expected seconds, such as 3.0")
    return seconds


def _windows(item: Item, duration_s: float, view: View) -> list[Item]:
    count, length_s = count_windows(duration_s, view), view.window_s
    if not count:
        return [dataclasses.replace(item, id=f"{item.id}#0")]
    return [
        dataclasses.replace(item, id=f"{item.id}#{k}", start_s=k * length_s, duration_s=length_s) for k in range(count)
    ]
