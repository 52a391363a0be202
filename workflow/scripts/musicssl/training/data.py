"""Clips of a corpus and their labels, memory-mapped.

Crops start on multiples of 320 samples, so model frame ``t`` of a crop starting at frame ``f`` sees the samples of
frame ``f + t`` of the whole clip, and its label is number ``floor((f + t) * ratio)``, exactly (HuBERT picks labels so,
but from unaligned crops: fairseq ``hubert_dataset.py``).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..artefacts.ragged import RaggedShard
from ..geometry import SAMPLE_RATE_HZ, mean_and_deviation, to_float32
from ..runtime import UserError
from .labels import LabelSet, expect

logger = logging.getLogger(__name__)


class Clips:
    """All clips of a corpus that are at least one crop long.

    Attributes:
        train: numbers of the clips to train on, int64.
        valid: numbers of the held-out clips, int64.
        num_clusters: size of each label set's alphabet.
    """

    def __init__(
        self,
        audio: Sequence[Path],
        labels: Sequence[Sequence[Path]],
        crop: int,
        audio_digest: str | None = None,
        labels_digests: Sequence[str] | None = None,
    ) -> None:
        """Open audio shards and, for each label set, the label shards of the same names.

        Args:
            audio: int16 shards at 16 kHz, in order.
            labels: the label shards of each label set.
            crop: samples of one crop.
            audio_digest: of the corpus recipe, when known.
            labels_digests: of the labels recipes, when known.

        Raises:
            UserError: a shard is missing, damaged or of another recipe; labels and audio do not fit; no clip is
                long enough.
        """
        if not audio:
            raise UserError("audio: found no shards (000.npy, ...), expected those that crop_audio wrote; give them")
        self._audio = [RaggedShard(path, audio_digest) for path in audio]
        for shard in self._audio:
            expect(shard, "sample_rate_hz", SAMPLE_RATE_HZ)
        digests: Sequence[str | None] = labels_digests or [None] * len(labels)
        self._label_sets = [LabelSet(*pair) for pair in zip(labels, [self._audio] * len(labels), digests, strict=True)]
        self.num_clusters = [labels.num_clusters for labels in self._label_sets]
        lengths = self._lengths = np.concatenate([shard.lengths() for shard in self._audio])
        splits = np.concatenate([np.asarray(shard.attrs["splits"], dtype=str) for shard in self._audio])
        counts = [len(shard) for shard in self._audio]
        self._shard = np.repeat(np.arange(len(counts)), counts)
        self._index = np.concatenate([np.arange(count) for count in counts])
        long_enough = lengths >= crop
        self.train = np.flatnonzero(long_enough & (splits == "train"))
        self.valid = np.flatnonzero(long_enough & (splits == "valid"))
        self._statistics: dict[int, tuple[np.float32, np.float32]] = {}
        if not self.train.size:
            longest = lengths.max() / SAMPLE_RATE_HZ if lengths.size else 0.0
            raise UserError(
                f"{audio[0].parent}: found no training clip of crop_s = {crop / SAMPLE_RATE_HZ:g} s (the longest clip "
                f"of {len(lengths)} has {longest:g} s); lower the model's crop_s or raise the corpus's clip_s"
            )
        logger.info(
            "%d training and %d held-out clips of %.0f h; %d are shorter than %g s and left out",
            self.train.size,
            self.valid.size,
            lengths.sum() / SAMPLE_RATE_HZ / 3600,
            np.count_nonzero(~long_enough),
            crop / SAMPLE_RATE_HZ,
        )

    def num_samples(self, clip: int) -> int:
        """Return the length of a clip."""
        return int(self._lengths[clip])

    def crop(self, clip: int, start: int, out: npt.NDArray[np.float32], normalize: bool) -> None:
        """Write ``len(out)`` samples of a clip from ``start`` on, in [-1, 1) or standardized over the whole clip.

        Args:
            clip: its number.
            start: first sample.
            out: (S,) float32.
            normalize: subtract the mean of the whole clip and divide by its standard deviation (fairseq applies
                its layer norm before it crops, so a quiet crop of a loud clip stays quiet).
        """
        samples = self._audio[self._shard[clip]][self._index[clip]]
        if not normalize:
            out[:] = to_float32(samples[start : start + len(out)])
            return
        if clip not in self._statistics:
            self._statistics[clip] = mean_and_deviation(samples)
        mean, deviation = self._statistics[clip]
        np.subtract(samples[start : start + len(out)], mean, out=out)
        out /= deviation

    def labels(self, clip: int, first_frame: int, num_frames: int) -> npt.NDArray[np.int64]:
        """Return one label a model frame of the crop that starts at ``first_frame``: (T,), or (T, sets) of several."""
        shard, index = int(self._shard[clip]), int(self._index[clip])
        sets = [labels.frames(shard, index, first_frame, num_frames) for labels in self._label_sets]
        return sets[0] if len(sets) == 1 else np.stack(sets, axis=-1)
