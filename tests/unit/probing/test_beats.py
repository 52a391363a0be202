"""Beat tracker against madmom's output and the state counts of its state space."""

import json
from pathlib import Path

import numpy as np
import pytest

from musicssl.probing.beats import BeatTracker, log_transitions

GOLDEN = np.load(Path(__file__).parents[2] / "golden" / "dbn.npz")
CASES = json.loads(str(GOLDEN["meta"]))


@pytest.mark.parametrize("case", range(len(CASES)))
def test_beats_equal_madmom(case):
    options = dict(CASES[case])
    rate = options.pop("fps")
    del options["threshold"], options["num_tempi"]
    beats = BeatTracker(rate, **options)(GOLDEN[f"activation_{case}"])
    np.testing.assert_allclose(beats, GOLDEN[f"beats_{case}"], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("rate", "intervals", "states", "transitions"),
    [(50, 42, 1449, 2287), (75, 62, 3193, 5065), (100, 82, 5617, 8934)],
)
def test_state_space_has_madmoms_size(rate, intervals, states, transitions):
    tracker = BeatTracker(rate)
    assert len(tracker.intervals) == intervals
    assert tracker.intervals.sum() == states
    assert np.isfinite(tracker.transitions).sum() + states - intervals == transitions


def test_tempo_changes_are_normalised():
    np.testing.assert_allclose(np.exp(log_transitions(np.arange(14, 56), 100)).sum(axis=1), 1.0)


def test_every_beat_of_a_clear_pulse_is_found_at_its_frame_centre():
    activation = np.full(1000, 0.01)
    activation[7::25] = 0.99  # 120 BPM at 50 Hz
    beats = BeatTracker(50, 0.0125)(activation)
    np.testing.assert_allclose(beats, np.arange(7, 1000, 25) / 50 + 0.0125)


def test_certain_and_short_activations_are_decoded():
    certain = np.zeros(500)
    certain[::30] = 1.0
    np.testing.assert_allclose(BeatTracker(50)(certain), np.arange(0, 500, 30) / 50)
    assert len(BeatTracker(50)(np.empty(0))) == 0
    assert len(BeatTracker(50)(np.full(3, 0.5))) <= 1
