"""Encoders: Hugging Face's modules with fairseq's initialization."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from transformers import Data2VecAudioConfig, Data2VecAudioModel, HubertConfig, HubertModel

from ..config.recipes import Architecture, Data2vec, Hubert
from ..geometry import CONV_KERNELS, CONV_STRIDES
from ..runtime import UserError

VERSION = 1
Encoder = HubertModel | Data2VecAudioModel
CLASSES: dict[str, Any] = {"hubert": HubertModel, "data2vec": Data2VecAudioModel}


def build_encoder(recipe: Hubert | Data2vec) -> Encoder:
    """Return an untrained encoder, initialized from torch's global generator as fairseq does.

    Source: HuBERT (Hsu et al. 2021) and data2vec (Baevski et al. 2022) base; fairseq ``wav2vec2.py``.
    """
    encoder = empty_encoder(recipe.kind, recipe.architecture)
    initialize(encoder)
    return encoder


def empty_encoder(paradigm: str, size: Architecture) -> Encoder:
    """Return an encoder whose weights mean nothing yet; the global generator stays where it was."""
    with torch.random.fork_rng(devices=[]):
        encoder: Encoder = CLASSES[paradigm](encoder_config(paradigm, size))
        return encoder


def encoder_config(paradigm: str, size: Architecture) -> HubertConfig | Data2VecAudioConfig:
    """Return the Hugging Face configuration of an architecture.

    Raises:
        UserError: HuBERT is asked for more than one positional convolution.
    """
    common: dict[str, Any] = {
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
def initialize(encoder: Encoder) -> None:
    """Draw all weights as fairseq does; Hugging Face differs in the projection and the positional convolution."""
    encoder.masked_spec_embed.uniform_()
    block: Any
    for block in encoder.feature_extractor.conv_layers:
        nn.init.kaiming_normal_(block.conv.weight)
    encoder.feature_projection.projection.reset_parameters()
    trunk: Any = encoder.encoder
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
