"""The rows of metrics.jsonl for TensorBoard, where that package is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class Board:
    """Event files in a folder; without the package, nothing."""

    def __init__(self, folder: Path, update: int) -> None:
        """Args: where to write, and the update after which what is there already is hidden."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self._writer = None
        else:
            self._writer = SummaryWriter(str(folder), purge_step=update + 1)

    def write(self, row: dict[str, Any]) -> None:
        """Show a row's numbers as ``split/name``."""
        if self._writer is not None:
            for name, value in row.items():
                if isinstance(value, float):
                    self._writer.add_scalar(f"{row['split']}/{name}", value, row["update"])

    def close(self) -> None:
        """Bring everything to the disk."""
        if self._writer is not None:
            self._writer.close()
