"""Clips of an audio shard to frame vectors: MFCC, chroma, CQT, several of them side by side, or a layer of an encoder.

Only vectors of a drawn share of the training clips are stored, for centroids to be fitted on; labels are assigned to
vectors on the fly. Deep features of 1000 hours would fill 276 GB (float16), and nothing reads most of them twice.
Clips are taken whole, never padded, so vector j of a clip is what its samples [hop j, hop j + 400) and their context
say.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..artefacts import vectors as stored_vectors
from ..artefacts.encoder import read as read_encoder
from ..artefacts.ragged import RaggedShard
from ..config.recipes import FEATURES, ChromaFeatures, CombinedFeatures, CqtFeatures, LayerFeatures, MfccFeatures, build
from ..geometry import MFCC_HOP, RECEPTIVE_FIELD, SAMPLE_RATE_HZ, standardize, to_float32
from ..runtime import UserError, device, progress

VERSION = 1
Array = npt.NDArray[np.floating]
Wave = npt.NDArray[np.float32]
BATCH_SAMPLES = 120 * SAMPLE_RATE_HZ
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Extractor:
    """How vectors (L, ``width``) of clips are made, and the type they are stored and clustered in."""

    kind: str
    width: int
    dtype: np.dtype
    vectors: Callable[[RaggedShard, Sequence[int]], Iterator[Array]]

    def clips(self, audio: RaggedShard, chosen: Sequence[int]) -> Iterator[tuple[str, Array]]:
        """Yield id and vectors of chosen clips, as ``dtype``, with a line of progress now and then.

        Raises:
            UserError: a clip is too short for one frame, or its vectors are NaN or infinite.
        """
        lengths = audio.lengths()
        for i in chosen:
            if lengths[i] < RECEPTIVE_FIELD:
                raise UserError(
                    f"{audio.path}: clip {audio.ids[i]} has {lengths[i]} samples, expected {RECEPTIVE_FIELD}; "
                    "raise min_clip_s"
                )
        for i, values in progress(zip(chosen, self.vectors(audio, chosen)), len(chosen), "clips"):
            with np.errstate(over="ignore"):  # beyond float16 is infinite, found below
                stored = values.astype(self.dtype, copy=False)
            if not np.isfinite(stored).all():
                raise UserError(
                    f"{audio.path}: {self.kind} features of clip {audio.ids[i]} are NaN or infinite in {self.dtype}, "
                    "expected finite numbers; listen to the clip, and look for NaN in the encoder's weights"
                )
            yield audio.ids[i], stored


def extractor(recipe: dict[str, Any], encoder_dir: str | Path | None = None) -> Extractor:
    """Return the extractor of a features recipe.

    Args:
        recipe: with its ``entry``, and for combined features the parts among its ``inputs``.
        encoder_dir: Hugging Face folder, for a layer.
    """
    entry: FEATURES = build(FEATURES, recipe["entry"])
    if isinstance(entry, LayerFeatures):
        assert encoder_dir is not None
        width, vectors = layer_vectors(entry, Path(encoder_dir))
        return Extractor(entry.kind, width, np.dtype(np.float16), vectors)
    width, function = per_clip(entry, recipe["inputs"])

    def one_by_one(audio: RaggedShard, chosen: Sequence[int]) -> Iterator[Array]:
        return (function(to_float32(audio[i])) for i in chosen)

    return Extractor(entry.kind, width, np.dtype(np.float32), one_by_one)


def per_clip(entry: FEATURES, inputs: dict[str, Any]) -> tuple[int, Callable[[Wave], Wave]]:
    """Return width D and the function from a clip (S,) in [-1, 1] to its vectors (L, D) float32."""
    import torch

    from ..signal.constant_q import ConstantQ
    from ..signal.harmonic import chroma, combine
    from ..signal.mfcc import mfcc

    def on_tensors(function: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Wave], Wave]:
        return lambda wave: function(torch.from_numpy(wave)[None])[0].numpy()

    match entry:
        case MfccFeatures():
            step = SAMPLE_RATE_HZ // MFCC_HOP // entry.frame_rate_hz
            return 3 * entry.num_ceps, on_tensors(
                lambda wave: mfcc(wave, entry.num_ceps, entry.num_mel_bins)[:, ::step]
            )
        case ChromaFeatures():
            knobs = (entry.frame_rate_hz, entry.num_chroma, entry.window_samples, entry.compression)
            return entry.num_chroma, lambda wave: chroma(wave, *knobs)
        case CqtFeatures():
            bins = (entry.frame_rate_hz, entry.num_bins, entry.bins_per_octave, entry.min_hz, entry.compression)
            return entry.num_bins, on_tensors(ConstantQ(*bins))
        case CombinedFeatures():
            parts = [per_clip(build(FEATURES, inputs[part]["entry"]), {}) for part in entry.parts]
            scales = list(entry.parts.values())
            return sum(width for width, _ in parts), lambda wave: combine([make(wave) for _, make in parts], scales)
    raise AssertionError(entry)


def layer_vectors(
    entry: LayerFeatures, encoder_dir: Path
) -> tuple[int, Callable[[RaggedShard, Sequence[int]], Iterator[Array]]]:
    """Return the width of a layer and the function from clips to its outputs (T, D) float32."""
    import torch

    from ..models import layer_output, load_encoder

    where = device()
    encoder = load_encoder(encoder_dir).to(where).eval()
    normalize = read_encoder(encoder_dir).preprocessor["do_normalize"]
    if entry.layer > (layers := encoder.config.num_hidden_layers):
        raise UserError(
            f"{encoder_dir}: the encoder has {layers} layers, expected at least {entry.layer}, which features ask for; "
            "lower `layer` of the features entry"
        )
    logger.info("layer %d of %s on %s, clip standardization: %s", entry.layer, encoder_dir, where, normalize)

    def forward(wave: Wave) -> Array:
        batch = np.stack([standardize(clip) for clip in wave]) if normalize else wave
        found = layer_output(encoder, torch.from_numpy(batch).to(where), entry.layer)
        return np.asarray(found.float().cpu().numpy(), np.float32)

    return encoder.config.hidden_size, lambda audio, chosen: in_batches(audio, chosen, forward)


def in_batches(audio: RaggedShard, chosen: Sequence[int], forward: Callable[[Wave], Array]) -> Iterator[Array]:
    """Yield ``forward`` of each chosen clip, giving it neighbors of equal length (B, S) together, in [-1, 1)."""
    for length, run in groupby(chosen, key=audio.lengths().__getitem__):
        clips = list(run)
        size = max(1, BATCH_SAMPLES // int(length))
        for start in range(0, len(clips), size):
            yield from forward(np.stack([to_float32(audio[i]) for i in clips[start : start + size]]))


def needs_gpu(entry: Mapping[str, Any]) -> bool:
    """Return whether a features entry is worth a GPU: a layer of an encoder is, MFCC, chroma and CQT are not."""
    return bool(entry["kind"] == "layer")


def extract_shard(
    audio: RaggedShard,
    out: str | Path,
    recipe: dict[str, Any],
    encoder_dir: str | Path | None = None,
) -> None:
    """Write the vectors of the drawn training clips of one audio shard, same ids, same order.

    Args:
        audio: int16 shard of the corpus.
        out: ``.npy`` path; rows (d,) float32, float16 for a layer.
        recipe: of the features.
        encoder_dir: Hugging Face folder, for a layer.

    Raises:
        UserError: see :meth:`Extractor.clips`.
    """
    entry = recipe["entry"]
    source = extractor(recipe, encoder_dir)
    chosen = draw_clips(audio, entry["sample_fraction"], entry["sample_seed"])
    logger.info("%d of %d clips drawn", len(chosen), len(audio))
    with stored_vectors.write(out, source.dtype, source.width, recipe["digest"], entry["frame_rate_hz"]) as writer:
        for name, values in source.clips(audio, chosen):
            writer.append(name, values)


def draw_clips(audio: RaggedShard, fraction: float, seed: int) -> list[int]:
    """Return which training clips of a shard are stored: a share, rounded up as fairseq does, in order on disk.

    The draw goes by a hash of each clip's id, so it depends neither on the order nor on the number of shards.
    """
    train = [i for i, split in enumerate(audio.attrs["splits"]) if split == "train"]
    count = math.ceil(round(fraction * len(train), 6))

    def lot(i: int) -> bytes:
        return hashlib.blake2b(f"{seed} {audio.ids[i]}".encode(), digest_size=8).digest()

    return sorted(sorted(train, key=lot)[:count])
