"""A transformer layer of Hugging Face's on a CPU: faster dropout, and less to keep for the backward pass.

On a CPU torch's dropout draws one number after the other, and its attention with dropout keeps three (T, T) matrices a
head; at 30 s that is most of the time. Here 16 random bits a value come from SFC64, and attention keeps queries, keys
and values alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

STEPS = 1 << 16  # a dropout probability is rounded to a multiple of 1 / STEPS
TOGETHER = 1 << 18  # attention weights computed at a time, 1 MB: they stay in a CPU's cache from product to product


class Dropper:
    """Which values to drop, drawn from torch's global generator; the same again for the same ``seed``."""

    def __init__(self, probability: float, seed: int | None = None) -> None:
        self.threshold = round(probability * STEPS)
        self.scale = STEPS / (STEPS - self.threshold)
        self.seed = int(torch.randint(1 << 62, ())) if seed is None else seed
        self._bits = np.random.SFC64(self.seed)

    def draw(self, shape: torch.Size) -> Tensor:
        """Return bool, False where a value is to be dropped; to multiply by it is twice as fast as to fill."""
        count = shape.numel()
        words = self._bits.random_raw(-(-count // 4)).view(np.int16)[:count]
        return torch.from_numpy(words).view(shape) >= self.threshold - STEPS // 2


class _Dropout(torch.autograd.Function):
    """Dropout that keeps one byte a value."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, probability: float) -> Tensor:
        dropper = Dropper(probability)
        keep = dropper.draw(values.shape)
        ctx.save_for_backward(keep)
        ctx.scale = dropper.scale
        return (values * dropper.scale).mul_(keep)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (keep,) = ctx.saved_tensors
        return (gradients[0] * ctx.scale).mul_(keep), None


_drop: Callable[..., Tensor] = _Dropout.apply


def dropout(values: Tensor, module: nn.Dropout) -> Tensor:
    """Return what a dropout module makes of its input."""
    return _drop(values, module.p) if module.training and module.p else values


class _Attention(torch.autograd.Function):
    """Scaled dot-product attention with dropout on its weights, a tile at a time; the weights are not kept."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, probability: float) -> Tensor:
        """Args: (heads, T, W) each, queries scaled, and the dropout probability."""
        dropper = Dropper(probability)
        out = torch.empty_like(value)
        for heads, rows in _tiles(query):
            weights = torch.softmax(query[heads, rows] @ key[heads].mT, -1)
            weights.mul_(dropper.draw(weights.shape))
            torch.bmm(weights, value[heads], out=out[heads, rows])
        ctx.save_for_backward(query, key, value)
        ctx.probability, ctx.seed = probability, dropper.seed
        return out.mul_(dropper.scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        query, key, value = ctx.saved_tensors
        dropper = Dropper(ctx.probability, ctx.seed)
        gradient = gradients[0] * dropper.scale
        of_query, of_key, of_value = torch.empty_like(query), torch.zeros_like(key), torch.zeros_like(value)
        for heads, rows in _tiles(query):
            weights = torch.softmax(query[heads, rows] @ key[heads].mT, -1)
            keep = dropper.draw(weights.shape)
            back = (gradient[heads, rows] @ value[heads].mT).mul_(keep)
            back = torch._softmax_backward_data(back, weights, -1, weights.dtype)
            of_value[heads].baddbmm_(weights.mul_(keep).mT, gradient[heads, rows])
            torch.bmm(back, key[heads], out=of_query[heads, rows])
            of_key[heads].baddbmm_(back.mT, query[heads, rows])
        return of_query, of_key, of_value, None


def _tiles(query: Tensor) -> Iterator[tuple[slice, slice]]:
    """Yield slices of heads and of queries (heads, T, W) whose weights fit :data:`TOGETHER`: whole heads, or parts."""
    num_heads, frames, _ = query.shape
    heads = max(1, TOGETHER // frames**2)
    rows = frames if heads > 1 else max(4, TOGETHER // frames // 4 * 4)  # dropout draws four values at a time
    for first in range(0, num_heads, heads):
        for start in range(0, frames, rows):
            yield slice(first, first + heads), slice(start, start + rows)


_attention: Callable[..., Tensor] = _Attention.apply


def attend(query: Tensor, key: Tensor, value: Tensor, probability: float) -> Tensor:
    """Return attention (B, H, T, W) of queries, keys and values of that shape, every frame seeing every frame.

    ``probability`` is that of dropout on the attention weights.
    """
    if not probability:
        return F.scaled_dot_product_attention(query, key, value)
    query = query * query.shape[-1] ** -0.5
    flat = (part.flatten(0, 1).contiguous() for part in (query, key, value))
    return _attention(*flat, probability).view(query.shape)


class _GeluLinear(torch.autograd.Function):
    """GELU, then a linear map; keeps the values before both; the backward pass recomputes GELU."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(values, weight)
        return F.linear(F.gelu(values), weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        values, weight = ctx.saved_tensors
        (gradient,) = gradients
        flat = gradient.flatten(0, -2)
        of_weight = flat.T @ F.gelu(values).flatten(0, -2)
        return torch.ops.aten.gelu_backward(gradient @ weight, values), of_weight, flat.sum(0)


_gelu_linear: Callable[..., Tensor] = _GeluLinear.apply


def feed_forward(part: Any, hidden: Tensor) -> Tensor:
    """Return the feed-forward output of (B, T, D), before the residual sum."""
    inner, outer = part.intermediate_dense(hidden), part.output_dense
    if part.training and part.intermediate_dropout.p:
        out = outer(dropout(F.gelu(inner), part.intermediate_dropout))
    else:
        out = _gelu_linear(inner, outer.weight.to(inner.dtype), outer.bias.to(inner.dtype))
    return dropout(out, part.output_dropout)


def run_layer(layer: Any, hidden: Tensor) -> tuple[Tensor, Tensor]:
    """Return output and feed-forward output, (B, T, D) each, of a post-norm layer of Hugging Face's."""
    part = layer.attention
    shape = (*hidden.shape[:2], part.num_heads, part.head_dim)
    query, key, value = (f(hidden).view(shape).transpose(1, 2) for f in (part.q_proj, part.k_proj, part.v_proj))
    context = attend(query, key, value, part.dropout if layer.training else 0.0)
    context = part.out_proj(context.transpose(1, 2).reshape(hidden.shape))
    hidden = layer.layer_norm(hidden + dropout(context, layer.dropout))
    forward = feed_forward(layer.feed_forward, hidden)
    return layer.final_layer_norm(hidden + forward), forward
