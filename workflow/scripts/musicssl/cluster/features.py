"""One shard of audio to one shard of frame vectors: MFCC, or a layer of a trained encoder.

Clips are taken whole, never padded, so vector j of a clip is what its samples [hop j, hop j + 400) and, for a layer,
their context say.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..artefacts import RaggedShard, RaggedWriter, read_json
from ..config.recipes import LayerFeatures, MfccFeatures
from ..runtime import UserError, device, progress

Array = npt.NDArray[np.floating]
MFCC_RATE_HZ = 100
MIN_SAMPLES = 400
BATCH_SAMPLES = 120 * 16000
logger = logging.getLogger(__name__)


def extract_shard(
    audio_path: str | Path,
    out: str | Path,
    recipe: MfccFeatures | LayerFeatures,
    digest: str,
    corpus_digest: str,
    encoder_dir: str | Path | None = None,
) -> None:
    """Write the feature vectors of every clip of one audio shard, same ids, same order.

    Args:
        audio_path: int16 shard of the corpus.
        out: ``.npy`` path; rows (d,) float32 for MFCC, float16 for a layer.
        recipe: which features.
        digest: of the features recipe.
        corpus_digest: of the corpus recipe; a shard of another one is refused.
        encoder_dir: Hugging Face folder, for a layer.

    Raises:
        UserError: a clip is too short for one frame, or its features are NaN or infinite.
    """
    audio = RaggedShard(audio_path, corpus_digest)
    for name, length in zip(audio.ids, audio.lengths()):
        if length < MIN_SAMPLES:
            raise UserError(f"{audio_path}: clip {name} has {length} samples, expected {MIN_SAMPLES}; raise min_clip_s")
    if isinstance(recipe, MfccFeatures):
        dtype: npt.DTypeLike = np.float32
        width, vectors = 3 * recipe.num_ceps, mfcc_vectors(audio, recipe)
    else:
        assert encoder_dir is not None
        dtype = np.float16
        width, vectors = layer_vectors(audio, recipe, Path(encoder_dir))
    attrs = {"frame_rate_hz": recipe.frame_rate_hz, "splits": audio.attrs["splits"]}
    with RaggedWriter(out, dtype, (width,), digest, **attrs) as writer:
        for name, values in progress(zip(audio.ids, vectors), len(audio), "clips"):
            with np.errstate(over="ignore"):  # beyond float16 is infinite, found below
                stored = values.astype(dtype, copy=False)
            if not np.isfinite(stored).all():
                raise UserError(
                    f"{audio_path}: {recipe.kind} features of clip {name} are NaN or infinite in {stored.dtype}, "
                    "expected finite numbers; listen to the clip, and look for NaN in the encoder's weights"
                )
            writer.append(name, stored)


def mfcc_vectors(audio: RaggedShard, recipe: MfccFeatures) -> Iterator[Array]:
    """Yield MFCC (L, 3 * num_ceps) clip by clip; at 50 Hz every second frame."""
    from ..audio.decode import to_float32
    from ..audio.mfcc import mfcc

    for i in range(len(audio)):
        yield mfcc(to_float32(audio[i]), recipe.num_ceps, recipe.num_mel_bins)[:: MFCC_RATE_HZ // recipe.frame_rate_hz]


def layer_vectors(audio: RaggedShard, recipe: LayerFeatures, encoder_dir: Path) -> tuple[int, Iterator[Array]]:
    """Return the width of a layer and an iterator over its outputs (T, D) float32, clip by clip."""
    import torch

    from ..models import layer_output, load_encoder

    where = device()
    encoder = load_encoder(encoder_dir).to(where).eval()
    normalize = read_json(encoder_dir / "preprocessor_config.json")["do_normalize"]
    logger.info("layer %d of %s on %s, clip normalisation: %s", recipe.layer, encoder_dir, where, normalize)

    def forward(wave: npt.NDArray[np.float32]) -> Array:
        batch = torch.from_numpy(wave).to(where)
        if normalize:
            batch = torch.nn.functional.layer_norm(batch, batch.shape[1:])
        return layer_output(encoder, batch, recipe.layer).float().cpu().numpy()

    return encoder.config.hidden_size, in_batches(audio, forward)


def in_batches(audio: RaggedShard, forward: Callable[[npt.NDArray[np.float32]], Array]) -> Iterator[Array]:
    """Yield ``forward`` of each clip, giving it consecutive clips of equal length (B, S) together, in [-1, 1)."""
    from ..audio.decode import to_float32

    for length, run in groupby(range(len(audio)), key=audio.lengths().__getitem__):
        clips = list(run)
        size = max(1, BATCH_SAMPLES // int(length))
        for start in range(0, len(clips), size):
            yield from forward(np.stack([to_float32(audio[i]) for i in clips[start : start + size]]))
