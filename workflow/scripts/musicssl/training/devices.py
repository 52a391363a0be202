"""What a device computes in, and the peak rates of known ones."""

from __future__ import annotations

import torch

from ..config.recipes import Data2vec, Hubert

PEAK_BF16 = {  # dense operations per second, from the makers' data sheets
    "A10": 125e12,
    "A40": 150e12,
    "L40S": 362e12,
    "A100": 312e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "H200": 989e12,
    "B200": 2250e12,
}


def peak_rate(device: torch.device) -> float | None:
    """Return the bf16 peak of a known GPU in operations per second, else ``None``."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    known = sorted((key for key in PEAK_BF16 if key in name), key=len)
    return PEAK_BF16[known[-1]] if known else None


def precision(recipe: Hubert | Data2vec, device: torch.device) -> str:
    """Return what products are computed in: the recipe's ``bf16`` on a GPU that has it in hardware, else ``fp32``.

    CPUs stay at fp32, those with bf16 products too: what comes out should not hang on which one it was.
    """
    has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return recipe.precision if has_bf16 else "fp32"
