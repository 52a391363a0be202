"""Floating-point operations of pre-training, counted from an architecture, and the peak rate of known devices.

One multiply-add counts as two operations. Counted: convolutions, projection, positional convolution, transformer
matrices and attention. Heads, norms and activations are below 1 % and left out; layer drop is not subtracted, so a
utilisation made of these numbers is at most ``layer_drop`` too high.
"""

from __future__ import annotations

import torch

from ..config.recipes import Architecture, Data2vec, Hubert
from ..models.frames import CONV_KERNELS, CONV_STRIDES, SAMPLE_RATE_HZ, num_frames

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


def front_end(arch: Architecture, crop_s: float) -> float:
    """Return operations of the convolutions and the projection for one second of audio in clips of ``crop_s``."""
    total, length, width_in = 0.0, round(crop_s * SAMPLE_RATE_HZ), 1
    for kernel, stride in zip(CONV_KERNELS, CONV_STRIDES):
        length = (length - kernel) // stride + 1
        total += 2 * length * kernel * width_in * arch.conv_width
        width_in = arch.conv_width
    return (total + 2 * length * arch.conv_width * arch.hidden_size) / crop_s


def context_network(arch: Architecture, crop_s: float) -> float:
    """Return operations of positional convolution and transformer for one second of audio in clips of ``crop_s``."""
    width, frames = arch.hidden_size, num_frames(round(crop_s * SAMPLE_RATE_HZ))
    positions = 2 * frames * arch.pos_conv_kernel * width * (width / arch.pos_conv_groups) * arch.pos_conv_depth
    matrices = frames * arch.num_layers * (8 * width**2 + 4 * width * arch.ffn_size)
    attention = 4 * frames**2 * width * arch.num_layers
    return (positions + matrices + attention) / crop_s


def train_step(recipe: Hubert | Data2vec) -> float:
    """Return operations of forward, backward (twice the forward) and teacher for one second of audio."""
    context = context_network(recipe.architecture, recipe.crop_s)
    student = 3 * (front_end(recipe.architecture, recipe.crop_s) + context)
    return student + (context if isinstance(recipe, Data2vec) else 0.0)


def peak_rate(device: torch.device) -> float | None:
    """Return the bf16 peak of a known GPU in operations per second, else ``None``."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    known = sorted((key for key in PEAK_BF16 if key in name), key=len)
    return PEAK_BF16[known[-1]] if known else None
