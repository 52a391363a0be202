"""Centroids of one label set on one corpus: ``labels/{labels}/{corpus}/centroids.npy``, float32 (K, D)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..runtime import UserError
from .store import writing

VERSION = 1
CURE = "delete it and run the workflow again"


@dataclass(frozen=True)
class Centroids:
    """Cluster centers.

    Attributes:
        values: float32 (K, D), finite.
    """

    values: npt.NDArray[np.float32]

    @property
    def width(self) -> int:
        """D."""
        return int(self.values.shape[1])

    def write(self, path: str | Path) -> None:
        """Write them, whole or not at all."""
        with writing(path) as stream:
            np.save(stream, self.values)


def path(labels: str, corpus: str) -> str:
    """Return their place below the results."""
    return f"labels/{labels}/{corpus}/centroids.npy"


def read(path: str | Path, width: int) -> Centroids:
    """Read centroids of vectors of a width.

    Raises:
        UserError: the file is missing or damaged, or holds another type, another width, NaN or infinity.
    """
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: no whole array of centroids ({error}); {CURE}") from error
    if not isinstance(values, np.ndarray) or values.dtype != np.float32 or values.ndim != 2 or not len(values):
        found = f"{values.dtype} {values.shape}" if isinstance(values, np.ndarray) else "several arrays"
        raise UserError(f"{path}: found {found}, expected float32 (clusters, {width}); {CURE}")
    if values.shape[1] != width:
        raise UserError(f"{path}: centroids of width {values.shape[1]}, expected {width}, that of the vectors; {CURE}")
    if not np.isfinite(values).all():
        raise UserError(f"{path}: found NaN or infinity among the centroids, expected finite numbers; {CURE}")
    return Centroids(values)
