"""Count the frames of MPEG audio (MP1, MP2, MP3) by walking their headers, and splice a stream that tells its length.

libsndfile believes the length that a Xing header claims. Without one it estimates the length from the first frames and
reads no further than that; a header made here, in front of all audio frames, makes it read the whole file.
Frame headers: ISO/IEC 11172-3 section 2.4.1.3; Xing, Info and VBRI as LAME and Fraunhofer's encoder write them.
"""

from __future__ import annotations

import itertools
import mmap
import re
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .errors import DecodeError, ffmpeg_line
from .splice import Splice

KBITS = {  # by (MPEG 1, layer): bit rates of the indexes 1 to 14
    (True, 1): range(32, 449, 32),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
RATES_HZ = (44100, 48000, 32000)  # of MPEG 1; half for MPEG 2, a quarter for 2.5
VERSIONS = {3: 1, 2: 2, 0: 4}  # bits to the divisor of the sampling rate
SYNC = re.compile(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff][\x10-\xef]")
MAX_TRIES = 1 << 18  # what looks like headers and is none, in a row: megabytes of junk made to look like them
CONFIRM = 3  # headers in a row: chance finds two in a few megabytes of junk
XING_OFFSETS = (13, 21, 36)  # behind the side information: mono MPEG 2, mono or MPEG 2, stereo
VBRI_OFFSET = 36
MIN_FOUND = 0.95


@dataclass(frozen=True)
class Format:
    """What is the same in all frames of one stream."""

    layer: int
    sample_rate_hz: int
    channels: int
    frame_samples: int


@dataclass(frozen=True)
class Frames:
    """What a walk over a file found.

    Attributes:
        format: of the first frame.
        first: header bytes of the first audio frame.
        count: audio frames; headers that tell a length are none.
        spans: (start, stop) of audio frames in a row.
        told: frames that the Xing or Info header in the first frame claims, None without one.
        junk: bytes that are neither frames nor tags.
        cut: bytes missing from the last frame.
    """

    format: Format
    first: bytes
    count: int
    spans: tuple[tuple[int, int], ...]
    told: int | None
    junk: int
    cut: int


def parse(header: bytes) -> tuple[Format, int] | None:
    """Return format and length in bytes of a frame by its first four bytes, None where they are no header."""
    if len(header) < 4 or header[0] != 255 or header[1] < 0xE0:
        return None
    version, layer = VERSIONS.get(header[1] >> 3 & 3, 0), 4 - (header[1] >> 1 & 3)
    bit_rate, rate, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if not version or layer == 4 or rate == 3 or bit_rate in (0, 15):
        return None
    rate_hz = RATES_HZ[rate] // version
    bits = 1000 * KBITS[version == 1, layer][bit_rate - 1]
    samples = {1: 384, 2: 1152, 3: 1152 if version == 1 else 576}[layer]
    slot = 4 if layer == 1 else 1
    size = (samples // 8 // slot * bits // rate_hz + padding) * slot
    return Format(layer, rate_hz, 1 if header[3] >> 6 == 3 else 2, samples), size


def walk(path: str | Path) -> Frames | None:
    """Walk all frames of a file; None where there are none that follow one another.

    Raises:
        DecodeError: streams of different sampling rates follow one another.
    """
    with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _walk(data, path)


def _walk(data: mmap.mmap, path: str | Path) -> Frames | None:
    size = len(data)
    at = _behind_tags(data, 0)
    start = _next_frame(data, at)
    if start is None:
        return None
    junk, at = start - at, start
    parsed = parse(data[at : at + 4])
    assert parsed
    format_ = parsed[0]
    lengths = _lengths(data[at : at + 4])
    heads = _length_headers(data)
    told = _told(data, at) if at in heads else None
    spans: list[tuple[int, int]] = []
    count, cut, first = 0, 0, b""
    while at < size:
        begin = at
        while at + 4 <= size and data[at] == 255 and at not in heads:
            if not (length := lengths.get(data[at + 1] << 8 | data[at + 2], 0)):
                break
            at += length
            count += 1
        if at > begin:
            first = first or data[begin : begin + 4]
            if at > size:
                cut = at - size
                count -= 1
                spans.append((begin, size))
                break
            spans.append((begin, at))
        if at in heads and (length := lengths.get(data[at + 1] << 8 | data[at + 2], 0)):
            at += length
            continue
        behind = _behind_tags(data, at)
        if behind == at:
            found = _next_frame(data, at)
            behind = size if found is None else found
            junk += behind - at
        at = behind
        if at + 4 <= size and (other := parse(data[at : at + 4])) and other[0].sample_rate_hz != format_.sample_rate_hz:
            raise DecodeError(
                "mixed",
                f"{format_.sample_rate_hz} Hz up to byte {begin}, then {other[0].sample_rate_hz} Hz; "
                f"expected one rate; convert it: {ffmpeg_line(path)}",
            )
        if other := parse(data[at : at + 4]):
            lengths = _lengths(data[at : at + 4])
    if not count:
        return None
    return Frames(format_, first, count, tuple(spans), told, junk, cut)


def _lengths(header: bytes) -> dict[int, int]:
    """Return the length of a frame by its second and third byte, for all that may follow ``header`` in one stream."""
    return _lengths_of(header[1] & 0xFE, header[2] & 0x0C)


@lru_cache
def _lengths_of(second: int, rate: int) -> dict[int, int]:
    keys = [(second | crc, high << 4 | rate | low) for crc in (0, 1) for high in range(16) for low in range(4)]
    found = {one << 8 | two: parse(bytes([255, one, two, 0])) for one, two in keys}
    return {key: parsed[1] for key, parsed in found.items() if parsed}


def _next_frame(data: mmap.mmap, at: int) -> int | None:
    """Return where the next frame starts that ``CONFIRM`` - 1 others follow, or as many as the file still holds."""
    for match in itertools.islice(SYNC.finditer(data, at), MAX_TRIES):
        place, lengths = match.start(), None
        for _ in range(CONFIRM):
            header = data[place : place + 4]
            if lengths is None:
                lengths = _lengths(header) if parse(header) else {}
            length = lengths.get(header[1] << 8 | header[2], 0) if len(header) == 4 and header[0] == 255 else 0
            if not length:
                break
            place += length
            if place >= len(data) or data[place : place + 3] in (b"TAG", b"APE", b"ID3"):
                break
        if length:
            return match.start()
    return None


def _behind_tags(data: mmap.mmap, at: int) -> int:
    """Return the position behind ID3v2, ID3v1 and APE tags that start at ``at``."""
    while True:
        if data[at : at + 3] == b"ID3" and len(head := data[at : at + 10]) == 10 and max(head[6:10]) < 128:
            footer = 10 if head[5] & 16 else 0
            at += 10 + footer + sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0)))
        elif data[at : at + 3] == b"TAG":
            at += 128
        elif data[at : at + 8] == b"APETAGEX" and len(head := data[at : at + 32]) == 32:
            size, _, flags = struct.unpack("<III", head[12:24])
            at += 32 + (size if flags & 0x20000000 else 0)
        else:
            return min(at, len(data))
        if at >= len(data):
            return len(data)


def _length_headers(data: mmap.mmap) -> set[int]:
    """Return where frames would start that hold a Xing, Info or VBRI header."""
    found = set()
    for word, offsets in ((b"Xing", XING_OFFSETS), (b"Info", XING_OFFSETS), (b"VBRI", (VBRI_OFFSET,))):
        at = data.find(word)
        while at >= 0:
            found |= {at - offset for offset in offsets if at >= offset and _is_quiet(data, at - offset, offset)}
            at = data.find(word, at + 4)
    return found


def _is_quiet(data: mmap.mmap, at: int, offset: int) -> bool:
    """Return whether a frame has a header and the empty side information of a frame that tells a length."""
    parsed = parse(data[at : at + 4])
    if not parsed or parsed[0].layer != 3:
        return False
    return offset in (4 + _side_bytes(parsed[0]), VBRI_OFFSET) and not any(data[at + 6 : at + offset])


def _side_bytes(format_: Format) -> int:
    """Return the length of the side information of a Layer III frame."""
    sizes = (17, 32) if format_.frame_samples == 1152 else (9, 17)
    return sizes[format_.channels - 1]


def _told(data: mmap.mmap, at: int) -> int | None:
    """Return the frames that a Xing or Info header claims."""
    for offset in XING_OFFSETS:
        word, flags, frames = struct.unpack(">4sII", data[at + offset : at + offset + 12].ljust(12, b"\0"))
        if word in (b"Xing", b"Info"):
            return int(frames) if flags & 1 else None
    return None


def spliced(frames: Frames) -> Splice:
    """Return all audio frames of a Layer III file behind a Xing header that counts them."""
    offset = 4 + _side_bytes(frames.format)
    for bit_rate in range(1, 15):
        header = bytes([255, frames.first[1] | 1, bit_rate << 4 | frames.first[2] & 0x0C, frames.first[3]])
        parsed = parse(header)
        if parsed and parsed[1] >= offset + 16:
            break
    assert parsed
    total = parsed[1] + sum(stop - start for start, stop in frames.spans)
    tag = struct.pack(">4sIII", b"Xing", 3, frames.count, min(total, 0xFFFFFFFF))
    return Splice((header + bytes(offset - 4) + tag).ljust(parsed[1], b"\0"), frames.spans)


def examine(path: str | Path) -> tuple[Splice | None, int | None, list[str]] | None:
    """Return how to read an MPEG audio file to its end; None where the file holds no such frames.

    Returns:
        The bytes to decode in place of the file (None: the file as it is), their samples a channel (None: as the
        decoder says), and notes.

    Raises:
        DecodeError: the file is cut or damaged by what it tells of itself.
    """
    frames = walk(path)
    if frames is None:
        return None
    rate, samples = frames.format.sample_rate_hz, frames.format.frame_samples
    total = frames.count * samples
    size = sum(stop - start for start, stop in frames.spans)
    if frames.told and frames.count < MIN_FOUND * frames.told:
        raise DecodeError(
            "truncated",
            f"{frames.count} of {frames.told} MPEG frames ({total / rate:.2f} of {frames.told * samples / rate:.2f} s)",
        )
    if frames.junk > (1 - MIN_FOUND) * (size + frames.junk):
        raise DecodeError(
            "damaged",
            f"{frames.junk} of {size + frames.junk} bytes are no MPEG frames; fetch it again, or keep what is left: "
            f"{ffmpeg_line(path)}",
        )
    notes = [f"{frames.junk} bytes between MPEG frames are no audio and left out"] if frames.junk else []
    if frames.cut:
        notes.append(f"the last of {frames.count + 1} MPEG frames lacks {frames.cut} bytes and is left out")
    if frames.told and frames.told >= frames.count and not frames.junk:
        if frames.told - frames.count > 1:
            notes.append(f"{frames.count} of {frames.told} MPEG frames are there")
        return None, None, notes
    if frames.format.layer != 3:
        return None, total, notes
    if frames.told and frames.count - frames.told > 1:
        notes.append(f"the header tells {frames.told} MPEG frames, {frames.count} are there and used")
    return spliced(frames), None, notes
