"""fairseq's names for the same weights, and reading its checkpoints.

Only what names and shapes cannot tell (attention heads, dropouts) is taken from a checkpoint's settings.
"""

from __future__ import annotations

import argparse
import collections
import logging
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..config.recipes import Architecture
from ..geometry import CONV_KERNELS
from ..runtime import UserError
from .encoders import Encoder, empty_encoder

logger = logging.getLogger(__name__)
HEADS = ("final_proj.", "label_embs_concat", "_ema", "target_glu.")
RENAMES = [
    (r"^masked_spec_embed$", "mask_emb"),
    (r"^feature_projection\.layer_norm\.", "layer_norm."),
    (r"^feature_projection\.projection\.", "post_extract_proj."),
    (r"(conv_layers\.\d+)\.conv\.", r"\1.0."),
    (r"pos_conv_embed\.conv\.parametrizations\.weight\.original0", "pos_conv.0.weight_g"),
    (r"pos_conv_embed\.conv\.parametrizations\.weight\.original1", "pos_conv.0.weight_v"),
    (r"pos_conv_embed\.conv\.", "pos_conv.0."),
    (r"pos_conv_embed\.layers\.(\d+)\.conv\.", r"pos_conv.\1.0."),
    (r"\.attention\.", ".self_attn."),
    (r"^(encoder\.layers\.\d+)\.layer_norm\.", r"\1.self_attn_layer_norm."),
    (r"\.feed_forward\.intermediate_dense\.", ".fc1."),
    (r"\.feed_forward\.output_dense\.", ".fc2."),
]
CONV_NORM = {"hubert": r"\1.2.", "data2vec": r"\1.2.1."}


def fairseq_name(name: str, paradigm: str) -> str:
    """Return fairseq's name of a weight of a Hugging Face encoder; ``paradigm`` is hubert or data2vec."""
    for pattern, replacement in [*RENAMES, (r"(conv_layers\.\d+)\.layer_norm\.", CONV_NORM[paradigm])]:
        name = re.sub(pattern, replacement, name)
    return name


def load_fairseq(encoder: Encoder, paradigm: str, weights: Mapping[str, Tensor]) -> None:
    """Fill an encoder with weights under fairseq's names; training heads among them are left out.

    Raises:
        UserError: weights are missing, left over or of another shape.
    """
    names = {fairseq_name(name, paradigm): name for name in encoder.state_dict()}
    found = {name for name in weights if not name.startswith(HEADS)}
    for problem, odd in (("lacks", names.keys() - found), ("also holds", found - names.keys())):
        if odd:
            raise UserError(
                f"fairseq weights: {problem} {', '.join(sorted(odd)[:3])} ({len(odd)} names), expected those of a "
                f"pre-trained {paradigm} base encoder; give one that is not fine-tuned, or set paradigm"
            )
    try:
        encoder.load_state_dict({own: weights[name] for name, own in names.items()})
    except RuntimeError as error:
        raise UserError(f"fairseq weights: {' '.join(str(error).split())[:300]}; expected a base encoder") from error


def read_fairseq(path: Path, paradigm: str) -> Encoder:
    """Return the encoder in a fairseq checkpoint, in evaluation mode.

    Args:
        path: the ``.pt`` file, with ``model`` and ``cfg`` (or, before 2021, ``args``).
        paradigm: hubert or data2vec.

    Raises:
        UserError: the file cannot be read, or is not such an encoder.
    """
    checkpoint = load_weights(path)
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("model"), dict):
        raise UserError(f"{path}: no 'model' table, expected a fairseq checkpoint; give the .pt file fairseq wrote")
    settings = checkpoint.get("cfg") or {}
    settings = settings.get("model") if "model" in settings else checkpoint.get("args")
    settings = vars(settings) if isinstance(settings, argparse.Namespace) else settings
    if not isinstance(settings, dict) or "encoder_attention_heads" not in settings:
        raise UserError(
            f"{path}: cfg.model.encoder_attention_heads not found, expected fairseq's settings beside the weights; "
            "convert the checkpoint to a Hugging Face folder where fairseq is installed, and give that"
        )
    if settings.get("layer_norm_first"):
        raise UserError(
            f"{path}: layer_norm_first is true, expected a base encoder (post-norm); give a base checkpoint"
        )
    try:
        size = architecture_of(checkpoint["model"], settings, paradigm)
    except KeyError as error:
        raise UserError(f"{path}: no weight {error}, expected a {paradigm} base encoder; check paradigm") from error
    encoder = empty_encoder(paradigm, size)
    load_fairseq(encoder, paradigm, checkpoint["model"])
    encoder.train(False)
    return encoder


def architecture_of(weights: Mapping[str, Tensor], settings: Mapping[str, Any], paradigm: str) -> Architecture:
    """Read an architecture off the shapes of weights under fairseq's names.

    Raises:
        KeyError: a weight is missing.
        UserError: the convolutions are not those of the base encoders.
    """
    kernels = tuple(weights[f"feature_extractor.conv_layers.{i}.0.weight"].shape[2] for i in range(7))
    if kernels != CONV_KERNELS:
        raise UserError(f"fairseq weights: convolution kernels {kernels}, expected {CONV_KERNELS}; give a base encoder")
    position = weights["encoder.pos_conv.0.weight_v" if paradigm == "hubert" else "encoder.pos_conv.0.0.weight"]
    conv_width = weights["feature_extractor.conv_layers.0.0.weight"].shape[0]
    ffn_size, hidden_size = weights["encoder.layers.0.fc1.weight"].shape
    return Architecture(
        conv_width=conv_width,
        hidden_size=hidden_size,
        num_layers=sum(name.endswith(".fc1.weight") for name in weights),
        num_heads=settings["encoder_attention_heads"],
        ffn_size=ffn_size,
        pos_conv_kernel=position.shape[2],
        pos_conv_groups=hidden_size // position.shape[1],
        pos_conv_depth=sum(bool(re.fullmatch(r"encoder\.pos_conv\.\d+(\.0)?\.bias", name)) for name in weights),
        dropout=settings.get("dropout", 0.0),
        attention_dropout=settings.get("attention_dropout", 0.0),
        activation_dropout=settings.get("activation_dropout", 0.0),
        input_dropout=settings.get("dropout_input", 0.0),
        layer_drop=settings.get("encoder_layerdrop", 0.0),
        init_std=0.02,
    )


class Inert(dict[Any, Any]):
    """Stands where a checkpoint holds an object of a class we will not run, such as fairseq's dictionaries."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def __setstate__(self, _: Any) -> None: ...

    def append(self, _: Any) -> None: ...

    extend = append
    __hash__ = object.__hash__  # type: ignore[assignment]  # as a key, an object is itself


class InertUnpickler(pickle.Unpickler):
    """Unpickler that knows tensors and plain containers; everything else becomes :class:`Inert`, and nothing runs."""

    KNOWN: ClassVar = {
        ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
        ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("argparse", "Namespace"): argparse.Namespace,
    }

    def find_class(self, module: str, name: str) -> Any:
        return self.KNOWN.get((module, name), Inert)


def load_weights(path: Path) -> Any:
    """Read a checkpoint without running any code in it.

    Raises:
        UserError: it is no file of torch's.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        logger.info("%s holds more than weights; other objects are read as empty", path)
    except (RuntimeError, EOFError, OSError) as error:
        raise UserError(f"{path}: cannot be read ({error}), expected a checkpoint of torch; copy it again") from error
    inert = SimpleNamespace(__name__=__name__, Unpickler=InertUnpickler, load=_load_inert)
    try:
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=inert)
    except (pickle.UnpicklingError, RuntimeError, EOFError, AttributeError, TypeError) as error:
        raise UserError(
            f"{path}: cannot be read without running code in it ({error}), expected weights and plain settings; "
            "convert it to a Hugging Face folder where fairseq is installed, and give that"
        ) from error


def _load_inert(stream: Any, **options: Any) -> Any:
    return InertUnpickler(stream, **options).load()
