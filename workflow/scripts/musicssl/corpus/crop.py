"""Decode the files of one shard once and store consecutive clips as int16.

Law: the clips of a file, joined, are the file without a last remainder shorter than ``min_clip_s``. A file goes in
whole or not at all: samples wait in a spool (memory, then disk) until the end is reached without an error.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from ..artefacts import clips
from ..artefacts.listing import AudioFile
from ..config.recipes import Corpus
from ..geometry import to_int16
from ..runtime import progress
from ..signal.decode import DecodeError, examine, mono_blocks, resampled
from .usable import locate

VERSION = 1
SPOOL_BYTES = 1 << 26  # int16 at 16 kHz: files up to 35 minutes wait in memory
logger = logging.getLogger(__name__)


def crop_shard(files: Sequence[AudioFile], recipe: Corpus, digest: str, out: str | Path) -> None:
    """Write the clips of ``files`` as one shard of int16 samples; what cannot be used is listed in its attributes.

    Args:
        files: those of this shard, in order.
        recipe: root, rate, clip lengths and silence threshold.
        digest: of the recipe.
        out: ``.npy`` path of the shard.
    """
    splits: list[str] = []
    quarantine: list[tuple[str, str, str]] = []
    attrs = {"sample_rate_hz": recipe.sample_rate_hz, "splits": splits, "quarantine": quarantine}
    with clips.write(out, digest, **attrs) as writer:
        for file in progress(files, len(files), "files"):
            try:
                with tempfile.SpooledTemporaryFile(SPOOL_BYTES, dir=str(Path(out).parent)) as spool:
                    fill(spool, file, recipe)
                    for k, clip in enumerate(cut(spool, recipe)):
                        writer.append(f"{file.file}#{k}", clip)
                        splits.append(file.split)
            except DecodeError as error:
                logger.warning("set aside: %s: %s (%s)", file.file, error.reason, error)
                quarantine.append((file.file, error.reason, str(error)))
        hours = writer.offsets[-1] / recipe.sample_rate_hz / 3600
        logger.info("%d clips, %.2f h; %d files set aside", len(writer.ids), hours, len(quarantine))


def fill(spool: IO[bytes], file: AudioFile, recipe: Corpus) -> None:
    """Write a whole file as int16 samples at the rate of the corpus, and rewind.

    Raises:
        DecodeError: the file is damaged, silent, or too short for one clip.
    """
    sound, rate_hz = examine(locate(recipe, file.file)), recipe.sample_rate_hz
    peak = num_samples = 0
    for block in resampled(mono_blocks(sound, may_be_silent=True), sound.sample_rate_hz, rate_hz):
        if not len(block):
            continue
        pcm = to_int16(block)
        spool.write(pcm.tobytes())
        num_samples += len(pcm)
        peak = max(peak, int(pcm.max()), -int(pcm.min()))
    spool.seek(0)
    least = round(min(recipe.min_clip_s, recipe.clip_s) * rate_hz)
    if num_samples < least:
        raise DecodeError("short", f"{num_samples / rate_hz:.3f} s, expected at least {least / rate_hz:g} s for a clip")
    if peak < 32768 * 10 ** (recipe.silence_dbfs / 20):
        raise DecodeError("silent", f"peak {peak} of 32768, expected more than {recipe.silence_dbfs:g} dB")


def cut(spool: IO[bytes], recipe: Corpus) -> Iterator[npt.NDArray[np.int16]]:
    """Yield consecutive clips (samples,) of ``clip_s``, and the remainder if it lasts ``min_clip_s``."""
    clip_bytes = 2 * round(recipe.clip_s * recipe.sample_rate_hz)
    least_bytes = 2 * round(recipe.min_clip_s * recipe.sample_rate_hz)
    while len(data := spool.read(clip_bytes)) >= least_bytes:
        yield np.frombuffer(data, np.int16)
