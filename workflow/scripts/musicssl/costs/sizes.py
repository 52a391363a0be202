"""What embedding the music datasets costs before any data are there, from their published sizes.

Pooled states are kept: one row of all states a recording or window, however many tasks share the view. States of single
frames, which beats need, exist from the end of the embedding to the end of the beat probe, for one model at a time per
job in flight.
"""

from __future__ import annotations

from typing import NamedTuple

from ..config.recipes import View

FRAME_RATE_HZ = 50
BYTES_PER_VALUE = 2


class Dataset(NamedTuple):
    """Published size of a dataset: every recording is embedded, also those that a task leaves out."""

    recordings: int
    hours: float


class StatesCost(NamedTuple):
    """Bytes to keep, and bytes that go after the probe; of one model."""

    pooled_bytes: int
    frames_bytes: int


DATASETS = {
    "magnatagatune": Dataset(25_860, 209.2),  # 29.12 s each
    "mtg-jamendo": Dataset(55_701, 3_791.0),  # 245 s on average
    "giantsteps": Dataset(604 + 1_486, 69.7),  # two minutes each
    "gtzan": Dataset(1_000, 8.33),  # 30 s each
    "emomusic": Dataset(1_000, 12.5),  # 45 s each
    "nsynth": Dataset(305_979, 340.0),  # 4 s each
    "vocalset": Dataset(3_560, 10.1),
}


def states_cost(size: Dataset, view: View, num_states: int, width: int) -> StatesCost:
    """Return what one model's states of a view of a dataset cost.

    Args:
        size: of the dataset.
        view: that is stored.
        num_states: of the model; 13 for the base size.
        width: values a state; 768 for the base size.
    """
    row_bytes = num_states * width * BYTES_PER_VALUE
    if view.rows == "frame":
        return StatesCost(0, round(size.hours * 3600 * FRAME_RATE_HZ) * row_bytes)
    windows = round(size.hours * 3600 / view.window_s) if view.rows == "window" else 0
    return StatesCost(max(size.recordings, windows) * row_bytes, 0)
