"""Judge WAV, RF64, Wave64, AIFF, CAF and AU by their data chunk: whole, cut, or written to a pipe without a length.

A program that writes to a pipe cannot go back to fill in sizes: it leaves 0 or the largest number, which promises
nothing. A size is credible where the container's own size says the same; only then are missing bytes a cut.
Layouts: RIFF (Microsoft 1991), RF64 (EBU Tech 3306), Wave64 (Sony Pictures Digital), AIFF 1.3 and CAF (Apple).
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .errors import DecodeError
from .splice import Splice

MIN_FOUND = 0.95
W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
MAX_HEAD = 1 << 26
MAX_BEHIND = 1 << 16  # bytes behind the end of the container that are no more than a tag
MAX_OTHER = 1 << 20  # bytes of other chunks behind samples whose size is credible


@dataclass(frozen=True)
class Kind:
    """How one container writes its chunks.

    Attributes:
        first: bytes in front of the first chunk.
        size: of a chunk's header.
        order: of bytes, for ``struct``.
        wide: sizes have 64 bits.
        data: name of the chunk that holds the samples.
        pad: chunks start at multiples of it.
        whole: position of the container's own size, 0 for none.
        counted: sizes include the chunk's header.
    """

    first: int
    size: int
    order: str
    wide: bool
    data: bytes
    pad: int
    whole: int
    counted: bool = False


RIFF = Kind(12, 8, "<", False, b"data", 2, 4)
RIFX = Kind(12, 8, ">", False, b"data", 2, 4)
AIFF = Kind(12, 8, ">", False, b"SSND", 2, 4)
W64 = Kind(40, 24, "<", True, b"data" + W64_TAIL, 8, 16, counted=True)
CAF = Kind(8, 12, ">", True, b"data", 1, 0)


@dataclass(frozen=True)
class Data:
    """Where the samples of a file lie and what its header says of them.

    Attributes:
        start: first byte of the samples.
        told: bytes that the chunk claims.
        whole: where the file ends by the container's own size, None without a credible one.
        field: position of the chunk's size.
    """

    start: int
    told: int
    whole: int | None
    field: int


def kind_of(head: bytes) -> Kind | None:
    """Return the container by the first bytes of a file, None for all others."""
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return RIFF
    if head[:4] == b"RIFX" and head[8:12] == b"WAVE":
        return RIFX
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return AIFF
    if head[:16] == W64_RIFF:
        return W64
    return CAF if head[:4] == b"caff" else None


def unknown(size: int, wide: bool) -> bool:
    """Return whether a size is one that programs write when they cannot know it."""
    if wide:
        return size <= 0 or size >= 1 << 48
    return size == 0 or 0x7F000000 <= size <= 0x80000100 or size >= 0xFFFF0000


def examine(path: str | Path, kind: Kind) -> tuple[Splice | None, list[str]]:
    """Return how to read a file whose header tells no length (None: as it is), and notes.

    Raises:
        DecodeError: samples are missing, or there are none.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as stream:
        found = _find(stream, kind, size)
        if found is None:
            raise DecodeError("damaged", f"{size} bytes without a chunk of samples; fetch it again")
        rest = size - found.start
        is_unknown = unknown(found.told, kind.wide)
        if found.told == 0 and (rest == 0 or _chunks_follow(stream, kind, found.start, size)):
            return None, []
        if not is_unknown and found.told <= rest:
            return None, _behind(stream, kind, found, size)
        credible = found.whole is not None and abs(found.whole - found.start - found.told) <= MAX_OTHER
        if not is_unknown and credible:
            if rest < MIN_FOUND * found.told:
                raise DecodeError("truncated", f"{rest} of {found.told} bytes of samples; fetch it again")
            notes = [f"the last {found.told - rest} of {found.told} bytes of samples are missing"]
            return (_told(stream, kind, found, rest) if kind is CAF else None), notes  # libsndfile refuses such a CAF
        if is_unknown and found.told not in (0, -1) and kind is not CAF:
            return None, []  # libsndfile takes the rest of the file
        return _told(stream, kind, found, rest), []


def examine_au(path: str | Path, head: bytes) -> list[str]:
    """Return notes on an AU file, whose samples follow its header to the end.

    Raises:
        DecodeError: samples are missing.
    """
    start, told = struct.unpack(">II", head[4:12].ljust(8, b"\0"))
    rest = os.path.getsize(path) - start
    if unknown(told, wide=False) or rest >= told:
        return []
    if rest < MIN_FOUND * told:
        raise DecodeError("truncated", f"{rest} of {told} bytes of samples; fetch it again")
    return [f"the last {told - rest} of {told} bytes of samples are missing"]


def _find(stream: BinaryIO, kind: Kind, size: int) -> Data | None:
    """Return where the samples are."""
    stream.seek(0)
    head = stream.read(kind.first)
    whole: int | None = None
    if kind.whole:
        told = _number(head[kind.whole :], kind)
        whole = None if unknown(told, kind.wide) else told + (0 if kind.counted else 8)
    at, long_size = kind.first, None
    while at + kind.size <= size:
        stream.seek(at)
        header = stream.read(kind.size)
        name = header[: kind.size - (8 if kind.wide else 4)]
        told = _number(header[len(name) :], kind) - (kind.size if kind.counted else 0)
        start = at + kind.size
        if name == b"ds64":
            riff, long_size = struct.unpack("<qq", stream.read(16).ljust(16, b"\0"))
            whole = riff + 8 if riff > 0 else None
        if name == kind.data:
            skip = {AIFF.data: 8, b"data": 4 if kind is CAF else 0}.get(name, 0)
            told = long_size if long_size is not None and told == 0xFFFFFFFF else told
            if kind is CAF and told < 0:
                whole = None
            return Data(start + skip, max(told - skip, 0), whole if kind.whole else start + told, len(name) + at)
        at = start + max(told, 0)
        at += -at % kind.pad
    return None


def _number(data: bytes, kind: Kind) -> int:
    code, size = ("q", 8) if kind.wide else ("I", 4)
    return int(struct.unpack(kind.order + code, data[:size].ljust(size, b"\0"))[0])


def _chunks_follow(stream: BinaryIO, kind: Kind, at: int, size: int) -> bool:
    """Return whether chunks, one behind the other, fill the file from ``at`` to its end."""
    while at + kind.size <= size:
        stream.seek(at)
        header = stream.read(kind.size)
        told = _number(header[kind.size - (8 if kind.wide else 4) :], kind) - (kind.size if kind.counted else 0)
        if told < 0 or not header[:4].isascii() or not header[:4].decode().isprintable():
            return False
        at += kind.size + told
        at += -at % kind.pad
    return size <= at <= size + kind.pad or at == size


def _behind(stream: BinaryIO, kind: Kind, found: Data, size: int) -> list[str]:
    """Return a note where bytes behind the samples are neither chunks nor padding."""
    at = found.start + found.told
    at += -at % kind.pad
    if found.whole and found.whole > at:
        at = found.whole
    left = size - at
    if left <= MAX_BEHIND or (_chunks_follow(stream, kind, at, size) and not found.whole):
        return []
    if left > (1 - MIN_FOUND) * size:
        raise DecodeError(
            "unread", f"{left} of {size} bytes lie behind the end that the header tells; write the file again"
        )
    return [f"{left} bytes behind the end that the header tells are left out"]


def _told(stream: BinaryIO, kind: Kind, found: Data, rest: int) -> Splice:
    """Return the file with the sizes that its header lacks."""
    stream.seek(0)
    head = bytearray(stream.read(min(found.start, MAX_HEAD)))
    skip = found.start - found.field - (8 if kind.wide else 4)

    def put(place: int, value: int) -> None:
        code, most = ("q", 1 << 62) if kind.wide else ("I", 0xFFFFFFFE)
        struct.pack_into(kind.order + code, head, place, min(value, most))

    put(found.field, rest + skip + (kind.size if kind.counted else 0))
    if kind.whole:
        put(kind.whole, found.start + rest - (0 if kind.counted else 8))
    if bytes(head[:4]) in (b"RF64", b"BW64") and head[12:16] == b"ds64":
        struct.pack_into("<I", head, 4, 0xFFFFFFFF)
        struct.pack_into("<I", head, found.field, 0xFFFFFFFF)
        struct.pack_into("<qq", head, 20, found.start + rest - 8, rest)
    return Splice(bytes(head), ((found.start, found.start + rest),))
