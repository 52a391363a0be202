"""Frozen dataclasses from plain JSON values and back, strictly: every key is there, no other is, each of its type."""

from __future__ import annotations

import functools
import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..runtime import UserError

T = TypeVar("T")
CURE = "delete it and run the workflow again"


def read_mapping(path: str | Path) -> dict[str, Any]:
    """Return the JSON object that a file holds.

    Raises:
        UserError: the file is cut short, is no JSON, or holds something else.
    """
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: found damaged JSON ({error}), expected a whole file; {CURE}") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: found {kind_of(value)}, expected an object with keys; {CURE}")
    return value


def from_plain(cls: type[T], values: Mapping[str, Any], path: str | Path) -> T:
    """Return a dataclass of the values that a JSON file holds; lists become tuples.

    Args:
        cls: its fields are text, numbers, tuples, mappings by text, dataclasses, or one of these or None. A field with
            a default may be missing.
        values: by name of field.
        path: of the file, for errors.

    Raises:
        UserError: a key is missing or unknown, a value has another type, a number is NaN or infinite.
    """
    found: T = _build(cls, values, "", path)
    return found


def kind_of(value: Any) -> str:
    """Return what a JSON value is, as people call it."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a whole number"}
    return names.get(type(value), "nothing" if value is None else "a number")


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _build(cls: Any, values: Any, where: str, path: str | Path) -> Any:
    if not isinstance(values, Mapping):
        raise _wrong(path, where, values, "an object")
    prefix = f"{where}." if where else ""
    known = {field.name: field for field in fields(cls)}
    if unknown := [key for key in values if key not in known]:
        raise UserError(f"{path}: found the unknown key {prefix}{unknown[0]}, expected {', '.join(known)}; {CURE}")
    for name, field in known.items():
        if name not in values and field.default is MISSING and field.default_factory is MISSING:
            raise UserError(f"{path}: found no key {prefix}{name}, expected one; {CURE}")
    hints = _hints(cls)
    return cls(**{name: _value(hints[name], value, f"{prefix}{name}", path) for name, value in values.items()})


def _value(hint: Any, value: Any, where: str, path: str | Path) -> Any:
    """Return one value as its type hint wants it."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        (hint,) = (arg for arg in args if arg is not type(None))
        return None if value is None else _value(hint, value, where, path)
    if is_dataclass(hint):
        return _build(hint, value, where, path)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise _wrong(path, where, value, "a list")
        return tuple(_value(args[0], one, f"{where}[{i}]", path) for i, one in enumerate(value))
    if origin is not None:
        if not isinstance(value, Mapping):
            raise _wrong(path, where, value, "an object")
        return {str(key): _value(args[1], one, f"{where}.{key}", path) for key, one in value.items()}
    if hint is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if hint is not float and type(value) is hint:
        return value
    raise _wrong(path, where, value, {float: "a number", int: "a whole number", str: "text"}[hint])


def _wrong(path: str | Path, where: str, value: Any, expected: str) -> UserError:
    return UserError(f"{path}: {where}: found {kind_of(value)}, expected {expected}; {CURE}")
