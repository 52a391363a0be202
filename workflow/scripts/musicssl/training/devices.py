"""Peak rates of known devices."""

from __future__ import annotations

import torch

PEAK_BF16 = {  # dense operations per second, from the makers' data sheets
    "V100": 125e12,
    "T4": 65e12,
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
