"""The parts of an encoder, run by torch's and Hugging Face's own modules: what every device but a CPU does.

The classes' own ``forward`` masks by itself in training, drops layers at random and hides the feed-forward outputs;
their parts do not.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from .encoders import Encoder


def convolve(encoder: Encoder, wave: Tensor) -> Tensor:
    """Return the convolutional features (B, T, C) of float32 waveforms (B, S)."""
    hidden = wave[:, None]
    for layer in encoder.feature_extractor.conv_layers:
        hidden = layer(hidden)
    return hidden.transpose(1, 2)


def positions(encoder: Encoder, hidden: Tensor) -> Tensor:
    """Return the positional convolution (B, T, D) of transformer inputs (B, T, D)."""
    found: Tensor = encoder.encoder.pos_conv_embed(hidden)
    return found


def dropout(values: Tensor, module: nn.Dropout) -> Tensor:
    """Return what a dropout module makes of its input."""
    found: Tensor = module(values)
    return found


def run_layer(layer: Any, hidden: Tensor) -> tuple[Tensor, Tensor]:
    """Return output and feed-forward output, (B, T, D) each, of a post-norm layer."""
    context, *_ = layer.attention(hidden)
    hidden = layer.layer_norm(hidden + layer.dropout(context))
    forward = layer.feed_forward(hidden)
    return layer.final_layer_norm(hidden + forward), forward
