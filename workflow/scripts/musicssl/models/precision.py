"""Autocast on any device, those without values included."""

from __future__ import annotations

import contextlib

import torch


def autocast_dtype(device: torch.device) -> torch.dtype:
    """Return the precision that autocast has products computed in."""
    known = torch.amp.is_autocast_available(device.type)  # not where tensors have no values (device "meta")
    return torch.get_autocast_dtype(device.type) if known and torch.is_autocast_enabled(device.type) else torch.float32


def without_autocast(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Return a context in which values keep the precision they have."""
    known = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type, enabled=False) if known else contextlib.nullcontext()
