"""Encoders as probes see them: all states of every frame, no gradient, no masks.

Axes: B clips, S samples, T frames, N states, W width.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from ..config.recipes import MODELS, ConstantFloor, MfccFloor, Snapshot
from ..geometry import HOP, SAMPLE_RATE_HZ, num_frames
from ..runtime import UserError
from .floors import ConstantEncoder, MfccEncoder

VERSION = 1

if TYPE_CHECKING:
    from .encoders import Encoder


class FrozenEncoder(Protocol):
    """What probing needs of a model; each is a torch module, so ``.to(device)`` moves it.

    Attributes:
        num_states: N; the transformer's input and each layer.
        width: W.
        pooled_width: values a state after :meth:`pool`.
        frame_rate_hz: frames a second.
        normalize: the caller must give waveforms of zero mean and unit variance.
    """

    num_states: int
    width: int
    pooled_width: int
    frame_rate_hz: float
    normalize: bool

    def states(self, wave: Tensor) -> Tensor:
        """Return float32 (B, T, N, W) of float32 waveforms (B, S) at 16 kHz."""

    def pool(self, states: Tensor) -> Tensor:
        """Return states (B, T, N, W) pooled over time, (B, N, pooled_width)."""

    def to(self, device: torch.device) -> FrozenEncoder:
        """Move the weights."""


class FrozenTransformer(nn.Module):
    """A pre-trained encoder: input of the transformer and output of each layer, averaged over time."""

    frame_rate_hz = SAMPLE_RATE_HZ / HOP

    def __init__(self, encoder: Encoder, normalize: bool) -> None:
        super().__init__()
        self.encoder = encoder.train(False).requires_grad_(False)
        self.normalize = normalize
        self.num_states = encoder.config.num_hidden_layers + 1
        self.width = self.pooled_width = encoder.config.hidden_size

    @torch.no_grad()
    def states(self, wave: Tensor) -> Tensor:
        """Return float32 (B, T, N, W) of float32 waveforms (B, S) at 16 kHz, scaled as in training."""
        from .passes import states

        shape = (len(wave), num_frames(wave.shape[1]), self.num_states, self.width)
        stack = torch.empty(shape, dtype=torch.float32, device=wave.device)
        for i, state in enumerate(states(self.encoder, wave)):
            stack[:, :, i] = state
        return stack

    @staticmethod
    def pool(states: Tensor) -> Tensor:
        """Return the mean over time, (B, N, W)."""
        return states.mean(1)


def frozen(recipe: MODELS, encoder_dir: Path | None) -> FrozenEncoder:
    """Return any model of the models table, ready for probing.

    Args:
        recipe: the model's entry, for a snapshot that of the model it is taken of.
        encoder_dir: its exported folder; None for the floors that have none.

    Raises:
        UserError: the folder is missing or holds something else.
    """
    if isinstance(recipe, MfccFloor):
        return MfccEncoder(recipe)
    if isinstance(recipe, ConstantFloor):
        return ConstantEncoder()
    assert not isinstance(recipe, Snapshot)
    if encoder_dir is None:
        raise UserError(f"encoder folder: found none, expected one for a model of kind {recipe.kind}; export it first")
    from .export import load_encoder

    return FrozenTransformer(load_encoder(encoder_dir), recipe.normalize)
