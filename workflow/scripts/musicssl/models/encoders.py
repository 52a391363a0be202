"""Encoders: Hugging Face's modules, fairseq's initialisation, and the passes through them.

The classes' own ``forward`` masks by itself in training, drops layers at random and hides the feed-forward outputs, so
training calls the parts one by one: :func:`convolve`, :func:`project`, a mask of ours, :func:`contextualise`. The parts
use the classes' weights, but compute as :mod:`.convolutions` and :mod:`.blocks` say: faster, with the same values.

Axes: B clips, S samples, T frames, C convolution channels, D hidden width.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import Data2VecAudioConfig, Data2VecAudioModel, HubertConfig, HubertModel

from ..config.recipes import Architecture, Data2vec, Hubert
from ..geometry import CONV_KERNELS, CONV_STRIDES
from ..runtime import UserError
from .cpu.blocks import RunLayer, autocast_dtype, dropped, run_layer, without_autocast
from .cpu.convolutions import feature_rows, grouped_convolution

VERSION = 1
Encoder = HubertModel | Data2VecAudioModel
KeepLayers = Sequence[bool] | npt.NDArray[np.bool_]
CLASSES: dict[str, type[Encoder]] = {"hubert": HubertModel, "data2vec": Data2VecAudioModel}


def build_encoder(recipe: Hubert | Data2vec) -> Encoder:
    """Return an untrained encoder, initialised from torch's global generator as fairseq does.

    Source: HuBERT (Hsu et al. 2021) and data2vec (Baevski et al. 2022) base; fairseq ``wav2vec2.py``.
    """
    encoder = empty_encoder(recipe.kind, recipe.architecture)
    initialise(encoder)
    return encoder


def empty_encoder(paradigm: str, size: Architecture) -> Encoder:
    """Return an encoder whose weights mean nothing yet; the global generator stays where it was."""
    with torch.random.fork_rng(devices=[]):
        return CLASSES[paradigm](encoder_config(paradigm, size))


def encoder_config(paradigm: str, size: Architecture) -> HubertConfig | Data2VecAudioConfig:
    """Return the Hugging Face configuration of an architecture.

    Raises:
        UserError: HuBERT is asked for more than one positional convolution.
    """
    common = {
        "hidden_size": size.hidden_size,
        "num_hidden_layers": size.num_layers,
        "num_attention_heads": size.num_heads,
        "intermediate_size": size.ffn_size,
        "hidden_dropout": size.dropout,
        "attention_dropout": size.attention_dropout,
        "activation_dropout": size.activation_dropout,
        "feat_proj_dropout": size.input_dropout,
        "layerdrop": size.layer_drop,
        "initializer_range": size.init_std,
        "conv_dim": [size.conv_width] * len(CONV_KERNELS),
        "conv_kernel": list(CONV_KERNELS),
        "conv_stride": list(CONV_STRIDES),
        "conv_bias": False,
        "num_conv_pos_embedding_groups": size.pos_conv_groups,
        "apply_spec_augment": False,  # a plain forward in training mode must not mask by itself
    }
    if paradigm == "data2vec":
        return Data2VecAudioConfig(
            num_conv_pos_embeddings=size.pos_conv_depth,
            conv_pos_kernel_size=size.pos_conv_kernel,
            output_hidden_size=size.hidden_size,
            **common,
        )
    if size.pos_conv_depth != 1:
        raise UserError(f"architecture.pos_conv_depth: found {size.pos_conv_depth}, expected 1 for HuBERT; set it to 1")
    return HubertConfig(
        num_conv_pos_embeddings=size.pos_conv_kernel,
        feat_extract_norm="group",
        do_stable_layer_norm=False,
        **common,
    )


@torch.no_grad()
def initialise(encoder: Encoder) -> None:
    """Draw all weights as fairseq does; Hugging Face differs in the projection and the positional convolution."""
    encoder.masked_spec_embed.uniform_()
    for block in encoder.feature_extractor.conv_layers:
        nn.init.kaiming_normal_(block.conv.weight)
    encoder.feature_projection.projection.reset_parameters()
    trunk = encoder.encoder
    if isinstance(encoder, HubertModel):
        conv = trunk.pos_conv_embed.conv
        std = math.sqrt(4 / (conv.kernel_size[0] * conv.out_channels))
        conv.weight = torch.randn_like(conv.weight) * std  # weight norm splits it into length and direction
        conv.bias.zero_()
    else:
        for block in trunk.pos_conv_embed.layers:
            block.conv.reset_parameters()
    for module in trunk.layers.modules():
        if isinstance(module, nn.Linear):
            module.weight.normal_(0.0, encoder.config.initializer_range)
            module.bias.zero_()


def convolve(encoder: Encoder, wave: Tensor) -> Tensor:
    """Return the convolutional features (B, T, C) of float32 waveforms (B, S) at 16 kHz, in autocast's precision."""
    dtype = autocast_dtype(wave.device)
    with without_autocast(wave.device):
        return feature_rows(encoder.feature_extractor.conv_layers, wave, dtype)


def project(encoder: Encoder, features: Tensor) -> Tensor:
    """Return transformer inputs (B, T, D) of convolutional features (B, T, C), before dropout and mask."""
    part = encoder.feature_projection
    return part.projection(part.layer_norm(features))


def add_positions(encoder: Encoder, hidden: Tensor) -> Tensor:
    """Return transformer inputs (B, T, D) plus their positional convolution, before the first norm."""
    part, positions = encoder.encoder.pos_conv_embed, hidden
    if isinstance(encoder, HubertModel):
        return hidden + F.gelu(grouped_convolution(positions, part.conv))
    for layer in part.layers:
        positions = F.gelu(layer.layer_norm(grouped_convolution(positions, layer.conv)))
    return hidden + positions


def hide(encoder: Encoder, hidden: Tensor, mask: Tensor) -> Tensor:
    """Return transformer inputs (B, T, D) with the mask embedding where ``mask`` (B, T) is True."""
    assert mask.shape == hidden.shape[:2], (mask.shape, hidden.shape)
    return torch.where(mask[..., None], encoder.masked_spec_embed.to(hidden.dtype), hidden)


def contextualise(encoder: Encoder, hidden: Tensor, keep_layers: KeepLayers, run: RunLayer = run_layer) -> Tensor:
    """Return the last layer's output (B, T, D), passing only the layers marked in ``keep_layers``.

    Args:
        encoder: any.
        hidden: (B, T, D).
        keep_layers: (layers,) or, where equal parts of the batch pass different layers, (layers, parts).
        run: runs a layer.
    """
    trunk = encoder.encoder
    hidden = dropped(trunk.layer_norm(add_positions(encoder, hidden)), trunk.dropout)
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
