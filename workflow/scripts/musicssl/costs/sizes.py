"""What embedding the music tasks costs before any data are there, from the published sizes of their datasets.

Pooled states are kept: one row of all states an item, however many tasks share it. States of single frames, which beats
need, exist from the end of the embedding to the end of the beat probe, for one model at a time per job in flight.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

FRAME_RATE_HZ = 50
BYTES_PER_VALUE = 2


class Dataset(NamedTuple):
    """Published size of a dataset.

    Attributes:
        rows: pooled rows by target: items, or windows where their predictions are averaged.
        all_rows: of all targets together, shared ones once.
        hours: of audio that all targets together ask for.
        frame_hours: of audio whose every frame is stored, by target.
    """

    rows: dict[str, int]
    all_rows: int
    hours: float
    frame_hours: dict[str, float]


class StatesCost(NamedTuple):
    """Audio to decode and encode, bytes to keep, bytes that go after the probe; of one model."""

    hours: float
    pooled_bytes: int
    frames_bytes: int


DATASETS = {
    "magnatagatune": Dataset({"top50": 25_860}, 25_860, 209.2, {}),  # 29.12 s each
    "mtg-jamendo": Dataset(
        {"top50tags": 54_380, "genre": 55_094, "instrument": 24_976, "moodtheme": 17_982}, 55_525, 3_779.0, {}
    ),  # 245 s on average
    "giantsteps": Dataset({"key": 7_035}, 7_035, 58.6, {}),  # clips of 30 s
    "gtzan": Dataset({"genre": 930, "rhythm": 0}, 930, 7.75, {"rhythm": 7.75}),
    "emomusic": Dataset({"arousal-valence": 6_696}, 6_696, 9.3, {}),  # 744 clips of nine windows
    "nsynth": Dataset({"instrument": 305_979, "pitch": 305_979}, 305_979, 340.0, {}),
    "vocalset": Dataset({"technique": 4_130, "singer": 12_100}, 12_100, 10.1, {}),  # segments of 3 s, about
}


def states_cost(dataset: str, targets: Sequence[str], num_states: int, width: int) -> StatesCost:
    """Return what one model's states of some tasks of one dataset cost.

    Args:
        dataset: a key of :data:`DATASETS`.
        targets: of the selected tasks that read it.
        num_states: of the model; 13 for the base size.
        width: values a state; 768 for the base size.
    """
    size = DATASETS[dataset]
    rows = min(size.all_rows, sum(size.rows[target] for target in targets))
    hours = size.hours * rows / size.all_rows if rows else size.hours
    frames = round(sum(size.frame_hours.get(target, 0.0) for target in targets) * 3600 * FRAME_RATE_HZ)
    row_bytes = num_states * width * BYTES_PER_VALUE
    return StatesCost(hours, rows * row_bytes, frames * row_bytes)
