"""The door to the disk: a file that carries its final name is whole, and its SHA-256 was taken while it was written.

Everything is written under a temporary name beside the final one, flushed, hashed, then renamed.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import re
import shutil
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple, cast

from ..runtime import UserError

HOST = re.sub(r"[^\w-]", "-", socket.gethostname())


class Content(NamedTuple):
    """SHA-256 (hexadecimal) and size in bytes of a file."""

    sha256: str
    size: int


_written: dict[str, Content] = {}


class HashingStream:
    """A binary stream that hashes and counts what is written, and remembers why writing failed.

    ``torch.save`` hides the operating system's reason; :func:`writing` raises it again.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self._size = 0
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write and hash bytes."""
        try:
            self._stream.write(data)
        except OSError as error:
            self.error = error
            raise
        self._hash.update(data)
        self._size += memoryview(data).nbytes
        return memoryview(data).nbytes

    def flush(self) -> None:
        """Flush the stream below."""
        self._stream.flush()

    def content(self) -> Content:
        """Return digest and size of what was written so far."""
        return Content(self._hash.hexdigest(), self._size)


def part_path(path: Path) -> Path:
    """Return the temporary name beside a final one, after removing those that killed processes left.

    The name tells machine and process, so nobody removes what another is writing.
    """
    prefix = f".{path.name}.{HOST}-"
    for left in path.parent.glob(f"{glob.escape(prefix)}*.part"):
        number = left.name.removeprefix(prefix).removesuffix(".part")
        if number.isdecimal() and not is_running(int(number)):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    return path.with_name(f"{prefix}{os.getpid()}.part")


def is_running(process: int) -> bool:
    """Return whether a process of this machine exists."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextlib.contextmanager
def writing(path: str | Path) -> Iterator[BinaryIO]:
    """Yield a binary stream; what was written gets the name ``path`` when the block ends without an error.

    Raises:
        OSError: the disk is full or gone; no file carries the name ``path`` that did not before.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_path(path)
    try:
        with part.open("wb") as raw:
            stream = HashingStream(raw)
            try:
                yield cast(BinaryIO, stream)
            except RuntimeError as error:
                raise (stream.error or error) from None
            raw.flush()
            os.fsync(raw.fileno())
        _finish(part, path, stream.content())
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path for writers that want a name; it becomes ``path`` when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_path(path)
    try:
        yield part
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        _finish(part, path, content_of(part))
    finally:
        part.unlink(missing_ok=True)


def _finish(part: Path, path: Path, content: Content) -> None:
    try:
        os.replace(part, path)
    except OSError as error:
        raise UserError(
            f"{path}: this disk cannot rename a file whole ({error.strerror}); put the results on a local or POSIX "
            "shared file system"
        ) from error
    _written[os.path.abspath(path)] = content


def content_of(path: str | Path) -> Content:
    """Return digest and size of a file by reading all of it."""
    size = os.stat(path).st_size
    with open(path, "rb") as stream:
        return Content(hashlib.file_digest(stream, "sha256").hexdigest(), size)


def written_content(path: str | Path) -> Content:
    """Return digest and size of a file, as taken while this process wrote it, else by reading it."""
    return _written.get(os.path.abspath(path)) or content_of(path)


# ---------------------------------------------------------------- text and JSON


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` as UTF-8, whole or not at all."""
    with writing(path) as stream:
        stream.write(text.encode("utf-8"))


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as indented JSON; NaN and infinity are refused because JSON has neither."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_jsonl(path: str | Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write one JSON object a line."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows))


def read_text(path: str | Path) -> str:
    """Read a file of ours as UTF-8 text.

    Raises:
        UserError: it is missing, unreadable or no UTF-8.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UserError(f"{path}: not there, expected a file of this workflow; run the workflow to make it") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UserError(
            f"{path}: cannot be read ({reason}); make it readable, or delete it and run the workflow"
        ) from error


def read_json(path: str | Path) -> Any:
    """Read one JSON file.

    Raises:
        UserError: it is missing, unreadable or damaged.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: damaged ({error}), expected JSON; delete it and run the workflow again") from error


def read_object(path: str | Path) -> dict[str, Any]:
    """Read one JSON file that holds an object.

    Raises:
        UserError: as :func:`read_json`, or it holds something else.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        found = type(value).__name__
        raise UserError(f"{path}: found a JSON {found}, expected an object; delete it and run the workflow again")
    return value


def read_jsonl(path: str | Path) -> list[dict[str, Any]]:
    """Read the whole lines of a JSON-lines file; a last line cut by a kill is left out.

    Raises:
        UserError: it is missing or unreadable, or a line is damaged.
    """
    rows = []
    for number, line in enumerate(read_text(path).split("\n")[:-1], 1):
        try:
            row = json.loads(line) if line else None
        except (ValueError, RecursionError) as error:
            raise UserError(
                f"{path}: line {number} is damaged ({error}), expected a JSON object; delete it and run the workflow"
            ) from error
        if row is not None:
            rows.append(row)
    return rows


def open_csv(path: str | Path) -> IO[str]:
    """Open a CSV file of ours for reading, newlines untouched as the csv module wants them."""
    return Path(path).open(encoding="utf-8", newline="")
