"""Clips of a corpus and their labels, memory-mapped.

Crops start on multiples of 320 samples, so model frame ``t`` of a crop starting at frame ``f`` sees the samples of
frame ``f + t`` of the whole clip, and its label is number ``floor((f + t) * ratio)``, exactly (HuBERT picks labels so,
but from unaligned crops: fairseq ``hubert_dataset.py``).
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..arithmetic import HOP, RECEPTIVE_FIELD, SAMPLE_RATE_HZ
from ..artefacts import RaggedShard
from ..runtime import UserError

logger = logging.getLogger(__name__)
FULL_SCALE = np.float32(32768)
NORM_EPS = 1e-5  # of the layer norm fairseq applies to a whole waveform


class Clips:
    """All clips of a corpus that are at least one crop long.

    Attributes:
        train: numbers of the clips to train on, int64.
        valid: numbers of the held-out clips, int64.
        num_clusters: size of the label alphabet; ``None`` without labels.
        ratio: labels per model frame; 0 without labels.
    """

    def __init__(
        self,
        audio: Path,
        labels: Path | None,
        crop: int,
        audio_digest: str | None = None,
        labels_digest: str | None = None,
    ) -> None:
        """Open the shards of folder ``audio`` and, beside them, the label shards of the same names.

        Args:
            audio: folder of int16 shards at 16 kHz.
            labels: folder of label shards, or ``None``.
            crop: samples of one crop.
            audio_digest: of the corpus recipe, when known.
            labels_digest: of the labels recipe, when known.

        Raises:
            UserError: a shard is missing, damaged or of another recipe; labels and audio do not fit; no clip is
                long enough.
        """
        paths = sorted(audio.glob("[0-9]*.npy"))
        if not paths:
            raise UserError(f"{audio}: found no audio shards (000.npy, ...); give the folder that crop_audio wrote")
        self._audio = [RaggedShard(path, audio_digest) for path in paths]
        self._labels: list[RaggedShard] = []
        self.num_clusters: int | None = None
        self.ratio = 0
        for shard in self._audio:
            _expect(shard, "sample_rate_hz", SAMPLE_RATE_HZ)
        if labels is not None:
            self._labels = [RaggedShard(labels / path.name, labels_digest) for path in paths]
            self._open_labels()
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
                f"{audio}: found no training clip of crop_s = {crop / SAMPLE_RATE_HZ:g} s (the longest clip of "
                f"{len(lengths)} has {longest:g} s); lower the model's crop_s or raise the corpus's clip_s"
            )
        logger.info(
            "%d training and %d held-out clips of %.0f h; %d are shorter than %g s and left out",
            self.train.size,
            self.valid.size,
            lengths.sum() / SAMPLE_RATE_HZ / 3600,
            np.count_nonzero(~long_enough),
            crop / SAMPLE_RATE_HZ,
        )

    def _open_labels(self) -> None:
        """Check that labels belong to the audio, clip by clip."""
        first = self._labels[0]
        rate, self.num_clusters = first.attrs["frame_rate_hz"], int(first.attrs["num_clusters"])
        if rate <= 0 or rate * HOP % SAMPLE_RATE_HZ:
            raise UserError(
                f"{first.path}: found {rate} labels a second, expected a multiple of the model's "
                f"{SAMPLE_RATE_HZ // HOP}; change frame_rate_hz of the features and make the labels again"
            )
        self.ratio = rate * HOP // SAMPLE_RATE_HZ
        for audio, labels in zip(self._audio, self._labels):
            _expect(labels, "frame_rate_hz", rate)
            _expect(labels, "num_clusters", self.num_clusters)
            if labels.ids != audio.ids:
                wrong = next((pair for pair in zip(labels.ids, audio.ids) if pair[0] != pair[1]), ("nothing", "more"))
                raise UserError(
                    f"{labels.path}: found {len(labels)} clips, {audio.path} has {len(audio)}; first difference: "
                    f"{wrong[0]!r} where {wrong[1]!r} is expected; delete the label shard and make it again"
                )
            needed = np.maximum((audio.lengths() - RECEPTIVE_FIELD) // HOP * self.ratio + 1, 0)
            short = np.flatnonzero(labels.lengths() < needed)
            if short.size:
                i = int(short[0])
                raise UserError(
                    f"{labels.path}: {labels.ids[i]} has {labels.lengths()[i]} labels, its "
                    f"{audio.lengths()[i]} samples need {needed[i]} at {rate} Hz ({short.size} such clips); "
                    "delete the label shard and make it again"
                )

    def num_samples(self, clip: int) -> int:
        """Return the length of a clip."""
        return int(self._lengths[clip])

    def crop(self, clip: int, start: int, out: npt.NDArray[np.float32], normalize: bool) -> None:
        """Write ``len(out)`` samples of a clip from ``start`` on, in [-1, 1) or normalised over the whole clip.

        Args:
            clip: its number.
            start: first sample.
            out: (S,) float32.
            normalize: subtract the mean of the whole clip and divide by its standard deviation (fairseq applies
                its layer norm before it crops, so a quiet crop of a loud clip stays quiet).
        """
        samples = self._audio[self._shard[clip]][self._index[clip]]
        if not normalize:
            np.divide(samples[start : start + len(out)], FULL_SCALE, out=out)
            return
        if clip not in self._statistics:
            self._statistics[clip] = mean_and_deviation(samples)
        mean, deviation = self._statistics[clip]
        np.subtract(samples[start : start + len(out)], mean, out=out)
        out /= deviation

    def labels(self, clip: int, first_frame: int, num_frames: int) -> npt.NDArray[np.int64]:
        """Return one label a model frame, (T,) int64, of the crop that starts at ``first_frame``."""
        values = self._labels[self._shard[clip]][self._index[clip]]
        picked = values[first_frame * self.ratio : (first_frame + num_frames) * self.ratio : self.ratio]
        assert len(picked) == num_frames
        if picked.max() >= self.num_clusters:  # a GPU would say so much later, and not in words
            path = self._labels[self._shard[clip]].path
            raise UserError(
                f"{path}: found label {picked.max()}, expected numbers below num_clusters = {self.num_clusters}; "
                "delete the label shard and make it again"
            )
        return picked.astype(np.int64)


def mean_and_deviation(samples: npt.NDArray[np.int16]) -> tuple[np.float32, np.float32]:
    """Return what to subtract from int16 samples and divide by for zero mean and unit variance."""
    exact = samples.astype(np.float64)
    mean = exact.mean()
    variance = np.dot(exact, exact) / len(exact) - mean**2
    return np.float32(mean), np.float32(np.sqrt(variance + NORM_EPS * float(FULL_SCALE) ** 2))


def _expect(shard: RaggedShard, name: str, value: int) -> None:
    if shard.attrs.get(name) != value:
        raise UserError(
            f"{shard.path}: {name} is {shard.attrs.get(name)!r}, expected {value}; delete the shard and make it again"
        )
