"""The ledger: one record of every attempt of every job, in ``<results>/ledger/<rule>/<names>/<attempt>.json``.

A record is begun before the job works and completed when it ends, so the record of a killed job says that it was begun.
No attempt touches another's record.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..runtime import UserError
from .header import FORMAT
from .store import Content, read_object, write_json

FOLDER = "ledger"
BEGUN, OK, FAILED = "begun", "ok", "failed"


@dataclass
class Record:
    """One attempt of one job.

    Attributes:
        rule: that the job belongs to.
        names: values of its wildcards, in order.
        attempt: from 1.
        status: ``begun`` (running, or killed), ``ok`` or ``failed``.
        recipe: digest, empty where the job has none.
        about: who, when, where and how; see :func:`musicssl.runtime.surroundings`.
        inputs: content by path.
        outputs: content by path.
        facts: what the job itself adds, such as the stretches of a training run.
        error: its sentence, where it failed.
    """

    rule: str
    names: list[str]
    attempt: int = 0
    status: str = BEGUN
    recipe: str = ""
    about: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Content] = field(default_factory=dict)
    outputs: dict[str, Content] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    def begin(self, results: str | Path) -> Path:
        """Take the next free number and write the record; return its path."""
        folder = Path(results, FOLDER, self.rule, *self.names)
        folder.mkdir(parents=True, exist_ok=True)
        self.attempt = max((int(path.stem) for path in folder.glob("[0-9]*.json")), default=0) + 1
        while True:
            path = folder / f"{self.attempt:03d}.json"
            try:
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            except FileExistsError:
                self.attempt += 1
            else:
                self.write(path)
                return path

    def write(self, path: str | Path) -> None:
        """Write the record whole, in place of what it said before."""
        value = asdict(self)
        for key in ("inputs", "outputs"):
            value[key] = {name: content._asdict() for name, content in getattr(self, key).items()}
        write_json(path, {"format": FORMAT, **value})


def read_record(path: str | Path) -> Record:
    """Read one record.

    Raises:
        UserError: it is damaged or of another edition.
    """
    path = Path(path)
    if path.exists() and not path.stat().st_size:  # killed between taking its number and its first word
        return Record(path.parts[-3], [path.parent.name], int(path.stem))
    value = read_object(path)
    if value.pop("format", None) != FORMAT:
        raise UserError(
            f"{path}: of another edition of this workflow, expected {FORMAT}; move the results away and rerun"
        )
    try:
        for key in ("inputs", "outputs"):
            value[key] = {name: Content(**content) for name, content in value[key].items()}
        return Record(**value)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: damaged ({error}), expected a record of a job; restore it or move it away") from error


def records(results: str | Path) -> Iterator[Path]:
    """Yield the paths of all records, in order of rule, names and attempt."""
    yield from sorted(Path(results, FOLDER).rglob("[0-9]*.json"))
