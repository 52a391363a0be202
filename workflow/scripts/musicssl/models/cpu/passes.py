"""What :mod:`musicssl.models.library` computes, by kernels for CPUs; GELU is the activation of all base encoders."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor
from transformers import HubertModel

from ..encoders import Encoder
from ..precision import autocast_dtype, without_autocast
from .blocks import dropout, run_layer
from .convolutions import feature_rows, grouped_convolution

__all__ = ["convolve", "dropout", "positions", "run_layer"]


def convolve(encoder: Encoder, wave: Tensor) -> Tensor:
    """Return the convolutional features (B, T, C) of float32 waveforms (B, S), in autocast's precision."""
    dtype = autocast_dtype(wave.device)
    with without_autocast(wave.device):
        return feature_rows(encoder.feature_extractor.conv_layers, wave, dtype)


def positions(encoder: Encoder, hidden: Tensor) -> Tensor:
    """Return the positional convolution (B, T, D) of transformer inputs (B, T, D)."""
    part: Any = encoder.encoder.pos_conv_embed
    if isinstance(encoder, HubertModel):
        return F.gelu(grouped_convolution(hidden, part.conv))
    for layer in part.layers:
        hidden = F.gelu(layer.layer_norm(grouped_convolution(hidden, layer.conv)))
    return hidden
