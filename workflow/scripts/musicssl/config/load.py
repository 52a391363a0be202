"""Read the YAML tables as Snakemake merges them, remembering the file each value stands in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from .inherit import ConfigError, leaves, merge

ROOT = Path(__file__).resolve().parents[4]
FILES = ("config", "corpora", "features", "labels", "models", "datasets", "views", "tasks", "studies")


def load(overlays: Sequence[str] = ()) -> tuple[dict[str, Any], dict[tuple[str, ...], str]]:
    """Return the merged tables and, for every leaf, the file it stands in.

    Args:
        overlays: further YAML files, merged in order over the project's own.

    Raises:
        ConfigError: a file is missing or is not YAML.
    """
    merged: dict[str, Any] = {}
    origin: dict[tuple[str, ...], str] = {}
    for path in [*(ROOT / "config" / f"{name}.yaml" for name in FILES), *map(Path, overlays)]:
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except FileNotFoundError:
            raise ConfigError([f"{path}: no such file"]) from None
        except yaml.YAMLError as error:
            raise ConfigError([f"{path}: not YAML: {' '.join(str(error).split())}"]) from None
        if not isinstance(values, dict):
            raise ConfigError([f"{path}: found {type(values).__name__}, expected tables"])
        merged = merge(merged, values)
        whole = path.resolve()
        shown = str(whole.relative_to(ROOT)) if whole.is_relative_to(ROOT) else str(path)
        origin.update(dict.fromkeys(leaves(values), shown))
    return merged, origin
