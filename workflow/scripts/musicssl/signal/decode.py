"""Decode one file into mono blocks at the rate of the corpus, block by block, so memory does not grow with length.

Decoding is libsndfile's (soundfile), resampling is libsoxr's (soxr, quality HQ). libsndfile believes the length an MP3
claims; one of variable bit rate without a Xing header claims nothing, and is read as far as its first frame suggests.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

VERSION = 1
Audio = npt.NDArray[np.float32]
BLOCK_FRAMES = 1 << 18  # shorter ones cost time between the libraries
UNKNOWN_FRAMES = 1 << 62  # what libsndfile answers for a FLAC without a total
MIN_DECODED = 0.95  # of what the header promises
STREAMED_SIZES = (0xFFFFFFFF, 0x7FFFFFFF)  # written to a pipe: the header never promised a length
logger = logging.getLogger(__name__)


class DecodeError(ValueError):
    """A file cannot be used; ``reason`` is one word for the quarantine."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class _Stream(soundfile.SoundFile):
    """A file read from front to end: soundfile seeks after each block of a seekable one, which breaks MP3 frames."""

    def seekable(self) -> bool:
        return False


def mono_blocks(path: str | Path) -> Iterator[Audio]:
    """Yield the mean of all channels, float32 (n,), in blocks of at most ``BLOCK_FRAMES`` samples.

    Raises:
        DecodeError: the file is damaged, shorter than its header says, or holds NaN or infinity.
    """
    try:
        with _Stream(str(path)) as stream:
            weights = np.full(stream.channels, 1 / stream.channels, dtype=np.float32)
            done = 0
            while len(block := stream.read(BLOCK_FRAMES, dtype="float32")):
                mono = block if stream.channels == 1 else block @ weights
                if not np.isfinite(mono).all():
                    raise DecodeError("not-finite", f"NaN or infinity after {done / stream.samplerate:.1f} s")
                done += len(mono)
                yield mono
            promised, rate = stream.frames, stream.samplerate
            counted = stream.format != "MP3" or _has_length_header(path)
    except soundfile.LibsndfileError as error:
        raise DecodeError("damaged", f"decoder: {error}") from error
    if promised < UNKNOWN_FRAMES and done < MIN_DECODED * promised:
        detail = f"decoded {done / rate:.2f} s of {promised / rate:.2f} s"
        if counted:
            raise DecodeError("truncated", detail)
        logger.warning("%s: %s, a length estimated without a Xing header; kept", path, detail)


def require_whole(header: Any) -> None:
    """Check that a file has the bytes its chunks claim; libsndfile itself reads a cut WAV as a short one.

    Args:
        header: as ``soundfile.info(path, verbose=True)`` gives it.

    Raises:
        DecodeError: it is cut.
    """
    for promised, found in re.findall(r"(\d+) \(should be (\d+)\)", header.extra_info):
        if int(promised) not in STREAMED_SIZES and int(found) < MIN_DECODED * int(promised):
            raise DecodeError("truncated", f"{found} bytes, header says {promised}")


def resampled(blocks: Iterable[Audio], rate_hz: int, to_rate_hz: int) -> Iterator[Audio]:
    """Yield float32 blocks at ``to_rate_hz``; their sum of lengths is ``round(samples * to_rate_hz / rate_hz)``."""
    if rate_hz == to_rate_hz:
        yield from blocks
        return
    stream = soxr.ResampleStream(rate_hz, to_rate_hz, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)


def _has_length_header(path: str | Path) -> bool:
    """Return whether the first frame of an MP3 tells how many follow (Xing, Info or VBRI)."""
    with open(path, "rb") as stream:
        head = stream.read(10)
        size = sum((byte & 127) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0)))
        stream.seek(10 + size if head[:3] == b"ID3" else 0)
        frame = stream.read(4096)
    return any(tag in frame for tag in (b"Xing", b"Info", b"VBRI"))
