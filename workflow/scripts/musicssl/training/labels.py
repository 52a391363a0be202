"""One set of cluster labels, memory-mapped beside the audio it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..artefacts.ragged import RaggedShard
from ..geometry import HOP, SAMPLE_RATE_HZ, num_frames
from ..runtime import UserError


class LabelSet:
    """Labels of every clip of a corpus.

    Attributes:
        num_clusters: size of the alphabet.
        ratio: labels per model frame.
    """

    def __init__(self, files: Sequence[Path], audio: Sequence[RaggedShard], digest: str | None) -> None:
        """Open the label shards with the audio shards' names and check them clip by clip.

        Raises:
            UserError: a shard is missing, damaged, of another recipe, rate or number of clusters, or does not fit.
        """
        by_name = {file.name: file for file in files}
        if absent := [shard.path for shard in audio if shard.path.name not in by_name]:
            raise UserError(
                f"{absent[0]}: found no label shard of this name, expected one an audio shard; make its labels"
            )
        self._shards = [RaggedShard(by_name[shard.path.name], digest) for shard in audio]
        first = self._shards[0]
        rate, self.num_clusters = first.attrs["frame_rate_hz"], int(first.attrs["num_clusters"])
        if rate <= 0 or rate * HOP % SAMPLE_RATE_HZ:
            raise UserError(
                f"{first.path}: found {rate} labels a second, expected a multiple of the model's "
                f"{SAMPLE_RATE_HZ // HOP}; change frame_rate_hz of the features and make the labels again"
            )
        self.ratio = rate * HOP // SAMPLE_RATE_HZ
        for samples, labels in zip(audio, self._shards):
            expect(labels, "frame_rate_hz", rate)
            expect(labels, "num_clusters", self.num_clusters)
            self._check(samples, labels)

    def _check(self, audio: RaggedShard, labels: RaggedShard) -> None:
        if labels.ids != audio.ids:
            wrong = next((pair for pair in zip(labels.ids, audio.ids) if pair[0] != pair[1]), ("nothing", "more"))
            raise UserError(
                f"{labels.path}: found {len(labels)} clips, {audio.path} has {len(audio)}; first difference: "
                f"{wrong[0]!r} where {wrong[1]!r} is expected; delete the label shard and make it again"
            )
        frames = np.array([num_frames(int(length)) for length in audio.lengths()], np.int64)
        needed = np.maximum((frames - 1) * self.ratio + 1, 0)
        short = np.flatnonzero(labels.lengths() < needed)
        if short.size:
            i = int(short[0])
            raise UserError(
                f"{labels.path}: {labels.ids[i]} has {labels.lengths()[i]} labels, its "
                f"{audio.lengths()[i]} samples need {needed[i]} at {SAMPLE_RATE_HZ // HOP * self.ratio} Hz "
                f"({short.size} such clips); delete the label shard and make it again"
            )

    def frames(self, shard: int, index: int, first: int, count: int) -> npt.NDArray[np.int64]:
        """Return one label a model frame, (T,) int64, of ``count`` frames of a clip from frame ``first`` on."""
        values = self._shards[shard][index]
        picked = values[first * self.ratio : (first + count) * self.ratio : self.ratio]
        assert len(picked) == count
        if picked.max() >= self.num_clusters:  # a GPU would say so much later, and not in words
            raise UserError(
                f"{self._shards[shard].path}: found label {picked.max()}, expected numbers below num_clusters = "
                f"{self.num_clusters}; delete the label shard and make it again"
            )
        return picked.astype(np.int64)


def expect(shard: RaggedShard, name: str, value: int) -> None:
    """Raise UserError unless a shard was made with a value."""
    if shard.attrs.get(name) != value:
        raise UserError(
            f"{shard.path}: {name} is {shard.attrs.get(name)!r}, expected {value}; delete the shard and make it again"
        )
