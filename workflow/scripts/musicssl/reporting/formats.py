"""How the templates write numbers; every filter takes None for a value that is not there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .svg import short

NONE = "–"


def commas(value: int | None) -> str:
    """Return a whole number with commas: ``12,345``."""
    return NONE if value is None else f"{value:,}"


def score(value: float | None, digits: int = 1) -> str:
    """Return a score of scale 0 to 1 times 100, without the sign of a negative zero."""
    if value is None:
        return NONE
    text = f"{100 * value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def signed(value: float | None) -> str:
    """Return a difference of scores of scale 0 to 1 times 100, with its sign."""
    return NONE if value is None else f"{100 * value:+.1f}"


def decimals(value: float | None, digits: int) -> str:
    """Return a number with commas and a fixed number of decimals."""
    return NONE if value is None else f"{value:,.{digits}f}"


def brief(value: float | None) -> str:
    """Return a number in a few characters: ``250k``, ``0.35``."""
    return NONE if value is None else short(value)


def duration(seconds: float | None) -> str:
    """Return seconds as people read them: ``3.2 s``, ``4 min 05 s``, ``2 h 10 min``."""
    if seconds is None:
        return NONE
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60:02d} min"


def plain(value: Any) -> str:
    """Return any value of a manifest as people write it; long lists are counted."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: NONE}[value]
    if isinstance(value, list):
        is_long = len(value) > 8 or any(isinstance(one, list | dict) for one in value)
        return f"{len(value):,} entries" if is_long else ", ".join(map(str, value))
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)


def settings(value: Any) -> str:
    """Return an entry of the configuration as indented JSON."""
    return json.dumps(value, indent=1, ensure_ascii=False)


FILTERS: dict[str, Callable[..., str]] = {
    "commas": commas,
    "score": score,
    "signed": signed,
    "decimals": decimals,
    "brief": brief,
    "duration": duration,
    "plain": plain,
    "settings": settings,
}
