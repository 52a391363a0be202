"""``python -m musicssl tasks check <task> --root DIR``: is the download complete?

A task is an entry of ``config/tasks.yaml`` (with its options and its view), or ``<dataset>:<target>`` (with the options
of the published protocol, an item a recording).
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from ..artefacts.task import SPLITS, Skip, count_splits
from ..config.catalogue import Catalogue
from ..config.inherit import ConfigError
from ..config.load import load
from ..config.recipes import View, build
from ..datasets import DATASETS, adapter
from ..datasets.base import INCOMPLETE, UNREADABLE, TaskData
from ..datasets.disk import audio_duration_s
from ..runtime import UserError, progress, start_log
from ..tasks.checks import short_splits
from ..tasks.prepare import checked, cut, read_target

MAX_LISTED = 20


def main(argv: list[str] | None = None) -> int:
    """Print what was found, skipped and why; return 0 when nothing is missing, else 1."""
    parser = argparse.ArgumentParser(prog="python -m musicssl tasks", description=__doc__)
    commands = parser.add_subparsers(required=True)
    check = commands.add_parser("check", help="read a dataset and list what is missing")
    check.add_argument("task", help=f"such as gs-key, or <dataset>:<target>; datasets: {', '.join(DATASETS)}")
    check.add_argument("--root", required=True, help="the dataset's folder as downloaded")
    check.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="such as annotation=B")
    check.add_argument("--audio", action="store_true", help="also decode every file to its end, which takes long")
    arguments = parser.parse_args(argv)
    start_log(None, quiet=True)
    root = Path(arguments.root)
    try:
        dataset, target, options, view = named(arguments.task)
        given = dict(option.partition("=")[::2] for option in arguments.option)
        data = read_target(dataset, target, root, options | given)
        data = cut(dataset, data, view, options | given, lambda path: audio_duration_s(root / path) or 0.0)
        data = checked(dataset, target, data)
    except (UserError, ConfigError) as error:
        print(error, file=sys.stderr)
        return 1
    return report(without_damaged(data, root) if arguments.audio else data, adapter(dataset).SOURCE)


def named(task: str) -> tuple[str, str, dict[str, Any], View | None]:
    """Return dataset, target and options of a task, and the view whose windows are its items.

    Raises:
        ConfigError: the configuration has no such task, or is not sound.
    """
    if ":" in task:
        dataset, _, target = task.partition(":")
        return dataset, target, {}, None
    catalogue = Catalogue(load()[0])
    entry = catalogue.entry("tasks", task)
    view = build(View, catalogue.entry("views", entry["view"])) if entry["items"] == "window" else None
    return entry["dataset"], entry["target"], entry["options"], view


def without_damaged(data: TaskData, root: Path) -> TaskData:
    """Return the data without the items whose audio cannot be decoded to its end; each such file is skipped once."""
    from ..signal.decode import DecodeError, require_usable

    paths = sorted({item.path for item in data.items})
    damaged: dict[str, str] = {}
    for path in progress(paths, len(paths), "files"):
        try:
            require_usable(root / path)
        except DecodeError as error:
            damaged[path] = str(error)
    skipped = [Skip(path, UNREADABLE, detail) for path, detail in damaged.items()]
    kept = [item for item in data.items if item.path not in damaged]
    return dataclasses.replace(data, items=kept, skipped=data.skipped + skipped)


def report(data: TaskData, source: str) -> int:
    """Print the table of one task; return 1 when a complete download would have more."""
    counts = count_splits(data.items)
    print(f"{'split':<8}{'found':>10}{'published':>12}")
    for split in SPLITS:
        published = f"{data.expected[split]:,}" if data.expected else "-"
        print(f"{split:<8}{counts[split]:>10,}{published:>12}")
    for total in data.totals:
        print(total)
    print(f"{len(data.classes)} outputs" if data.classes else "one output a frame")
    for reason, count in Counter(skip.reason for skip in data.skipped).most_common():
        first = next(skip for skip in data.skipped if skip.reason == reason)
        print(f"skipped {count:,} x {reason}, such as {first.item}: {first.detail}")
    for note in data.notes:
        print(f"note: {note}")
    missing = [skip for skip in data.skipped if skip.reason in INCOMPLETE]
    lacks = [f"{len(missing):,} items"] if missing else []
    lacks += [f"too few in {', '.join(short)}"] if (short := short_splits(data)) else []
    lacks += [f"only {total}" for total in data.totals if total.found < total.least]
    if not lacks and (data.expected or data.totals):
        print("complete: no listed item lacks its file, and the counts agree with what is published")
        return 0
    if not lacks:
        print("no listed item lacks its file; nothing is published that the counts could be compared with")
        return 0
    sys.stdout.flush()
    print(f"incomplete, {'; '.join(lacks)}; where they come from: {source}", file=sys.stderr)
    for skip in missing[:MAX_LISTED]:
        print(f"  {skip.item}: {skip.reason}, {skip.detail}", file=sys.stderr)
    if len(missing) > MAX_LISTED:
        print(f"  ... and {len(missing) - MAX_LISTED:,} more", file=sys.stderr)
    return 1
