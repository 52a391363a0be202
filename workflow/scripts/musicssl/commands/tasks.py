"""``python -m musicssl tasks check <task> --root DIR``: is the download complete?

A task is an entry of ``config/tasks.yaml`` (with its options), or ``<dataset>:<target>`` (with the published ones).
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from ..config.catalogue import Catalogue
from ..config.inherit import ConfigError
from ..config.load import load
from ..datasets import DATASETS, adapter, read_dataset
from ..datasets.base import INCOMPLETE, SPLITS, UNREADABLE, Skip, TaskData, count_splits, refuse_unknown, short_splits
from ..runtime import UserError, progress, start_log

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
    try:
        dataset, target, options = named(arguments.task)
        given = dict(option.partition("=")[::2] for option in arguments.option)
        refuse_unknown(given, adapter(dataset).DEFAULTS, dataset)
        data = read_dataset(dataset, target, arguments.root, options | given)
    except (UserError, ConfigError) as error:
        print(error, file=sys.stderr)
        return 1
    return report(without_damaged(data, Path(arguments.root)) if arguments.audio else data, adapter(dataset).SOURCE)


def named(task: str) -> tuple[str, str, dict[str, Any]]:
    """Return dataset, target and options of a task.

    Raises:
        ConfigError: the configuration has no such task, or is not sound.
    """
    if ":" in task:
        dataset, _, target = task.partition(":")
        return dataset, target, {}
    entry = Catalogue(load()[0]).entry("tasks", task)
    clip_s = {"clip_s": entry["windows"]["length_s"]} if entry["windows"]["length_s"] else {}
    return entry["dataset"], entry["target"], clip_s | entry["options"]


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
