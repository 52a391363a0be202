"""States of a frozen encoder for every item of a task.

Each file is decoded once, brought to zero mean and unit variance as a whole where the encoder wants it, and cut into
the task's windows. Only windows of equal length share a batch: zero padding changes what a group-norm encoder says
about all of a clip, so it is never used and no result depends on who shares a batch.

Axes: B windows, S samples, T frames, N states, W width.
"""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import torch

from ..arithmetic import RECEPTIVE_FIELD, SAMPLE_RATE_HZ
from ..artefacts import RaggedWriter
from ..audio.decode import DecodeError, mono_blocks, resampled
from ..config.recipes import Task, Windows
from ..models.freeze import FrozenEncoder
from ..runtime import UserError, progress
from ..tasks import Item
from .items import check_splits, read_items

logger = logging.getLogger(__name__)
Floats = npt.NDArray[np.float32]
BATCH_S, PENDING_S = 120.0, 480.0
VARIANCE_FLOOR = 1e-7


def embed(
    items_path: str | Path,
    root: str | Path,
    task: Task,
    encoder: FrozenEncoder,
    out: str | Path,
    digest: str,
    device: torch.device,
    num_decoders: int,
) -> None:
    """Write the embeddings of a task's items as one ragged shard, float16 rows (N, W).

    An item has one row (its windows averaged), one a window (``windows.average`` is ``predictions``) or one a frame
    (beats). Items whose audio cannot be used are logged and listed in the attribute ``skipped``.

    Args:
        items_path: ``items.csv``.
        root: folder that the items' paths are relative to.
        task: its windows and kind.
        encoder: as :func:`musicssl.models.frozen` gives it.
        out: the ``.npy`` to write, ``.json`` beside it.
        digest: of the recipe.
        device: to run the encoder on.
        num_decoders: files decoded at once, ahead of the encoder.

    Raises:
        UserError: a split has no usable item, or the encoder returns values that float16 cannot hold.
    """
    items = read_items(items_path)
    by_frame = task.kind == "beats"
    if by_frame and task.windows.length_s:
        raise UserError(
            f"windows.length_s: found {task.windows.length_s}, expected 0 for beats, which need whole items"
        )
    skipped: list[tuple[str, str]] = []
    attrs = {"frame_rate_hz": encoder.frame_rate_hz, "frame_offset_s": RECEPTIVE_FIELD / 2 / SAMPLE_RATE_HZ}
    row_shape = (encoder.num_states, encoder.width if by_frame else encoder.pooled_width)
    encoder.to(device)
    waves = cut_items(items, Path(root), task.windows, encoder.normalize, num_decoders, skipped)
    with RaggedWriter(out, np.float16, row_shape, digest, skipped=skipped, **attrs) as writer:
        done = set()
        for item, windows in progress(run_encoder(waves, encoder, device, by_frame), len(items), "items"):
            rows = np.concatenate(windows) if by_frame else np.stack(windows)
            if not by_frame and task.windows.average == "embeddings":
                rows = rows.mean(axis=0, keepdims=True)
            writer.append(item.id, _to_float16(rows, item.id))
            done.add(item.id)
        check_splits([item for item in items if item.id in done], items_path)
    if skipped:
        logger.warning("%d of %d items skipped: %s", len(skipped), len(items), skipped[:5])


def _to_float16(rows: Floats, name: str) -> npt.NDArray[np.float16]:
    with np.errstate(over="ignore"):
        small = rows.astype(np.float16)
    if not np.isfinite(small).all():
        raise UserError(
            f"{name}: found embeddings up to {np.abs(rows).max():.3g}, expected finite values below 65504; "
            "the encoder has diverged, look at its training curves"
        )
    return small


# ---------------------------------------------------------------- windows


def window_bounds(num_samples: int, windows: Windows) -> list[tuple[int, int]]:
    """Return (start, stop) of consecutive windows; a last one shorter than ``min_s`` is dropped, the first never."""
    length = round(windows.length_s * SAMPLE_RATE_HZ) or num_samples
    bounds = [(start, min(start + length, num_samples)) for start in range(0, num_samples, length)]
    shortest = max(windows.min_s * SAMPLE_RATE_HZ, RECEPTIVE_FIELD)
    return bounds[:1] + [(start, stop) for start, stop in bounds[1:] if stop - start >= shortest]


def normalise(wave: Floats) -> Floats:
    """Return (S,) with zero mean and unit variance."""
    centred = wave - wave.mean(dtype=np.float64)
    return (centred / np.sqrt(np.square(centred).mean() + VARIANCE_FLOOR)).astype(np.float32)


def load(path: Path) -> Floats:
    """Return a file's mono mix at 16 kHz, float32 (S,).

    Raises:
        DecodeError: the file is missing or damaged.
    """
    try:
        rate_hz = soundfile.info(str(path)).samplerate
    except soundfile.LibsndfileError as error:
        raise DecodeError("damaged", f"decoder: {error}") from error
    blocks = list(resampled(mono_blocks(path), rate_hz, SAMPLE_RATE_HZ))
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def cut_items(
    items: Sequence[Item], root: Path, windows: Windows, normalized: bool, num_decoders: int, skipped: list[Any]
) -> Iterator[tuple[Item, list[Floats]]]:
    """Yield every usable item with its windows (S,), files in the order of their first item."""
    by_path: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        by_path[item.path].append(item)

    def decode(path: str) -> Floats | DecodeError:
        try:
            wave = load(root / path)
        except DecodeError as error:
            return error
        return normalise(wave) if normalized and len(wave) else wave

    for path, wave in read_ahead(decode, by_path, num_decoders):
        for item in by_path[path]:
            if isinstance(wave, DecodeError):
                logger.warning("%s: skipped, %s: %s", item.id, wave.reason, wave)
                skipped.append((item.id, wave.reason))
                continue
            start = round(item.start_s * SAMPLE_RATE_HZ)
            stop = start + round(item.duration_s * SAMPLE_RATE_HZ) if item.duration_s else len(wave)
            stretch = wave[start:stop]
            if len(stretch) < RECEPTIVE_FIELD:
                logger.warning("%s: skipped, %d samples from %g s on in %s", item.id, len(stretch), item.start_s, path)
                skipped.append((item.id, "too short"))
                continue
            yield item, [stretch[a:b] for a, b in window_bounds(len(stretch), windows)]


def read_ahead(function: Callable[[str], Any], keys: Iterable[str], num_workers: int) -> Iterator[tuple[str, Any]]:
    """Yield (key, function(key)) in order, computing the next ``num_workers`` in threads meanwhile."""
    with ThreadPoolExecutor(num_workers) as pool:
        waiting: deque[tuple[str, Any]] = deque()
        for key in keys:
            waiting.append((key, pool.submit(function, key)))
            if len(waiting) > num_workers:
                done, future = waiting.popleft()
                yield done, future.result()
        for done, future in waiting:
            yield done, future.result()


# ---------------------------------------------------------------- encoder


def run_encoder(
    waves: Iterable[tuple[Item, list[Floats]]], encoder: FrozenEncoder, device: torch.device, by_frame: bool
) -> Iterator[tuple[Item, list[Floats]]]:
    """Yield every item with the states of its windows: (T, N, W) each by frame, else pooled, (N, W)."""
    pending: list[tuple[Item, list[Floats]]] = []
    seconds = 0.0
    for item, windows in waves:
        pending.append((item, windows))
        seconds += sum(map(len, windows)) / SAMPLE_RATE_HZ
        if seconds >= PENDING_S:
            yield from _encode(pending, encoder, device, by_frame)
            pending, seconds = [], 0.0
    yield from _encode(pending, encoder, device, by_frame)


@torch.inference_mode()
def _encode(
    pending: Sequence[tuple[Item, list[Floats]]], encoder: FrozenEncoder, device: torch.device, by_frame: bool
) -> list[tuple[Item, list[Floats]]]:
    places: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for i, (_, windows) in enumerate(pending):
        for j, window in enumerate(windows):
            places[len(window)].append((i, j))
    out: list[list[Any]] = [[None] * len(windows) for _, windows in pending]
    for length, same in places.items():
        size = max(1, int(BATCH_S * SAMPLE_RATE_HZ) // length)
        for first in range(0, len(same), size):
            batch = same[first : first + size]
            wave = torch.from_numpy(np.stack([pending[i][1][j] for i, j in batch]))
            states = encoder.states(wave.to(device))
            values = states if by_frame else encoder.pool(states)
            for (i, j), value in zip(batch, values.cpu().numpy()):
                out[i][j] = value
    return [(item, states) for (item, _), states in zip(pending, out)]
