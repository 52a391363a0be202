"""A second decoder for what libsndfile does not read (AAC, ALAC, WebM, WMA, Monkey's Audio, ...): ``ffmpeg``, if there.

It is looked for on PATH, not required. It writes float samples in AU to a pipe, at the rate of the file. Formats that
name other files or addresses (playlists, concatenations) are not allowed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np
import numpy.typing as npt

from .errors import DecodeError, ffmpeg_line

FORMATS = (
    *("aac", "ac3", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "dsf", "dts", "eac3", "flac", "flv", "matroska"),
    *("mov", "mp3", "mp4", "mpc", "mpc8", "mpeg", "mpegts", "ogg", "rm", "tak", "tta", "w64", "wav", "wv"),
)
FOREIGN = re.compile(  # first bytes of what ffmpeg reads and libsndfile does not
    rb"....ftyp|....moov|....mdat|\x1aE\xdf\xa3|\xff[\xf0\xf1\xf8\xf9]|\x30\x26\xb2\x75|wvpk|MAC |MP\+|MPCK|TTA|tBaK"
    rb"|DSD |#!AMR|FLV|\.RMF|\x0bw|\x7f\xfe\x80\x01|OggS",
    re.DOTALL,
)
MIN_FOUND = 0.95
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Format:
    """What ffmpeg decodes to."""

    sample_rate_hz: int
    channels: int


def executable() -> str | None:
    """Return where ffmpeg is, None where it is not installed."""
    return shutil.which("ffmpeg")


def probe(path: str | Path) -> Format:
    """Return rate and channels of the first sound in a file.

    Raises:
        DecodeError: there is none, or ffmpeg is not installed.
    """
    with _running(path) as (process, log):
        assert process.stdout
        format_ = _read_header(process.stdout)
        if format_ is None:
            process.wait()
            raise _no_sound(path, log)
        return format_


def blocks(path: str | Path, num_frames: int) -> Iterator[npt.NDArray[np.float32]]:
    """Yield float32 blocks (n, channels) of at most ``num_frames`` samples a channel.

    Raises:
        DecodeError: the file is damaged, or holds less than 0.95 of the length it tells.
    """
    with _running(path) as (process, log):
        assert process.stdout
        format_ = _read_header(process.stdout)
        if format_ is None:
            process.wait()
            raise _no_sound(path, log)
        done, size = 0, 4 * format_.channels
        while data := process.stdout.read(size * num_frames):
            block = np.frombuffer(data[: len(data) // size * size], ">f4").astype(np.float32)
            done += len(block) // format_.channels
            yield block.reshape(-1, format_.channels)
        code, found_s = process.wait(), done / format_.sample_rate_hz
        told_s = _told_s(log)
        if told_s is not None and found_s < MIN_FOUND * told_s:
            raise DecodeError("truncated", f"decoded {found_s:.2f} s of {told_s:.2f} s; fetch it again")
        if code:
            raise DecodeError("damaged", f"decoding stops after {found_s:.2f} s; fetch it again")
        if errors := _text(log).count("Error while decoding"):
            logger.warning("%s: %d packets are damaged and left out; kept", path, errors)


@contextlib.contextmanager
def _running(path: str | Path) -> Iterator[tuple[subprocess.Popen[bytes], BinaryIO]]:
    """Start ffmpeg on a file, and end it with the block."""
    program = executable()
    if program is None:
        detail = f"libsndfile does not read it; install ffmpeg, or convert it elsewhere: {ffmpeg_line(path)}"
        raise DecodeError("needs-ffmpeg", detail)
    command = [program, "-nostdin", "-hide_banner", "-nostats", "-protocol_whitelist", "file,pipe"]
    command += ["-format_whitelist", ",".join(FORMATS), "-i", f"file:{os.path.abspath(path)}", "-map", "0:a:0"]
    command += ["-c:a", "pcm_f32be", "-f", "au", "pipe:1"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        try:
            yield process, log
        finally:
            process.kill()
            assert process.stdout
            process.stdout.close()
            process.wait()


def _read_header(stream: IO[bytes]) -> Format | None:
    """Read the header of AU, None where there is none."""
    head = stream.read(24)
    if len(head) < 24:
        return None
    magic, offset, _, _, rate_hz, channels = struct.unpack(">4sIIIII", head)
    if magic != b".snd" or not rate_hz or not channels:
        return None
    stream.read(offset - 24)
    return Format(rate_hz, channels)


def _no_sound(path: str | Path, log: BinaryIO) -> DecodeError:
    text = _text(log)
    with open(path, "rb") as stream:
        begin = stream.read(12)
    if "moov atom not found" in text and begin[4:8] in (b"ftyp", b"mdat"):
        return DecodeError("truncated", "an MP4 file without its index (moov), which is written last; fetch it again")
    if "matches no streams" in text:
        return DecodeError("not-audio", "a file without a sound track; remove it")
    return DecodeError("not-audio", f"neither libsndfile nor ffmpeg finds sound in it; it begins with {begin!r}")


def _text(log: BinaryIO) -> str:
    log.seek(0)
    return log.read(1 << 20).decode(errors="replace")


def _told_s(log: BinaryIO) -> float | None:
    """Return the length that the container tells, None where it tells none."""
    text = _text(log)
    match = re.search(r"^ *Duration: (\d+):(\d+):(\d+\.\d+)", text, re.MULTILINE)
    if not match or "Estimating duration" in text:
        return None
    return 3600 * int(match[1]) + 60 * int(match[2]) + float(match[3])
