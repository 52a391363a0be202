"""Why a file cannot be used, and the command that turns it into one that can."""

from __future__ import annotations

import shlex
from pathlib import Path


class DecodeError(ValueError):
    """A file cannot be used; ``reason`` is one word for the quarantine."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def ffmpeg_line(path: str | Path) -> str:
    """Return the shell command that writes a file's sound beside it as FLAC."""
    path = Path(path)
    names = [name if not name.startswith("-") else f"./{name}" for name in (path.name, f"{path.stem}.converted.flac")]
    return f"ffmpeg -i {shlex.quote(names[0])} -map 0:a:0 -c:a flac {shlex.quote(names[1])}"
