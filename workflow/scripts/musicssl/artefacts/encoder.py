"""An encoder as a Hugging Face folder: ``models/{model}/encoder/``."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..runtime import UserError
from .store import part_path, read_object, write_json, write_text

VERSION = 1
FILES = ("model.safetensors", "preprocessor_config.json", "README.md", "config.json")


@dataclass(frozen=True)
class EncoderFolder:
    """What lies beside the weights.

    Attributes:
        config: settings of the model.
        preprocessor: settings of what it wants to hear.
    """

    config: dict[str, Any]
    preprocessor: dict[str, Any]


def path(model: str) -> str:
    """Return the folder below the results."""
    return f"models/{model}/encoder"


@contextlib.contextmanager
def write(folder: str | Path, preprocessor: dict[str, Any], card: str) -> Iterator[Path]:
    """Yield a temporary folder for weights and config; all files get their names when all are whole, config.json last.

    Args:
        folder: the encoder's.
        preprocessor: ``preprocessor_config.json``.
        card: text of README.md.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    part = part_path(folder)
    part.mkdir(parents=True)
    try:
        yield part
        write_json(part / "preprocessor_config.json", preprocessor)
        write_text(part / "README.md", card)
        for name in FILES:
            with (part / name).open("rb") as stream:
                os.fsync(stream.fileno())
        for name in FILES:
            os.replace(part / name, folder / name)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def read(folder: str | Path) -> EncoderFolder:
    """Read what lies beside the weights.

    Raises:
        UserError: the folder holds no encoder, or a file of it is damaged.
    """
    config = Path(folder, "config.json")
    if not config.exists():
        raise UserError(f"{config}: missing, expected an exported encoder; run the workflow to export it")
    return EncoderFolder(read_object(config), read_object(Path(folder, "preprocessor_config.json")))
