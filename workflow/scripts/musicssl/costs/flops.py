"""Operations and parameters of the encoders, counted from their sizes.

One multiply-add counts as two operations. Norms, activations and heads are below 1 % and left out; layer drop is not
subtracted.
"""

from __future__ import annotations

from ..config.recipes import Architecture
from ..geometry import CONV_KERNELS, CONV_STRIDES, SAMPLE_RATE_HZ, num_frames


def front_end(arch: Architecture, crop_s: float) -> float:
    """Return operations of the convolutions and the projection for one second of audio in clips of ``crop_s``."""
    total, length, width_in = 0.0, round(crop_s * SAMPLE_RATE_HZ), 1
    for kernel, stride in zip(CONV_KERNELS, CONV_STRIDES):
        length = (length - kernel) // stride + 1
        total += 2 * length * kernel * width_in * arch.conv_width
        width_in = arch.conv_width
    return (total + 2 * length * arch.conv_width * arch.hidden_size) / crop_s


def context_network(arch: Architecture, crop_s: float, num_layers: int | None = None) -> float:
    """Return operations of positional convolution and the first layers (all) for one second in clips of ``crop_s``."""
    width, frames = arch.hidden_size, num_frames(round(crop_s * SAMPLE_RATE_HZ))
    layers = arch.num_layers if num_layers is None else num_layers
    positions = 2 * frames * arch.pos_conv_kernel * width * (width / arch.pos_conv_groups) * arch.pos_conv_depth
    matrices = frames * layers * (8 * width**2 + 4 * width * arch.ffn_size)
    attention = 4 * frames**2 * width * layers
    return (positions + matrices + attention) / crop_s


def train_step(arch: Architecture, crop_s: float, has_teacher: bool) -> float:
    """Return operations of forward, backward (twice the forward) and teacher for one second in clips of ``crop_s``."""
    context = context_network(arch, crop_s)
    return 3 * (front_end(arch, crop_s) + context) + (context if has_teacher else 0.0)


def num_parameters(arch: Architecture) -> int:
    """Return the parameters of an encoder, up to norms and biases (0.2 % of the base size)."""
    width, conv = arch.hidden_size, arch.conv_width
    convolutions = CONV_KERNELS[0] * conv + sum(CONV_KERNELS[1:]) * conv**2
    positions = arch.pos_conv_depth * arch.pos_conv_kernel * width * width // arch.pos_conv_groups
    return convolutions + conv * width + positions + arch.num_layers * (4 * width**2 + 2 * width * arch.ffn_size)
