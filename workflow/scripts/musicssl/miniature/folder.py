"""One folder of synthesised data: written beside its place, listed with checksums, then renamed as a whole."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import soundfile

from ..runtime import UserError
from .synth import Audio

NOTICE = "SYNTHETIC.txt"
TEXT = "Synthesised by musicssl.miniature in the layout of a real data set. Safe to delete; made again on demand.\n"
MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
MP3_COMPRESSION = 0.9  # of the variable bit rate, 0 (best) to 1: about 40 kbit/s, as small previews are


class Folder:
    """Files of one data set, by path relative to its root; remembers the checksum of each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files: dict[str, str] = {}

    def data(self, name: str, content: bytes) -> None:
        """Write one file."""
        if name in self.files:
            raise AssertionError(f"{name} written twice")
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.files[name] = hashlib.sha256(content).hexdigest()

    def text(self, name: str, content: str) -> None:
        """Write one UTF-8 file, line ends as they are given."""
        self.data(name, content.encode())

    def json(self, name: str, value: Any) -> None:
        """Write one JSON file."""
        self.text(name, json.dumps(value, indent=1) + "\n")

    def table(self, name: str, rows: Iterable[Iterable[Any]], quoting: Any = csv.QUOTE_MINIMAL, **dialect: Any) -> None:
        """Write rows as delimited text; ``dialect`` as in :func:`csv.writer`, LF line ends unless it says other."""
        stream = io.StringIO()
        csv.writer(stream, quoting=quoting, **{"lineterminator": "\n", **dialect}).writerows(rows)
        self.text(name, stream.getvalue())

    def audio(self, name: str, wave: Audio, rate: int) -> bytes:
        """Write ``wave`` (n,) or (n, channels) in the format of the suffix and return the encoded bytes."""
        stream = io.BytesIO()
        suffix = Path(name).suffix[1:].upper()
        options = {"MP3": {"compression_level": MP3_COMPRESSION, "bitrate_mode": "VARIABLE"}}.get(suffix, {})
        soundfile.write(stream, wave, rate, format=suffix, **options)
        content = stream.getvalue()
        if suffix == "OGG":
            content = with_fixed_serial(content)
        self.data(name, content)
        return content


def with_fixed_serial(ogg: bytes) -> bytes:
    """Return an Ogg file whose stream serial number, random in libsndfile, is 1 (RFC 3533, section 6)."""
    out = bytearray(ogg)
    start = 0
    while start < len(out):
        segments = out[start + 26]
        end = start + 27 + segments + sum(out[start + 27 : start + 27 + segments])
        out[start + 14 : start + 18] = (1).to_bytes(4, "little")
        out[start + 22 : start + 26] = bytes(4)
        mirrored = zlib.crc32(bytes(out[start:end]).translate(MIRROR), 0xFFFFFFFF) ^ 0xFFFFFFFF
        out[start + 22 : start + 26] = mirrored.to_bytes(4, "big").translate(MIRROR)  # CRC-32 read backwards
        start = end
    return bytes(out)


@contextlib.contextmanager
def fresh_folder(root: Path, seed: int, counts: dict[str, int]) -> Iterator[Folder]:
    """Yield an empty folder beside ``root``; give it that name, with its list ``written.json``, when all went well.

    Args:
        root: where the data set belongs; synthetic data that lies there is replaced.
        seed: noted in the list.
        counts: items, noted in the list.

    Raises:
        UserError: ``root`` holds something that this module did not write.
    """
    if root.exists() and any(root.iterdir()) and not (root / NOTICE).exists():
        raise UserError(
            f"{root}: found files that are not synthetic, expected an empty or missing folder; "
            "set miniature.root to another folder"
        )
    part = root.with_name(f".{root.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        folder = Folder(part)
        folder.text(NOTICE, TEXT)
        yield folder
        files = dict(sorted(folder.files.items()))
        folder.json("written.json", {"seed": seed, "counts": counts, "files": files})
        shutil.rmtree(root, ignore_errors=True)
        os.replace(part, root)
    finally:
        shutil.rmtree(part, ignore_errors=True)
