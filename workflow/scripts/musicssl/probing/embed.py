"""Hidden states of a frozen encoder for one view of a dataset: each recording decoded once, each window encoded once.

What is stored depends on the model, the list of recordings and the view, on no task. A recording is brought to zero
mean and unit variance as a whole where the encoder wants it, then cut. Only windows of equal length share a batch: zero
padding changes what a group-norm encoder says about all of a clip, so it is never used.

The list is divided into groups of consecutive recordings, a few minutes of audio each, and a block holds whole groups.
No batch crosses a group, so the bytes depend neither on the number of blocks nor on how many files are decoded at once.

Axes: B windows, S samples, T frames, N hidden states, W width.
"""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from ..artefacts import states
from ..artefacts.recordings import Recording
from ..config.recipes import View
from ..geometry import FRAME_CENTER_S, RECEPTIVE_FIELD, SAMPLE_RATE_HZ, standardize
from ..models.view import FrozenEncoder
from ..runtime import UserError, progress
from ..signal.decode import DecodeError, examine, mono_blocks, resampled
from ..tasks.views import Span, count_windows, whole_windows, window_spans

logger = logging.getLogger(__name__)
VERSION = 1
"""Raised when other numbers come out for the same windows."""
K = TypeVar("K")
V = TypeVar("V")
Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]
BATCH_S, GROUP_S, GROUP_RECORDINGS = 120.0, 480.0, 256


class Piece(NamedTuple):
    """A decoded recording and the sample spans of its windows."""

    path: str
    wave: Floats
    spans: list[Span]


def embed(
    recordings: Sequence[Recording],
    place: tuple[int, int],
    view: View,
    root: str | Path,
    encoder: FrozenEncoder,
    out: str | Path,
    digest: str,
    device: torch.device,
    num_decoders: int,
) -> None:
    """Write one block of the hidden states of a dataset.

    A recording has one pooled row (N, W), the mean of its windows, or one a window, or one a frame, as the view says.
    What cannot be used is logged and listed in the attribute ``skipped``.

    Args:
        recordings: of the whole dataset.
        place: number of the block, and how many there are.
        view: what is cut and how it is pooled.
        root: folder that the recordings' paths are relative to.
        encoder: as :func:`musicssl.models.frozen` gives it.
        out: the block's ``.npy``; its index goes beside it.
        digest: of the states' recipe.
        device: to run the encoder on.
        num_decoders: files decoded at once, ahead of the encoder.

    Raises:
        UserError: the encoder returns values that float16 cannot hold.
    """
    encoder.to(device)
    groups = groups_of_block(recordings, *place)
    shape = encoder.num_states, encoder.width if view.rows == "frame" else encoder.pooled_width
    skipped: list[states.Lost] = []
    attrs = {"frame_rate_hz": encoder.frame_rate_hz, "frame_offset_s": FRAME_CENTER_S}
    with states.write(out, shape, digest, place, skipped=skipped, **attrs) as block:

        def stored() -> Iterator[str]:
            for group in decoded(groups, Path(root), encoder.normalize, num_decoders):
                pieces = [piece for found in group if (piece := cut(*found, view, skipped))]
                for path, rows in encode(pieces, view, encoder, device):
                    block.append(path, rows)
                yield from (recording.path for recording, _ in group)
                group.clear()  # before the next is decoded

        for _ in progress(stored(), sum(map(len, groups)), "recordings"):
            pass
    if skipped:
        logger.warning("%d recordings or windows skipped: %s", len(skipped), skipped[:5])


def groups_of_block(recordings: Sequence[Recording], block: int, num_blocks: int) -> list[list[Recording]]:
    """Return the groups of consecutive recordings that a block holds; the groups are the same whatever the blocks."""
    groups: list[list[Recording]] = [[]]
    seconds = 0.0
    for recording in recordings:
        if seconds >= GROUP_S or len(groups[-1]) == GROUP_RECORDINGS:
            groups.append([])
            seconds = 0.0
        groups[-1].append(recording)
        seconds += recording.duration_s
    first, stop = (len(groups) * k // num_blocks for k in (block, block + 1))
    return groups[first:stop]


# ---------------------------------------------------------------- audio


def load(path: Path) -> Floats:
    """Return a file's mono mix at 16 kHz, float32 (S,).

    Raises:
        DecodeError: the file is missing or damaged.
    """
    sound = examine(path)
    blocks = list(resampled(mono_blocks(sound), sound.sample_rate_hz, SAMPLE_RATE_HZ))
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def decoded(
    groups: Sequence[Sequence[Recording]], root: Path, normalized: bool, num_decoders: int
) -> Iterator[list[tuple[Recording, Floats | DecodeError]]]:
    """Yield each group's recordings with their samples (S,), or with what is wrong with them."""

    def decode(recording: Recording) -> Floats | DecodeError:
        try:
            wave = load(root / recording.path)
        except DecodeError as error:
            return error
        return standardize(wave) if normalized and len(wave) else wave

    waves = read_ahead(decode, (recording for group in groups for recording in group), num_decoders)
    for group in groups:
        yield [next(waves) for _ in group]


def read_ahead(function: Callable[[K], V], keys: Iterable[K], num_workers: int) -> Iterator[tuple[K, V]]:
    """Yield (key, function(key)) in order, computing the next ``num_workers`` in threads meanwhile."""
    with ThreadPoolExecutor(num_workers) as pool:
        waiting: deque[tuple[K, Future[V]]] = deque()
        for key in keys:
            waiting.append((key, pool.submit(function, key)))
            if len(waiting) > num_workers:
                done, future = waiting.popleft()
                yield done, future.result()
        for done, future in waiting:
            yield done, future.result()


def cut(recording: Recording, wave: Floats | DecodeError, view: View, skipped: list[states.Lost]) -> Piece | None:
    """Return the windows of a recording, None where it has none; ``skipped`` takes what is lost."""
    path = recording.path
    if isinstance(wave, DecodeError):
        logger.warning("%s: skipped, %s: %s", path, wave.reason, wave)
        skipped.append((path, 0.0, wave.reason))
        return None
    found = window_spans(len(wave), recording.duration_s, view)
    spans = [(start, stop) for start, stop in found if stop - start >= RECEPTIVE_FIELD]
    wanted = count_windows(recording.duration_s, view) if whole_windows(view) else 1
    for k in range(len(spans), max(1, wanted)):
        logger.warning("%s: %g s on skipped, %d samples in all", path, k * view.window_s, len(wave))
        skipped.append((path, k * view.window_s, "too short"))
    return Piece(path, wave, spans) if spans else None


# ---------------------------------------------------------------- encoder


@torch.inference_mode()
def encode(
    pieces: Sequence[Piece], view: View, encoder: FrozenEncoder, device: torch.device
) -> Iterator[tuple[str, Halves]]:
    """Yield the rows of every piece of a group, (rows, N, W)."""
    by_length: dict[int, list[tuple[int, Span]]] = defaultdict(list)
    for i, (_, _, spans) in enumerate(pieces):
        for span in spans:
            by_length[span[1] - span[0]].append((i, span))
    pooled: dict[tuple[int, Span], Floats] = {}
    frames: dict[tuple[int, Span], Halves] = {}
    for length, places in by_length.items():
        size = max(1, int(BATCH_S * SAMPLE_RATE_HZ) // length)
        for first in range(0, len(places), size):
            batch = places[first : first + size]
            wave = torch.from_numpy(np.stack([pieces[i].wave[a:b] for i, (a, b) in batch]))
            hidden = encoder.states(wave.to(device))
            if view.rows == "frame":
                for place, own in zip(batch, hidden):
                    frames[place] = _to_float16(own.cpu().numpy(), pieces[place[0]].path)
            else:
                pooled.update(zip(batch, encoder.pool(hidden).cpu().numpy()))
    for i, (path, _, spans) in enumerate(pieces):
        if view.rows == "frame":
            yield path, np.concatenate([frames.pop((i, span)) for span in spans])
            continue
        rows = np.stack([pooled[i, span] for span in spans])
        yield path, _to_float16(rows.mean(axis=0, keepdims=True) if view.rows == "recording" else rows, path)


def _to_float16(rows: Floats, name: str) -> Halves:
    with np.errstate(over="ignore"):
        small = rows.astype(np.float16)
    if not np.isfinite(small).all():
        raise UserError(
            f"{name}: found hidden states up to {np.abs(rows).max():.3g}, expected finite values below 65504; "
            "the encoder has diverged, look at its training curves"
        )
    return small
