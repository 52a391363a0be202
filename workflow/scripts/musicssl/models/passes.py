"""Passes through an encoder, part by part, with a mask and layer drop of ours between.

Which code runs a part is decided here and nowhere else, by the device of its input, which is that of its weights: on a
CPU the kernels of :mod:`.cpu`, elsewhere torch's and Hugging Face's own modules (:mod:`.library`). Values are the same;
random numbers of dropout are not.

Axes: B clips, S samples, T frames, C convolution channels, D hidden width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from . import library
from .cpu import passes as cpu
from .encoders import Encoder

KeepLayers = Sequence[bool] | npt.NDArray[np.bool_]
RunLayer = Callable[[Any, Tensor], tuple[Tensor, Tensor]]


def implementation(device: torch.device) -> ModuleType:
    """Return the module whose functions compute on a device."""
    return cpu if device.type == "cpu" else library


def convolve(encoder: Encoder, wave: Tensor) -> Tensor:
    """Return the convolutional features (B, T, C) of float32 waveforms (B, S) at 16 kHz."""
    features: Tensor = implementation(wave.device).convolve(encoder, wave)
    return features


def project(encoder: Encoder, features: Tensor) -> Tensor:
    """Return transformer inputs (B, T, D) of convolutional features (B, T, C), before dropout and mask."""
    part = encoder.feature_projection
    projected: Tensor = part.projection(part.layer_norm(features))
    return projected


def dropout(values: Tensor, module: nn.Dropout) -> Tensor:
    """Return what a dropout module makes of its input."""
    remaining: Tensor = implementation(values.device).dropout(values, module)
    return remaining


def add_positions(encoder: Encoder, hidden: Tensor) -> Tensor:
    """Return transformer inputs (B, T, D) plus their positional convolution, before the first norm."""
    found: Tensor = implementation(hidden.device).positions(encoder, hidden)
    return hidden + found


def apply_mask(encoder: Encoder, hidden: Tensor, mask: Tensor) -> Tensor:
    """Return transformer inputs (B, T, D) with the mask embedding where ``mask`` (B, T) is True."""
    assert mask.shape == hidden.shape[:2], (mask.shape, hidden.shape)
    return torch.where(mask[..., None], encoder.masked_spec_embed.to(hidden.dtype), hidden)


def run_layer(layer: Any, hidden: Tensor) -> tuple[Tensor, Tensor]:
    """Return output and feed-forward output, (B, T, D) each, of a post-norm layer of Hugging Face's."""
    outputs: tuple[Tensor, Tensor] = implementation(hidden.device).run_layer(layer, hidden)
    return outputs


def encode(encoder: Encoder, hidden: Tensor, keep_layers: KeepLayers, run: RunLayer = run_layer) -> Tensor:
    """Return the last layer's output (B, T, D), passing only the layers marked in ``keep_layers``.

    Args:
        encoder: any.
        hidden: (B, T, D).
        keep_layers: (layers,) or, where equal parts of the batch pass different layers, (layers, parts).
        run: runs a layer.
    """
    trunk = encoder.encoder
    hidden = dropout(trunk.layer_norm(add_positions(encoder, hidden)), trunk.dropout)
    for layer, keep in zip(trunk.layers, np.reshape(keep_layers, (len(trunk.layers), -1)), strict=True):
        if not keep.any():
            continue
        passed, _ = run(layer, hidden)
        if keep.all():
            hidden = passed
        else:  # all parts pass, some for nothing: shapes, and so compiled programs, stay the same
            parts = zip(keep, passed.chunk(len(keep)), hidden.chunk(len(keep)), strict=True)
            hidden = torch.cat([new if kept else old for kept, new, old in parts])
    return hidden


def states(encoder: Encoder, wave: Tensor) -> Iterator[Tensor]:
    """Yield the transformer's input and each layer's output, (B, T, D), in evaluation mode."""
    assert not encoder.training
    trunk = encoder.encoder
    hidden = trunk.layer_norm(add_positions(encoder, project(encoder, convolve(encoder, wave))))
    yield hidden
    for layer in trunk.layers:
        hidden, _ = run_layer(layer, hidden)
        yield hidden


@torch.no_grad()
def layer_output(encoder: Encoder, wave: Tensor, layer: int) -> Tensor:
    """Return the output (B, T, D) of one layer, computing nothing above it.

    Args:
        encoder: in evaluation mode.
        wave: float32 (B, S) at 16 kHz, scaled as in training.
        layer: from 1; 0 is the transformer's input.
    """
    return next(islice(states(encoder, wave), layer, None))
