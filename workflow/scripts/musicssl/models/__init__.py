"""Encoders, masks, objectives, import and export.

Names load on first use, so that masks and floors do not pay for transformers (seconds of import).
"""

from importlib import import_module
from typing import Any

_HOME = {
    "sample_mask": "masking",
    "build_encoder": "encoders",
    "layer_output": "passes",
    "Objective": "objective",
    "ObjectiveOutput": "objective",
    "build_objective": "build",
    "untrained_encoder": "build",
    "masked_rows": "objective",
    "export_encoder": "export",
    "load_encoder": "export",
    "trained_encoder": "export",
    "released_encoder": "released",
    "FrozenEncoder": "view",
    "frozen": "view",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_HOME[name]}", __name__), name)
    return value
