"""Beat times from beat activations: the hidden Markov model of Krebs, Böck and Widmer.

Source: Krebs, Böck, Widmer, "An efficient state-space model for joint tempo and meter tracking", ISMIR 2015, with the
parameters of Böck's DBN beat tracker (madmom): 55 to 215 BPM, transition lambda 100, observation lambda 16.

A state is (interval of L frames, position k in it). Inside an interval the position advances by one with certainty;
only from its last to a first state may the interval change. So the Viterbi score of a whole interval is the score of
its entry plus a difference of cumulated observations, and since no interval is shorter than ``L_min`` frames, the
entries of ``L_min`` consecutive frames depend on earlier ones alone: they are computed in one array operation.

Conventions: A intervals (ascending), F frames; scores are natural logarithms in float64.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
CLIP = 1e-7


class BeatTracker:
    """Decode beats from activations of one frame rate.

    Args:
        frame_rate_hz: frames per second of the activations.
        frame_offset_s: center of frame 0 in seconds, added to every beat time; 0 places frame i at i / rate.
        min_bpm: slowest tempo.
        max_bpm: fastest tempo.
        transition_lambda: penalty of tempo changes; larger is steadier.
        observation_lambda: the first 1 / lambda of an interval counts as beat.
        correct: move every beat to the largest activation of its beat zone.
    """

    def __init__(
        self,
        frame_rate_hz: float,
        frame_offset_s: float = 0.0,
        *,
        min_bpm: float = 55.0,
        max_bpm: float = 215.0,
        transition_lambda: float = 100.0,
        observation_lambda: int = 16,
        correct: bool = True,
    ) -> None:
        self.frame_rate_hz, self.frame_offset_s, self.correct = frame_rate_hz, frame_offset_s, correct
        shortest, longest = (round(60.0 * frame_rate_hz / bpm) for bpm in (max_bpm, min_bpm))
        self.intervals: Ints = np.arange(shortest, longest + 1)
        self.zones: Ints = -(-self.intervals // observation_lambda)
        self.observation_lambda = observation_lambda
        self.transitions = log_transitions(self.intervals, transition_lambda)

    def __call__(self, activation: npt.ArrayLike) -> Floats:
        """Return ascending beat times in seconds, float64.

        Args:
            activation: (F,) probability of a beat in each frame; clipped to [1e-7, 1 - 1e-7].
        """
        values = np.clip(np.asarray(activation, dtype=np.float64), CLIP, 1.0 - CLIP)
        assert values.ndim == 1, values.shape
        entries, chosen = self._decode(values)
        frames = self._peaks(values, entries, chosen) if self.correct else self._minima(len(values), entries, chosen)
        return frames / self.frame_rate_hz + self.frame_offset_s

    def _decode(self, values: Floats) -> tuple[Ints, Ints]:
        """Return the entry frames (ascending, the first may be negative) and interval indices of the best path.

        ``ends[pad + f, a]`` is the score of the best path that enters interval a at frame f, at that interval's end;
        frames before 0 and after the last observe nothing, which makes the prior uniform over all states.
        """
        lengths, num_frames = self.intervals, len(values)
        pad, block = int(lengths[-1]), int(lengths[0])
        ends = self._gains(values, pad)
        arriving = np.empty((len(lengths), block, len(lengths)))
        for first in range(0, num_frames, block):
            frames = np.arange(first, min(first + block, num_frames))
            before = ends[pad + frames - lengths[:, None], np.arange(len(lengths))[:, None]]
            scores = np.add(before[:, :, None], self.transitions[:, None, :], out=arriving[:, : len(frames)])
            ends[pad + frames] += scores.max(axis=0)
        return self._backtrack(ends, num_frames)

    def _gains(self, values: Floats, pad: int) -> Floats:
        """Return (pad + F, A) sums of log observations over the interval entered at each frame from ``-pad`` on."""
        starts = np.arange(pad + len(values))[:, None]
        beat, rest = np.zeros((2, 1 + pad + len(values) + pad))
        beat[1 + pad : -pad] = np.log(values)
        rest[1 + pad : -pad] = np.log((1.0 - values) / (self.observation_lambda - 1))
        beat, rest = beat.cumsum(), rest.cumsum()
        turns = starts + self.zones
        gains: Floats = beat[turns] - beat[starts] + rest[starts + self.intervals] - rest[turns]
        return gains

    def _backtrack(self, ends: Floats, num_frames: int) -> tuple[Ints, Ints]:
        """Return entries and interval indices, from the best state of the last frame backwards."""
        pad, columns = int(self.intervals[-1]), np.arange(len(self.intervals))
        positions = np.arange(pad)
        last = np.where(positions < self.intervals[:, None], ends[pad + num_frames - 1 - positions].T, -np.inf)
        chosen, position = divmod(int(last.argmax()), pad)
        entry = num_frames - 1 - position
        path = [(entry, chosen)]
        while entry >= 0:
            before = ends[pad + entry - self.intervals, columns] + self.transitions[:, chosen]
            chosen = int(before.argmax())
            entry -= int(self.intervals[chosen])
            path.append((entry, chosen))
        entries, indices = np.array(path[::-1]).T
        return entries, indices

    def _peaks(self, values: Floats, entries: Ints, chosen: Ints) -> Ints:
        """Return the frame of the largest activation in every beat zone."""
        stops = entries + self.zones[chosen]
        spans = [(max(a, 0), min(b, len(values))) for a, b in zip(entries, stops) if b > 0]
        return np.array([a + int(values[a:b].argmax()) for a, b in spans], dtype=np.int64)

    def _minima(self, num_frames: int, entries: Ints, chosen: Ints) -> Ints:
        """Return the frames of beat zones whose position is below both neighbors'; the two ends are neighbors."""
        frames = np.arange(num_frames)
        owner = np.searchsorted(entries, frames, side="right") - 1
        since, interval = frames - entries[owner], chosen[owner]
        position = since / self.intervals[interval]
        lowest = (position < np.roll(position, 1)) & (position < np.roll(position, -1))
        return np.flatnonzero(lowest & (since < self.zones[interval]))


def log_transitions(intervals: Ints, transition_lambda: float) -> Floats:
    """Return (A from, A to) log probabilities of following one interval by another.

    The weight of b after a is exp(-lambda |b / a - 1|), zero below machine epsilon, normalized over b.
    """
    ratio = intervals[None, :] / intervals[:, None]
    weight = np.exp(-transition_lambda * np.abs(ratio - 1.0))
    weight[weight <= np.finfo(np.float64).eps] = 0.0
    with np.errstate(divide="ignore"):
        logs: Floats = np.log(weight / weight.sum(axis=1, keepdims=True))
    return logs
