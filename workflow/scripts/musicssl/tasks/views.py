"""Views: which stretches of a recording are encoded, and which of the stored rows belong to an item."""

from __future__ import annotations

import math

from ..config.recipes import View
from ..geometry import RECEPTIVE_FIELD, SAMPLE_RATE_HZ

VERSION = 1
Span = tuple[int, int]
ROUNDING = 1e-6
"""Of a window; lengths in headers are rounded."""


def whole_windows(view: View) -> bool:
    """Return whether every window has its full length, so that a recording's length tells how many there are."""
    return view.window_s > 0 and view.min_s >= view.window_s


def count_windows(duration_s: float, view: View) -> int:
    """Return how many whole windows follow each other in a recording of a length; a remainder is left out."""
    return int(duration_s / view.window_s + ROUNDING)


def window_spans(num_samples: int, duration_s: float, view: View) -> list[Span]:
    """Return (start, stop) of the windows of a recording, in samples at 16 kHz, one after the other.

    The first is never dropped, however short.

    Args:
        num_samples: decoded.
        duration_s: as the header says; it decides the number of whole windows, as it does for the items of a task, and
            the last of them may have lost a few samples in decoding.
        view: to cut by.
    """
    length = round(view.window_s * SAMPLE_RATE_HZ) or max(num_samples, 1)
    spans = [(start, min(start + length, num_samples)) for start in range(0, num_samples, length)]
    if whole_windows(view):
        return spans[: max(1, count_windows(duration_s, view))]
    shortest = max(view.min_s * SAMPLE_RATE_HZ, RECEPTIVE_FIELD)
    return spans[:1] + [(start, stop) for start, stop in spans[1:] if stop - start >= shortest]


def rows_of_stretch(start_s: float, duration_s: float, num_rows: int, view: View) -> range:
    """Return which of a recording's rows a stretch of it owns: the windows that begin in it.

    Args:
        start_s: begin of the stretch.
        duration_s: its length, 0 for "to the end".
        num_rows: stored for the recording.
        view: that they are stored by.
    """
    if not start_s and not duration_s:
        return range(num_rows)
    first, last = (math.ceil(time / view.window_s - ROUNDING) for time in (start_s, start_s + duration_s))
    return range(first, min(last, num_rows) if duration_s else num_rows)
