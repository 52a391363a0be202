"""The 13 music tasks: one module per dataset, all with the same five names.

``read(root, target, options)`` reads the dataset as a user has it after download; ``TARGETS`` (target -> kind),
``DEFAULTS`` (options of the published protocol), ``CITATION``, ``LICENCE``, ``SOURCE`` and ``LAYOUT`` say what it is.
"""

from __future__ import annotations

import csv
import dataclasses
import importlib
import io
import json
import logging
from pathlib import Path
from typing import Any

from .. import artefacts
from ..config.recipes import Items
from ..runtime import UserError
from .base import (
    COMMON_OPTIONS,
    PROBE_OPTIONS,
    Item,
    Skip,
    TaskData,
    as_options,
    check_items,
    count_splits,
    refuse_unknown,
    require_usable,
)

__all__ = ["DATASETS", "Item", "Skip", "TaskData", "adapter", "read_dataset", "read_task", "write_task"]
logger = logging.getLogger(__name__)
DATASETS = {
    "emomusic": "emomusic",
    "giantsteps": "giantsteps",
    "gtzan": "gtzan",
    "magnatagatune": "magnatagatune",
    "mtg-jamendo": "mtg_jamendo",
    "nsynth": "nsynth",
    "vocalset": "vocalset",
}


def adapter(dataset: str) -> Any:
    """Return the module that reads ``dataset``.

    Raises:
        UserError: there is none of that name.
    """
    if dataset not in DATASETS:
        raise UserError(f"dataset: found {dataset!r}, expected one of {', '.join(DATASETS)}")
    return importlib.import_module(f".{DATASETS[dataset]}", __name__)


def read_dataset(dataset: str, target: str, root: str | Path, options: dict[str, Any]) -> TaskData:
    """Read one target of one dataset and check it.

    Args:
        dataset: a key of :data:`DATASETS`.
        target: a key of the adapter's ``TARGETS``.
        root: the dataset's folder as downloaded.
        options: of the adapter, in place of its ``DEFAULTS``.

    Raises:
        UserError: something is missing, damaged or unknown.
    """
    module = adapter(dataset)
    if target not in module.TARGETS:
        raise UserError(f"target of {dataset}: found {target!r}, expected one of {', '.join(module.TARGETS)}")
    name = f"{dataset}:{target}"
    data: TaskData = module.read(Path(root), target, as_options(module.DEFAULTS, options))
    notes = check_items(name, data, module.TARGETS[target], module.SOURCE)
    for note in notes:
        logger.warning("%s: %s", name, note)
    return dataclasses.replace(data, notes=data.notes + notes)


def read_task(task: Items, root: str | Path) -> TaskData:
    """Read a task entry; datasets that are cut into clips take ``windows.length_s`` unless ``options.clip_s`` is set.

    Raises:
        UserError: the entry's kind does not fit its target, an option is unknown, data are damaged, or more is missing
            than ``options.min_usable_fraction`` allows.
    """
    module = adapter(task.dataset)
    kind = module.TARGETS.get(task.target, task.kind)
    if kind != task.kind:
        raise UserError(f"kind of {task.dataset}:{task.target}: found {task.kind!r}, expected {kind!r}")
    options: dict[str, Any] = dict(task.options)
    refuse_unknown(options, [*module.DEFAULTS, *PROBE_OPTIONS.get(kind, ()), *COMMON_OPTIONS], task.dataset)
    if task.windows.length_s > 0:
        options.setdefault("clip_s", task.windows.length_s)
    data = read_dataset(task.dataset, task.target, root, options)
    least = as_options(COMMON_OPTIONS, options)["min_usable_fraction"]
    require_usable(f"{task.dataset}:{task.target}", data, least, module.SOURCE)
    return data


def write_task(data: TaskData, name: str, task: Items, out_dir: str | Path) -> None:
    """Write ``items.csv``, ``skipped.csv`` and ``task.json`` of one task into ``out_dir``."""
    out_dir, module = Path(out_dir), adapter(task.dataset)
    fields = [field.name for field in dataclasses.fields(Item)]
    rows = ([*(getattr(item, field) for field in fields[:-1]), _dump(item.target)] for item in data.items)
    artefacts.write_text(out_dir / "items.csv", _to_csv(fields, rows))
    artefacts.write_text(out_dir / "skipped.csv", _to_csv(Skip._fields, data.skipped))
    artefacts.write_json(
        out_dir / "task.json",
        {
            "task": name,
            "dataset": task.dataset,
            "kind": task.kind,
            "classes": data.classes,
            "citation": module.CITATION,
            "licence": module.LICENCE,
            "counts": count_splits(data.items),
            "expected": data.expected,
            "notes": data.notes,
        },
    )


def _dump(target: Any) -> str:
    return json.dumps(target, separators=(",", ":"))


def _to_csv(header: Any, rows: Any) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()
