"""What one file holds, and its mono blocks, decoded block by block, so memory does not grow with length.

libsndfile (soundfile) decodes, else ffmpeg where it is installed. libsndfile believes the length a header claims, so
the containers are walked first: what they tell is held against what is there, and a file that tells no length or a
wrong one is decoded by what was counted. Resampling is libsoxr's (soxr, quality HQ).
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from . import chunks, ffmpeg, mpeg, ogg
from .errors import DecodeError, ffmpeg_line
from .levels import Levels
from .splice import Splice

__all__ = ["DecodeError", "Sound", "duration_s", "examine", "mono_blocks", "require_usable", "resampled"]
VERSION = 2
Audio = npt.NDArray[np.float32]
BLOCK_FRAMES = 1 << 18  # shorter ones cost time between the libraries
UNKNOWN_FRAMES = 1 << 62  # what libsndfile answers for a file that tells no length
MIN_DECODED = 0.95  # of what the header promises
FRAME = 2304  # samples: two frames of MP3, beyond what codecs lose at an end
RATES_HZ = (1000, 1_000_000)
MPEG_SUFFIXES = (".mp1", ".mp2", ".mp3", ".mpga")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sound:
    """What one file holds and how it is read.

    Attributes:
        path: of the file.
        sample_rate_hz: of its samples.
        channels: their number.
        frames: samples a channel, None where only decoding tells.
        parts: read one behind the other in place of the file; none: the file as it is.
        by_ffmpeg: libsndfile does not read it.
        notes: what is odd but no reason to refuse it.
    """

    path: Path
    sample_rate_hz: int
    channels: int
    frames: int | None
    parts: tuple[Splice, ...] = ()
    by_ffmpeg: bool = False
    notes: tuple[str, ...] = ()


def examine(path: str | Path) -> Sound:
    """Return what a file holds, by its container; samples are not decoded.

    Raises:
        DecodeError: it cannot be read, is no audio, is cut, or lacks parts.
    """
    path = Path(path)
    begin, inner = _first_bytes(path)
    parts: list[Splice] = []
    notes: list[str] = []
    counted: int | None = None
    if begin.startswith(ogg.MAGIC):
        parts, notes = ogg.examine(path)
    elif kind := chunks.kind_of(begin):
        whole, notes = chunks.examine(path, kind)
        parts = [whole] if whole else []
    elif begin.startswith(b".snd"):
        notes = chunks.examine_au(path, begin)
    elif mpeg.parse(inner) or (path.suffix.lower() in MPEG_SUFFIXES and not inner.startswith(b"fLaC")):
        whole, counted, notes = mpeg.examine(path) or (None, None, [])
        parts = [whole] if whole else []
    headers = []
    for part in parts or (None,):
        try:
            with _open(path, part) as stream:
                headers.append((stream.samplerate, stream.channels, stream.frames))
        except soundfile.LibsndfileError:
            return _by_ffmpeg(path, begin, notes)
    (rate_hz, channels), *others = {header[:2] for header in headers}
    if others:
        found = ", ".join(f"{rate} Hz x {channels}" for rate, channels, _ in headers[:3])
        raise DecodeError("mixed", f"streams of {found} in one file, expected one kind; convert: {ffmpeg_line(path)}")
    told = counted or sum(header[2] for header in headers)
    _require_rate(rate_hz)
    return Sound(path, rate_hz, channels, told if told < UNKNOWN_FRAMES else None, tuple(parts), False, tuple(notes))


def duration_s(path: str | Path | Sound) -> float:
    """Return the length of a file; one that does not tell it is decoded to its end.

    Raises:
        DecodeError: as for :func:`examine`, or :func:`mono_blocks` where it is decoded.
    """
    sound = path if isinstance(path, Sound) else examine(path)
    frames = sum(map(len, mono_blocks(sound, may_be_silent=True))) if sound.frames is None else sound.frames
    return frames / sound.sample_rate_hz


def require_usable(path: str | Path | Sound, may_be_silent: bool = False) -> None:
    """Decode a file to its end.

    Raises:
        DecodeError: as for :func:`mono_blocks`.
    """
    deque(mono_blocks(path, may_be_silent), maxlen=0)


def mono_blocks(path: str | Path | Sound, may_be_silent: bool = False) -> Iterator[Audio]:
    """Yield the mean of all channels, float32 (n,), in blocks of at most ``BLOCK_FRAMES`` samples.

    Args:
        path: of a file, or what :func:`examine` found in it.
        may_be_silent: the caller judges silence.

    Raises:
        DecodeError: the file is damaged, shorter than its header says, holds NaN or infinity, or its samples cannot be
            meant (see :class:`~.levels.Levels`); some of it only behind the last block.
    """
    sound = path if isinstance(path, Sound) else examine(path)
    weights = np.full(sound.channels, 1 / sound.channels, dtype=np.float32)
    levels = Levels()
    for block in _blocks(sound):
        mono = block.reshape(-1) if sound.channels == 1 else block @ weights
        done_s = levels.num_samples / sound.sample_rate_hz
        if not levels.add(mono if sound.channels == 1 else block, mono):
            raise DecodeError("not-finite", f"NaN or infinity after {done_s:.1f} s")
        yield mono
    notes = [*sound.notes, *_require_whole(sound, levels.num_samples), *levels.judge()]
    if not may_be_silent:
        levels.require_sound()
    for note in notes:
        logger.warning("%s: %s; kept", sound.path, note)


def resampled(blocks: Iterable[Audio], rate_hz: int, to_rate_hz: int) -> Iterator[Audio]:
    """Yield float32 blocks at ``to_rate_hz``; their sum of lengths is ``round(samples * to_rate_hz / rate_hz)``."""
    if rate_hz == to_rate_hz:
        yield from blocks
        return
    stream = soxr.ResampleStream(rate_hz, to_rate_hz, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)


def _blocks(sound: Sound) -> Iterator[Audio]:
    """Yield float32 blocks (n, channels), or (n,) of one channel."""
    if sound.by_ffmpeg:
        yield from ffmpeg.blocks(sound.path, BLOCK_FRAMES)
        return
    done = 0
    try:
        for part in sound.parts or (None,):
            with _open(sound.path, part) as stream:
                while len(block := stream.read(BLOCK_FRAMES, dtype="float32")):
                    done += len(block)
                    yield block
    except soundfile.LibsndfileError as error:
        found = f"decoding stops behind {done / sound.sample_rate_hz:.2f} s{_of(sound)}; fetch it again"
        raise DecodeError("damaged", f"{found}, or keep what is left: {ffmpeg_line(sound.path)}") from error


@contextlib.contextmanager
def _open(path: Path, part: Splice | None) -> Iterator[Any]:
    """Open a file, or a part of it, to be read from front to end."""
    with contextlib.ExitStack() as stack:
        source = str(path) if part is None else stack.enter_context(part.open(path))
        stream = stack.enter_context(soundfile.SoundFile(source))
        stream.seekable = lambda: False  # else soundfile seeks after each block, which breaks MP3 frames
        yield stream


def _require_whole(sound: Sound, done: int) -> list[str]:
    """Hold the samples that were decoded against those that were told, and return notes."""
    rate_hz = sound.sample_rate_hz
    if sound.frames is None or done >= sound.frames - FRAME:
        return []
    detail = f"decoded {done / rate_hz:.2f} s{_of(sound)}"
    if done < MIN_DECODED * sound.frames:
        raise DecodeError("truncated", detail)
    return [detail]


def _of(sound: Sound) -> str:
    return "" if sound.frames is None else f" of {sound.frames / sound.sample_rate_hz:.2f} s"


def _first_bytes(path: Path) -> tuple[bytes, bytes]:
    """Return the first bytes of a file, and the first behind an ID3v2 tag.

    Raises:
        DecodeError: it cannot be read, or is empty.
    """
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise DecodeError("unreadable", "not a regular file")
        with path.open("rb") as stream:
            begin = inner = stream.read(64)
            if begin.startswith(b"ID3") and len(begin) > 9:
                size = sum((byte & 127) << shift for byte, shift in zip(begin[6:10], (21, 14, 7, 0)))
                stream.seek(10 + size, os.SEEK_SET)
                inner = stream.read(64)
    except OSError as error:
        raise DecodeError("unreadable", str(error.strerror)) from None
    if not info.st_size:
        raise DecodeError("empty", "0 bytes")
    return begin, inner


def _by_ffmpeg(path: Path, begin: bytes, notes: list[str]) -> Sound:
    """Return what ffmpeg finds in a file that libsndfile does not read."""
    if ffmpeg.executable() is None and not ffmpeg.FOREIGN.match(begin):
        raise DecodeError("not-audio", f"begins with {begin[:12]!r}, expected audio")
    found = ffmpeg.probe(path)
    _require_rate(found.sample_rate_hz)
    return Sound(path, found.sample_rate_hz, found.channels, None, by_ffmpeg=True, notes=tuple(notes))


def _require_rate(rate_hz: int) -> None:
    low, high = RATES_HZ
    if not low <= rate_hz <= high:
        raise DecodeError("rate", f"{rate_hz} Hz, expected {low} to {high} Hz; correct the rate in its header")
