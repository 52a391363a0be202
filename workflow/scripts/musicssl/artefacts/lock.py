"""One run at a time writes into a results folder; the lock ends with its process, so no kill leaves one behind."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from ..runtime import UserError
from .store import read_object, write_json

NAME, HOLDER = ".lock", ".lock.json"
_held: list[FileLock] = []  # a lock without a reference is released


def take(results: str | Path) -> FileLock:
    """Take the lock of a results folder, until it is released or the process ends.

    Raises:
        UserError: another run holds it, or the folder cannot be written to.
    """
    folder = Path(results)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / NAME)
        lock.acquire(timeout=0)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(folder / HOLDER, {"process": os.getpid(), "host": socket.gethostname(), "since": now})
    except Timeout:
        raise UserError(f"{folder}: {holder(folder)} is writing here; wait for it, or stop it and try again") from None
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written to ({error.strerror}), expected a folder for results; set pathvars.results "
            "to another one, or make this one writable"
        ) from error
    _held.append(lock)
    return lock


def holder(folder: Path) -> str:
    """Return who holds the lock of a folder, as far as is known."""
    try:
        found = read_object(folder / HOLDER)
        return f"another run (process {found['process']} on {found['host']}, since {found['since']})"
    except (UserError, KeyError):
        return "another run"
