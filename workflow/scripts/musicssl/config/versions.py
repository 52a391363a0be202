"""Versions of code that decides results: the integer ``VERSION`` beside that code, read without importing it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from .inherit import ConfigError

LIBRARY = Path(__file__).resolve().parents[1]
STATEMENT = re.compile(r"^VERSION = (\d+)$", re.MULTILINE)


@cache
def version(module_path: str) -> int:
    """Return the ``VERSION = n`` of a file of the library, such as ``probing/embed.py``.

    Raises:
        ConfigError: there is no such file, or it states none.
    """
    path = LIBRARY / module_path
    found = STATEMENT.search(path.read_text(encoding="utf-8")) if path.is_file() else None
    if found is None:
        raise ConfigError([f"{path}: found no line `VERSION = 1`, expected one; restore the file as in the repository"])
    return int(found[1])
