"""What every update sees, as a pure function of (seed, update, slot): resuming needs no loader state.

An update is ``num_clips`` slots. Slots form groups (fairseq's batch of one GPU), whose masks are trimmed together, and
micro-batches, which one process sends through the model at once; neither depends on the number of processes. A group
draws the layers it passes, as a GPU does with fairseq.
Shapes: B clips of a micro-batch, S samples, T frames.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from ..config.recipes import Data2vec, Hubert
from ..geometry import HOP, RECEPTIVE_FIELD, SAMPLE_RATE_HZ, num_frames, times
from ..models import masked_rows, sample_mask
from ..runtime import UserError
from .data import Clips

ORDER, CROP, MASK, LAYERS, DROPOUT, VALID_CROP, VALID_MASK = range(7)  # what a random stream is for
LOADER_THREADS = 2
AHEAD = 4  # micro-batches built before they are asked for


def generator(seed: int, purpose: int, a: int, b: int = 0) -> np.random.Generator:
    """Return the random stream of one purpose at one place; streams of different places are independent."""
    return np.random.default_rng([seed, purpose, a, b])


def kept_layers(recipe: Hubert | Data2vec, update: int, groups: Iterable[int]) -> npt.NDArray[np.bool_]:
    """Return which transformer layers each group passes, (layers, groups) (LayerDrop, Fan et al. 2020)."""
    size = recipe.architecture
    draws = [generator(recipe.seed, LAYERS, update, group).random(size.num_layers) for group in groups]
    return np.stack(draws, axis=1) >= size.layer_drop


@dataclass(frozen=True)
class Plan:
    """How the clips of one update are divided.

    Attributes:
        crop: samples of one clip.
        num_clips: clips of one update, over all ranks.
        group: clips whose masks are trimmed together.
        micro: clips of one forward pass: a part of a group, or several groups.
    """

    crop: int
    num_clips: int
    group: int
    micro: int

    @property
    def num_micro(self) -> int:
        """Micro-batches of one update, over all ranks."""
        return self.num_clips // self.micro


def plan(recipe: Hubert | Data2vec, micro_batch_s: float | None = None) -> Plan:
    """Divide the global batch.

    Args:
        recipe: of the model; its batch is in seconds of audio.
        micro_batch_s: seconds of audio in one forward pass; a group when ``None``.

    Raises:
        UserError: a crop is shorter than one frame, or the sizes do not divide.
    """
    crop = round(recipe.crop_s * SAMPLE_RATE_HZ)
    if crop < RECEPTIVE_FIELD:
        raise UserError(
            f"crop_s: found {recipe.crop_s:g} s, expected at least one frame of {RECEPTIVE_FIELD / SAMPLE_RATE_HZ} s; "
            "raise it"
        )
    group = _quotient("batch.group_s", recipe.batch.group_s, "crop_s", recipe.crop_s)
    num_groups = _quotient("batch.global_s", recipe.batch.global_s, "batch.group_s", recipe.batch.group_s)
    micro = group
    if micro_batch_s is not None:
        micro = _quotient("micro_batch_s", micro_batch_s, "crop_s", recipe.crop_s)
        if micro <= group:
            _quotient("batch.group_s", recipe.batch.group_s, "micro_batch_s", micro_batch_s)
        else:
            _quotient("micro_batch_s", micro_batch_s, "batch.group_s", recipe.batch.group_s)
            _quotient("batch.global_s", recipe.batch.global_s, "micro_batch_s", micro_batch_s)
    return Plan(crop, num_groups * group, group, micro)


def shortened(recipe: Hubert | Data2vec, sizes: Plan) -> Plan:
    """Return the division with crops of ``short_crop_s``: as many seconds, groups and micro-batches, more clips."""
    if not recipe.short_updates:
        return sizes
    more = _quotient("crop_s", recipe.crop_s, "short_crop_s", recipe.short_crop_s)
    return Plan(sizes.crop // more, sizes.num_clips * more, sizes.group * more, sizes.micro * more)


def _quotient(whole_name: str, whole: float, part_name: str, part: float) -> int:
    if quotient := times(part, whole):
        return quotient
    near = sorted({max(int(whole / part), 1), int(whole / part) + 1})
    raise UserError(
        f"{whole_name}: found {whole:g} s, expected a multiple of {part_name} = {part:g} s, "
        f"such as {' or '.join(f'{count * part:g}' for count in near)}"
    )


@dataclass(frozen=True)
class MicroBatch:
    """Input of one forward pass.

    Attributes:
        wave: (B, S) float32.
        mask: (B, T) bool.
        rows: (M,) int64, the masked of all B * T frames.
        labels: int64 (B, T), or (B, T, sets) of several label sets, or ``None``.
        keep_layers: (layers, groups), or one column where the clips are of one group.
        seed: for dropout.
    """

    wave: torch.Tensor
    mask: torch.Tensor
    rows: torch.Tensor
    labels: torch.Tensor | None
    keep_layers: npt.NDArray[np.bool_]
    seed: int

    def to(self, device: torch.device) -> MicroBatch:
        """Copy to the device without waiting."""
        return self._each(lambda values: values.to(device, non_blocking=True))

    def pin(self) -> MicroBatch:
        """Copy to page-locked memory, from which a GPU fetches by itself."""
        return self._each(torch.Tensor.pin_memory)

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> MicroBatch:
        labels = None if self.labels is None else change(self.labels)
        wave, mask, rows = change(self.wave), change(self.mask), change(self.rows)
        return MicroBatch(wave, mask, rows, labels, self.keep_layers, self.seed)


class Batches:
    """Builds the micro-batches of a run."""

    def __init__(self, clips: Clips, recipe: Hubert | Data2vec, sizes: Plan, pin: bool = False) -> None:
        """Args: clips to draw from, the recipe, its division, and whether tensors go to page-locked memory."""
        self.clips, self.recipe, self.sizes, self._pin = clips, recipe, sizes, pin
        self._short = shortened(recipe, sizes)
        self.num_valid_micro = sum(1 for _ in self._valid_slots())
        self._order = functools.lru_cache(maxsize=2)(self._draw_order)
        self._masks = functools.lru_cache(maxsize=16)(self._draw_masks)

    def train(self, update: int, micro: int) -> MicroBatch:
        """Return micro-batch ``micro`` of an update; the first ``short_updates`` hold more and shorter crops."""
        short = self.recipe.short_updates
        sizes = self._short if update < short else self.sizes
        visited = min(update, short) * self._short.num_clips + max(update - short, 0) * self.sizes.num_clips
        slots = range(micro * sizes.micro, (micro + 1) * sizes.micro)
        clips = [self._visit(visited + slot) for slot in slots]
        crops = [generator(self.recipe.seed, CROP, update, slot) for slot in slots]
        groups = range(slots.start // sizes.group, -(-slots.stop // sizes.group))
        size, frames, first = sizes.group, num_frames(sizes.crop), slots.start % sizes.group
        masks = np.concatenate([self._masks(MASK, update, group * size, size, frames) for group in groups])
        seed = int(generator(self.recipe.seed, DROPOUT, update, micro).integers(1 << 63))
        keep = kept_layers(self.recipe, update, groups)
        return self._assemble(clips, crops, masks[first : first + len(slots)], sizes.crop, keep, seed)

    def valid(self, micro: int) -> MicroBatch:
        """Return micro-batch ``micro`` of the held-out clips; crops and masks are the same every time."""
        slots = list(self._valid_slots())[micro]
        clips = [int(self.clips.valid[slot]) for slot in slots]
        crops = [generator(self.recipe.seed, VALID_CROP, 0, slot) for slot in slots]
        start = slots.start // self.sizes.group * self.sizes.group
        size = min(self.sizes.group, len(self.clips.valid) - start)
        masks = self._masks(VALID_MASK, 0, start, size, num_frames(self.sizes.crop))
        masks = masks[slots.start - start : slots.stop - start]
        keep = np.ones((self.recipe.architecture.num_layers, 1), bool)
        return self._assemble(clips, crops, masks, self.sizes.crop, keep, seed=0)

    def _valid_slots(self) -> Iterator[range]:
        """Yield the slots of each validation micro-batch; a micro-batch stays within its group."""
        num_valid, group, micro = len(self.clips.valid), self.sizes.group, self.sizes.micro
        for start in range(0, num_valid, group):
            stop = min(start + group, num_valid)
            for first in range(start, stop, micro):
                yield range(first, min(first + micro, stop))

    def _visit(self, number: int) -> int:
        """Return the clip of the ``number``-th slot since the start; every epoch visits each clip once."""
        epoch, position = divmod(number, len(self.clips.train))
        return int(self._order(epoch)[position])

    def _draw_order(self, epoch: int) -> npt.NDArray[np.int64]:
        return generator(self.recipe.seed, ORDER, epoch).permutation(self.clips.train)

    def _draw_masks(self, purpose: int, update: int, start: int, size: int, frames: int) -> npt.NDArray[np.bool_]:
        """Return the masks of one group, (clips, T); the model's trimming looks at the whole group."""
        streams = [generator(self.recipe.seed, purpose, update, slot) for slot in range(start, start + size)]
        return sample_mask(streams, self.recipe.masking, size, frames)

    def _assemble(
        self,
        clips: list[int],
        crops: list[np.random.Generator],
        mask: npt.NDArray[np.bool_],
        size: int,
        keep_layers: npt.NDArray[np.bool_],
        seed: int,
    ) -> MicroBatch:
        """Read crops and labels."""
        wave = torch.empty(len(clips), size)
        sets = self.clips.num_clusters
        shape = mask.shape if len(sets) == 1 else (*mask.shape, len(sets))
        labels = torch.empty(shape, dtype=torch.int64) if sets else None
        for i, (clip, crop) in enumerate(zip(clips, crops)):
            frame = int(crop.integers((self.clips.num_samples(clip) - size) // HOP + 1))
            self.clips.crop(clip, frame * HOP, wave[i].numpy(), self.recipe.normalize)
            if labels is not None:
                labels[i] = torch.from_numpy(self.clips.labels(clip, frame, mask.shape[1]))
        hidden = torch.from_numpy(mask)
        batch = MicroBatch(wave, hidden, masked_rows(hidden), labels, keep_layers, seed)
        return batch.pin() if self._pin else batch


def prefetch(build: Callable[..., MicroBatch], keys: Iterable[tuple[int, ...]]) -> Generator[MicroBatch, None, None]:
    """Yield ``build(*key)`` for every key in order, a few built ahead on background threads."""
    waiting: deque[Future[MicroBatch]] = deque()
    with ThreadPoolExecutor(LOADER_THREADS, thread_name_prefix="batches") as pool:
        try:
            for key in keys:
                waiting.append(pool.submit(build, *key))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
