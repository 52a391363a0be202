"""The list of a dataset's recordings, with what their headers say and the digest of their bytes."""

from __future__ import annotations

import hashlib
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..artefacts.recordings import Recording
from ..runtime import UserError, progress
from . import adapter, disk

logger = logging.getLogger(__name__)
VERSION = 1
"""Raised when other recordings are listed, or in another order."""


def list_recordings(dataset: str, root: str | Path, num_threads: int) -> list[Recording]:
    """Return every audio file of a dataset that some target may use, in the order of the paths.

    Args:
        dataset: one of :data:`~musicssl.datasets.DATASETS`.
        root: its folder as downloaded.
        num_threads: files read at once.

    Raises:
        UserError: the folder is missing or holds none, or a file cannot be read.
    """
    module, root = adapter(dataset), Path(root)
    paths = sorted({file.path for file in module.recordings(root)})
    if not paths:
        raise UserError(
            f"{root}: found no audio file of {dataset}, expected below it: {module.LAYOUT}. "
            f"Where it comes from: {module.SOURCE}"
        )

    def describe(path: str) -> Recording:
        try:
            with open(root / path, "rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise UserError(f"{root / path}: not readable ({error}); allow reading it, or fetch it again") from None
        return Recording(path, disk.audio_duration_s(root / path) or 0.0, digest)

    with ThreadPoolExecutor(num_threads) as pool:
        found = list(progress(pool.map(describe, paths), len(paths), "recordings"))
    if unknown := [one.path for one in found if not one.duration_s]:
        logger.warning("%d recordings have no readable header: %s", len(unknown), unknown[:5])
    return found
