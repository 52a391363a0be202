"""An encoder's convolutions as matrix products over frames kept as rows, with Hugging Face's weights.

Two neighboring rows (2, C) of the same memory are one row (2C), so a convolution of stride 2 is a product with its
first two taps and, over every second row, one with the third: no copy, and the layout (frames, channels) that norms and
transformer want. Each level has one row more than twice the next, which is what windows of three need.

Cheap activations are recomputed in the backward pass: a block keeps the rows before its norm and GELU alone, the first
keeps ten samples a frame. Axes: B clips, S samples, T frames, P rows of a level, C channels, K taps, G groups.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...geometry import CONV_KERNELS, CONV_STRIDES, num_frames

TILE = 2048  # rows that a CPU computes at a time: they stay in its cache
PRODUCT_TAPS = 16  # of a grouped convolution in one product


def feature_rows(layers: nn.ModuleList, wave: Tensor, dtype: torch.dtype) -> Tensor:
    """Return what the seven convolutions make of waveforms.

    Args:
        layers: of Hugging Face's feature encoder, with a group norm in the first or a layer norm in each.
        wave: float32 (B, S).
        dtype: of the products.

    Returns:
        (B, T, C).
    """
    samples, weight, shift = _first_product(layers[0], wave)
    rows = samples.to(dtype)
    first: tuple[Tensor | None, Tensor | None] = (weight.to(dtype), None if shift is None else shift.to(dtype))
    following: Any
    for layer, following in itertools.pairwise(layers):
        by_tap = following.conv.weight.permute(2, 1, 0).to(dtype).contiguous()
        rows = _block(rows, *first, *_layer_norm(layer, dtype), by_tap)
        first = (None, None)
    return F.gelu(_normalize(rows, *_layer_norm(layers[-1], dtype)))


def _layer_norm(layer: nn.Module, dtype: torch.dtype) -> tuple[Tensor | None, Tensor | None]:
    """Return weight and bias of a layer's norm over channels, if it has one."""
    norm = getattr(layer, "layer_norm", None)
    return (norm.weight.to(dtype), norm.bias.to(dtype)) if isinstance(norm, nn.LayerNorm) else (None, None)


def _first_product(layer: Any, wave: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return samples (B, P, K), weights (B, K, C) and bias (C,) whose product is the first convolution, normalized.

    A group norm of one channel a group is folded into the weights: mean and variance of each channel over time follow
    from the mean and covariance of the K samples under the kernel.
    """
    kernel, stride = CONV_KERNELS[0], CONV_STRIDES[0]
    num_rows = 2 ** (len(CONV_KERNELS) - 1) * (num_frames(wave.shape[1]) + 1) - 1
    missing = (num_rows - 1) * stride + kernel - wave.shape[1]
    samples = F.pad(wave, (0, missing)).unfold(1, kernel, stride)
    weight = layer.conv.weight[:, 0]
    if not isinstance(getattr(layer, "layer_norm", None), nn.GroupNorm):
        return samples.contiguous(), weight.T.expand(len(wave), -1, -1), None
    norm = layer.layer_norm
    seen = wave.unfold(1, kernel, stride).double()
    mean = seen.mean(1, keepdim=True)
    covariance = (seen - mean).transpose(1, 2) @ (seen - mean) / seen.shape[1]
    exact = weight.double()
    variance = torch.einsum("ck,bkl,cl->bc", exact, covariance, exact)
    scale = torch.rsqrt(variance + norm.eps) * norm.weight
    return samples - mean.to(wave.dtype), (exact.T * scale[:, None]).to(wave.dtype), norm.bias


def _normalize(rows: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    return rows if weight is None else F.layer_norm(rows, weight.shape, weight, bias)


class _Block(torch.autograd.Function):
    """Norm, GELU, and the next convolution of stride 2; in front of the first block, the first convolution."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, first: Any, shift: Any, scale: Any, bias: Any, by_tap: Tensor) -> Tensor:
        """Args: rows (B, P, C), or samples with weights and bias of the first product; norm; weights (K, C, C)."""
        ctx.save_for_backward(rows, first, shift, scale, bias, by_tap)
        out = rows.new_empty(len(rows), rows.shape[1] // 2, by_tap.shape[2])
        for clips, here, there in _tiles(out):
            hidden = F.gelu(_normalize(_given(rows[clips, here], first, shift, clips), scale, bias))
            _convolve(hidden, by_tap, out[clips, there])
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        rows, first, shift, scale, bias, by_tap = ctx.saved_tensors
        (gradient,) = gradients
        totals: list[Any] = [None if p is None else torch.zeros_like(p) for p in (first, shift, scale, bias, by_tap)]
        of_first, of_shift, of_scale, of_bias, of_taps = totals
        of_rows = rows.new_empty(rows.shape) if first is None else None
        if of_rows is not None:
            of_rows[:, 0] = 0
        for clips, here, there in _tiles(gradient):
            given = _given(rows[clips, here], first, shift, clips)
            norm = None if scale is None else torch.native_layer_norm(given, scale.shape, scale, bias, 1e-5)
            normed = given if norm is None else norm[0]
            _add_gradient_of_taps(of_taps, F.gelu(normed), gradient[clips, there])
            back = torch.ops.aten.gelu_backward(_gradient_of_rows(gradient[clips, there], by_tap), normed)
            if norm is not None:
                back, *parts = torch.ops.aten.native_layer_norm_backward(
                    back, given, scale.shape, *norm[1:], scale, bias, [True, True, True]
                )
                of_scale += parts[0]
                of_bias += parts[1]
            if of_rows is not None:  # neighboring tiles share a row
                of_rows[clips, here.start] += back[:, 0]
                of_rows[clips, here.start + 1 : here.stop] = back[:, 1:]
            else:
                of_first[clips].baddbmm_(rows[clips, here].mT, back)
                if of_shift is not None:
                    of_shift += back.sum((0, 1))
        return of_rows, *totals


_block: Callable[..., Tensor] = _Block.apply


def _tiles(out: Tensor) -> Iterator[tuple[slice, slice, slice]]:
    """Yield clips, rows and the output's rows (B, P, C) of what is computed at a time."""
    for clip in range(len(out)):
        for start in range(0, out.shape[1], TILE):
            stop = min(start + TILE, out.shape[1])
            yield slice(clip, clip + 1), slice(2 * start, 2 * stop + 1), slice(start, stop)


def _given(rows: Tensor, first: Tensor | None, shift: Tensor | None, clips: slice) -> Tensor:
    """Return what a block's norm sees."""
    if first is None:
        return rows
    return torch.bmm(rows, first[clips]) if shift is None else torch.baddbmm(shift, rows, first[clips])


def _pairs(rows: Tensor) -> Tensor:
    """Return (B, P, 2C), the same memory as (B, 2P + 1, C) without its last row."""
    return rows[:, :-1].view(len(rows), -1, 2 * rows.shape[2])


def _convolve(rows: Tensor, by_tap: Tensor, out: Tensor) -> None:
    """Write (B, P, C') of rows (B, 2P + 1, C) and weights (K, C, C'), K 2 or 3, stride 2."""
    weight = by_tap[:2].flatten(0, 1).expand(len(rows), -1, -1)
    torch.bmm(_pairs(rows), weight, out=out)
    if len(by_tap) == 3:
        out.baddbmm_(rows[:, 2::2], by_tap[2].expand(len(rows), -1, -1))


def _gradient_of_rows(gradient: Tensor, by_tap: Tensor) -> Tensor:
    """Return (B, 2P + 1, C) of the gradient (B, P, C') of :func:`_convolve`'s output."""
    back = gradient.new_zeros(len(gradient), 2 * gradient.shape[1] + 1, by_tap.shape[1])
    weight = by_tap[:2].flatten(0, 1).T.expand(len(gradient), -1, -1)
    torch.bmm(gradient, weight, out=_pairs(back))
    if len(by_tap) == 3:
        back[:, 2::2].baddbmm_(gradient, by_tap[2].T.expand(len(gradient), -1, -1))
    return back


def _add_gradient_of_taps(total: Tensor, rows: Tensor, gradient: Tensor) -> None:
    """Add to (K, C, C') what follows from the rows and the gradient of :func:`_convolve`'s output.

    One product for all clips: bf16 is rounded once.
    """
    flat = gradient.flatten(0, 1)
    total[:2].flatten(0, 1).addmm_(_pairs(rows).flatten(0, 1).T, flat)
    if len(total) == 3:
        total[2].addmm_(rows[:, 2::2].flatten(0, 1).T, flat)


# ---------------------------------------------------------------- positions


def grouped_convolution(hidden: Tensor, conv: Any) -> Tensor:
    """Return a grouped convolution over time that keeps the number of frames, (B, T, D) of (B, T, D).

    Half of an even kernel's taps lie before the frame, as Hugging Face and fairseq cut it.
    """
    width = conv.in_channels // conv.groups
    by_tap = conv.weight.view(conv.groups, width, width, -1).permute(0, 3, 2, 1).contiguous()
    out: Tensor = _grouped_rows(hidden, by_tap, conv.kernel_size[0] // 2) + conv.bias
    return out


class _Grouped(torch.autograd.Function):
    """Rows of neighboring frames, gathered, times the weights of as many taps, clip by clip."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, by_tap: Tensor, before: int) -> Tensor:
        """Args: (B, T, D), weights (G, K, C, C), and the taps before the frame."""
        ctx.save_for_backward(hidden, by_tap)
        ctx.before = before
        return _grouped(hidden, by_tap, before)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        hidden, by_tap = ctx.saved_tensors
        (gradient,) = gradients
        kernel = by_tap.shape[1]
        back = _grouped(gradient, by_tap.flip(1).transpose(2, 3).contiguous(), kernel - 1 - ctx.before)
        of_taps = torch.zeros_like(by_tap)
        products = _by_products(of_taps)
        for clip, of_clip in zip(hidden, gradient):
            rows = _gather(clip, by_tap, ctx.before)
            of_groups = _by_group(of_clip, len(by_tap)).contiguous()
            for i, start in _starts(products):
                products[:, i].baddbmm_(rows[:, start : start + len(clip)].transpose(1, 2), of_groups)
        return back, of_taps, None


_grouped_rows: Callable[..., Tensor] = _Grouped.apply


def _grouped(hidden: Tensor, by_tap: Tensor, before: int) -> Tensor:
    """Return (B, T, D): the sum over taps of each group's rows times its weights (G, K, C, C)."""
    out = torch.empty_like(hidden, memory_format=torch.contiguous_format)
    products = _by_products(by_tap)
    for clip, result in zip(hidden, out):
        rows = _gather(clip, by_tap, before)
        total = torch.zeros(len(by_tap), len(clip), by_tap.shape[3], dtype=hidden.dtype)
        for i, start in _starts(products):
            total.baddbmm_(rows[:, start : start + len(clip)], products[:, i])
        _by_group(result, len(by_tap)).copy_(total)
    return out


def _by_group(clip: Tensor, groups: int) -> Tensor:
    """Return a (T, D) clip seen as (G, T, C)."""
    return clip.view(len(clip), groups, -1).transpose(0, 1)


def _by_products(by_tap: Tensor) -> Tensor:
    """Return weights (G, K, C, C) seen as (G, products, taps of one * C, C)."""
    kernel = by_tap.shape[1]
    taps = math.gcd(kernel, PRODUCT_TAPS) if kernel > 2 * PRODUCT_TAPS else kernel
    return by_tap.view(len(by_tap), kernel // taps, -1, by_tap.shape[3])


def _starts(products: Tensor) -> Any:
    """Yield each product's number and the first of its rows."""
    taps = products.shape[2] // products.shape[3]
    return ((i, i * taps) for i in range(products.shape[1]))


def _gather(clip: Tensor, by_tap: Tensor, before: int) -> Tensor:
    """Return rows of the neighboring frames that one product needs, zeros outside of the clip."""
    groups, kernel, width, _ = by_tap.shape
    padded = clip.new_zeros(groups, len(clip) + kernel - 1, width)
    padded[:, before : before + len(clip)] = _by_group(clip, groups)
    row = _by_products(by_tap).shape[2]
    shape = (groups, padded.shape[1] - row // width + 1, row)
    return padded.as_strided(shape, (padded.stride(0), width, 1)).contiguous()
