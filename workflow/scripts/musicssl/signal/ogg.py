"""Walk the pages of an Ogg file: every page is there, is whole, and the stream ends where its encoder ended it.

libsndfile reads over lost pages, and takes the last page that is there for the end. Of streams one behind the other
(chained) it reads the first, so each is given to it as a file of its own.
Pages: RFC 3533.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from .errors import DecodeError
from .splice import Splice

MAGIC = b"OggS"
HEADER = struct.Struct("<4sBBqIIIB")
CONTINUED, BEGIN, END = 1, 2, 4  # flags of a page
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass
class Link:
    """One of the streams that follow one another, maybe of several that are interleaved."""

    start: int
    stop: int = 0
    pages: dict[int, int] = field(default_factory=dict)  # serial number to the number of its last page
    open: set[int] = field(default_factory=set)  # serial numbers whose last page was not seen


def checksum(page: bytes) -> int:
    """Return the checksum of a page whose checksum field is zero: CRC-32 of polynomial 0x04C11DB7, bits not reversed.

    ``zlib`` has the same polynomial with all bits reversed.
    """
    reverse = zlib.crc32(page.translate(REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(reverse.to_bytes(4, "little").translate(REVERSED), "big")


def examine(path: str | Path) -> tuple[list[Splice], list[str]]:
    """Return how to read each stream of a chained file (none for a single one: the file as it is), and notes.

    Raises:
        DecodeError: pages are missing or damaged, or the last stream has no end.
    """
    with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        links, notes = _walk(data)
    if len(links) == 1:
        return [], notes
    return [Splice(b"", ((link.start, link.stop),)) for link in links], notes


def _walk(data: mmap.mmap) -> tuple[list[Link], list[str]]:
    links: list[Link] = []
    notes: list[str] = []
    at, began = data.find(MAGIC), False
    while 0 <= at < len(data):
        size, flags, serial, number = _page(data, at)
        begins = bool(flags & BEGIN)
        if begins and not began:
            links.append(Link(at))
        if not links:
            raise DecodeError("damaged", f"its first page, at byte {at}, is not the first of a stream; fetch it again")
        began, link = begins, links[-1]
        if not begins and serial not in link.pages:
            raise DecodeError("damaged", f"the page at byte {at} belongs to a stream that never began; fetch it again")
        if not begins and number != (link.pages[serial] + 1) % 2**32:
            raise DecodeError(
                "damaged",
                f"page {number} follows page {link.pages[serial]} at byte {at} of {len(data)}; fetch it again",
            )
        link.pages[serial] = number
        link.open.add(serial)
        if flags & END:
            link.open.discard(serial)
        at += size
        link.stop = at
        if at < len(data) and data[at : at + 4] != MAGIC:
            found = data.find(MAGIC, at)
            if found < 0 and not link.open:
                notes.append(f"{len(data) - at} bytes behind the last page are left out")
                break
            what = f"bytes {at} to {found if found >= 0 else len(data)} of {len(data)} are no page"
            raise DecodeError("damaged" if found >= 0 else "truncated", f"{what}; fetch it again")
    if links[-1].open:
        raise DecodeError(
            "truncated", f"the stream has no end: the last of {sum(_counts(links[-1]))} pages is not marked as the last"
        )
    return links, notes


def _counts(link: Link) -> list[int]:
    return [last + 1 for last in link.pages.values()]


def _page(data: mmap.mmap, at: int) -> tuple[int, int, int, int]:
    """Return size, flags, serial number and number of a page.

    Raises:
        DecodeError: it is cut, or its checksum is another.
    """
    header = data[at : at + HEADER.size]
    if len(header) < HEADER.size or len(data) < at + HEADER.size + header[26]:
        raise DecodeError("truncated", f"its last page, at byte {at} of {len(data)}, is cut; fetch it again")
    _, _, flags, _, serial, number, crc, segments = HEADER.unpack(header)
    size = HEADER.size + segments + sum(data[at + HEADER.size : at + HEADER.size + segments])
    page = bytearray(data[at : at + size])
    if len(page) < size:
        raise DecodeError("truncated", f"its last page, at byte {at} of {len(data)}, is cut; fetch it again")
    page[22:26] = bytes(4)
    if checksum(bytes(page)) != crc:
        raise DecodeError("damaged", f"page {number} at byte {at} of {len(data)} has another checksum; fetch it again")
    return size, flags, serial, number
