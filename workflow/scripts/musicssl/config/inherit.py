"""Inheritance inside one table: ``base:`` names the parent, mappings merge, lists and scalars replace."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

Path = tuple[str, ...]


class ConfigError(ValueError):
    """All problems of a configuration at once, one sentence a line."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(dict.fromkeys(problems))
        count = len(self.problems)
        head = "1 problem" if count == 1 else f"{count} problems"
        super().__init__("\n  ".join([f"the configuration has {head}:", *self.problems]))


def merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``low`` overlaid by ``high``: mappings merge, everything else is replaced."""
    merged = dict(low)
    for key, value in high.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def leaves(value: Any, path: Path = ()) -> dict[Path, Any]:
    """Return every leaf of nested mappings by its path; an empty mapping is a leaf."""
    if not isinstance(value, Mapping) or not value:
        return {path: value}
    return {p: v for key, child in value.items() for p, v in leaves(child, (*path, str(key))).items()}


def lineage(table: Mapping[str, Any], name: str) -> list[str]:
    """Return the entries ``name`` inherits from, oldest first, ending in itself.

    Raises:
        ConfigError: a base does not exist, or bases form a circle.
    """
    chain = [name]
    while (base := table[chain[-1]].get("base")) is not None:
        if base not in table:
            raise ConfigError([f"{chain[-1]}.base: no entry {base!r}{nearest(base, table)}"])
        if base in chain:
            raise ConfigError([f"{name}.base: {' -> '.join([*chain, base])} is a circle"])
        chain.append(base)
    return chain[::-1]


def resolve(table: Mapping[str, Any], name: str) -> tuple[dict[str, Any], dict[Path, str]]:
    """Return an entry with everything it inherits, and the entry each leaf came from."""
    values: dict[str, Any] = {}
    origin: dict[Path, str] = {}
    for ancestor in lineage(table, name):
        own = {key: value for key, value in table[ancestor].items() if key not in ("base", "abstract")}
        values = merge(values, own)
        origin.update(dict.fromkeys(leaves(own), ancestor))
    kept = leaves(values)
    return values, {path: entry for path, entry in origin.items() if path in kept}


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` or, without a near name, the choices there are."""
    known = sorted(known)
    close = difflib.get_close_matches(str(word), known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    return f"; there are: {shown}" if known else ""
