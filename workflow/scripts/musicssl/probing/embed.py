"""States of a frozen encoder for all tasks that read one dataset: each file decoded once, each window run once.

A task asks for cuts: a stretch of a file and how it is windowed. Tasks that share a cut share its rows, and what is
stored under a cut's name depends on the model and the name alone. Each file is brought to zero mean and unit variance
as a whole where the encoder wants it, then cut. Only windows of equal length share a batch: zero padding changes what
a group-norm encoder says about all of a clip, so it is never used and no result depends on who shares a batch.

Pooled states and single frames (for beats) come from one pass and go into two stores, float16. Files are worked off in
blocks; after each the stores are safe, and a killed job goes on there with the same batches, so with the same bytes.

Axes: B windows, S samples, T frames, N states, W width.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from ..artefacts import ResumableWriter
from ..config.recipes import Items, Windows
from ..datasets import Item
from ..geometry import FRAME_CENTER_S, RECEPTIVE_FIELD, SAMPLE_RATE_HZ, standardize
from ..models.view import FrozenEncoder
from ..runtime import UserError, progress
from ..signal.decode import DecodeError, examine, mono_blocks, resampled
from .items import check_splits, cut_name, read_items

logger = logging.getLogger(__name__)
Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]
Span = tuple[int, int]
BATCH_S, PENDING_S, BLOCK_FILES = 120.0, 480.0, 256


class Cut(NamedTuple):
    """What one or more tasks want of a file."""

    name: str
    start_s: float
    duration_s: float
    windows: Windows
    by_frame: bool


class Piece(NamedTuple):
    """A cut of a decoded file: the sample spans of its windows."""

    cut: Cut
    spans: list[Span]


def embed(
    tables: Mapping[str, str | Path],
    tasks: Mapping[str, Items],
    root: str | Path,
    encoder: FrozenEncoder,
    out: tuple[str | Path, str | Path],
    digest: str,
    device: torch.device,
    num_decoders: int,
) -> None:
    """Write the states of all items of the tasks that read one dataset.

    A cut has one pooled row (N, W) (its windows averaged), one a window (``windows.average`` is ``predictions``), or
    one a frame (beats). Cuts whose audio cannot be used are logged and listed in the attribute ``skipped``.

    Args:
        tables: ``items.csv`` by task.
        tasks: how each task cuts, by task.
        root: folder that the items' paths are relative to.
        encoder: as :func:`musicssl.models.frozen` gives it.
        out: the ``.npy`` of pooled states and the one of frames; ``.json`` beside them.
        digest: of the states' recipe.
        device: to run the encoder on.
        num_decoders: files decoded at once, ahead of the encoder.

    Raises:
        UserError: a split of a task has no usable item, or the encoder returns values that float16 cannot hold.
    """
    items = {name: read_items(path) for name, path in tables.items()}
    files = cuts_of(items, tasks)
    encoder.to(device)
    plan = hashlib.sha256("\n".join(cut.name for cuts in files.values() for cut in cuts).encode()).hexdigest()
    attrs = {"frame_rate_hz": encoder.frame_rate_hz, "frame_offset_s": FRAME_CENTER_S}
    shapes = [(encoder.num_states, width) for width in (encoder.pooled_width, encoder.width)]
    writers = [ResumableWriter(path, np.float16, shape, digest, plan, **attrs) for path, shape in zip(out, shapes)]
    with writers[0] as pooled, writers[1] as frames:
        write_blocks(files, Path(root), encoder, pooled, frames, device, num_decoders)
        done = {*pooled.ids, *frames.ids}
        for name, task in tasks.items():
            usable = [item for item in items[name] if cut_name(item, task.windows, task.kind) in done]
            check_splits(usable, tables[name])


def cuts_of(items: Mapping[str, Sequence[Item]], tasks: Mapping[str, Items]) -> dict[str, list[Cut]]:
    """Return the cuts of every file, each once, files in the order of the tasks' items.

    Raises:
        UserError: a task of beats asks for windows.
    """
    files: dict[str, dict[str, Cut]] = defaultdict(dict)
    for name, task in tasks.items():
        by_frame = task.kind == "beats"
        if by_frame and task.windows.length_s:
            found = task.windows.length_s
            raise UserError(f"{name}.windows.length_s: found {found}, expected 0: beats need whole items")
        for item in items[name]:
            cut = Cut(cut_name(item, task.windows, task.kind), item.start_s, item.duration_s, task.windows, by_frame)
            files[item.path][cut.name] = cut
    return {path: list(cuts.values()) for path, cuts in files.items()}


def write_blocks(
    files: Mapping[str, list[Cut]], root: Path, encoder: FrozenEncoder, pooled: ResumableWriter,
    frames: ResumableWriter, device: torch.device, num_decoders: int,
) -> None:  # fmt: skip
    """Append the rows of all files to both stores, from the first block on that is not in both."""
    paths = list(files)
    blocks = [paths[i : i + BLOCK_FILES] for i in range(0, len(paths), BLOCK_FILES)]
    done = min(len(pooled.checkpoints), len(frames.checkpoints))
    for writer in (pooled, frames):
        writer.rewind(done)
    if done:
        logger.info("%d of %d blocks were there already", done, len(blocks))

    def rows() -> Iterator[str]:
        for block in blocks[done:]:
            skipped: list[tuple[str, str]] = []
            pieces = cut_files({path: files[path] for path in block}, root, encoder.normalize, num_decoders, skipped)
            for cut, values in run_encoder(pieces, encoder, device):
                (frames if cut.by_frame else pooled).append(cut.name, values)
                yield cut.name
            pooled.checkpoint(skipped)
            frames.checkpoint(skipped)

    left = sum(len(files[path]) for block in blocks[done:] for path in block)
    for _ in progress(rows(), left, "cuts"):
        pass
    skipped = [pair for block in pooled.checkpoints for pair in block]
    for writer in (pooled, frames):
        writer.attrs["skipped"] = skipped
    if skipped:
        logger.warning("%d cuts skipped: %s", len(skipped), skipped[:5])


def _to_float16(rows: Floats, name: str) -> Halves:
    with np.errstate(over="ignore"):
        small = rows.astype(np.float16)
    if not np.isfinite(small).all():
        raise UserError(
            f"{name}: found embeddings up to {np.abs(rows).max():.3g}, expected finite values below 65504; "
            "the encoder has diverged, look at its training curves"
        )
    return small


# ---------------------------------------------------------------- windows


def window_bounds(num_samples: int, windows: Windows) -> list[Span]:
    """Return (start, stop) of consecutive windows; a last one shorter than ``min_s`` is dropped, the first never."""
    length = round(windows.length_s * SAMPLE_RATE_HZ) or num_samples
    bounds = [(start, min(start + length, num_samples)) for start in range(0, num_samples, length)]
    shortest = max(windows.min_s * SAMPLE_RATE_HZ, RECEPTIVE_FIELD)
    return bounds[:1] + [(start, stop) for start, stop in bounds[1:] if stop - start >= shortest]


def load(path: Path) -> Floats:
    """Return a file's mono mix at 16 kHz, float32 (S,).

    Raises:
        DecodeError: the file is missing or damaged.
    """
    sound = examine(path)
    blocks = list(resampled(mono_blocks(sound), sound.sample_rate_hz, SAMPLE_RATE_HZ))
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def cut_files(
    files: Mapping[str, list[Cut]], root: Path, normalized: bool, num_decoders: int, skipped: list[tuple[str, str]]
) -> Iterator[tuple[Floats, list[Piece]]]:
    """Yield every usable file's samples (S,) and its cuts, in order."""

    def decode(path: str) -> Floats | DecodeError:
        try:
            wave = load(root / path)
        except DecodeError as error:
            return error
        return standardize(wave) if normalized and len(wave) else wave

    for path, wave in read_ahead(decode, files, num_decoders):
        if isinstance(wave, DecodeError):
            logger.warning("%s: skipped, %s: %s", path, wave.reason, wave)
            skipped += [(cut.name, wave.reason) for cut in files[path]]
            continue
        pieces = []
        for cut in files[path]:
            first = min(round(cut.start_s * SAMPLE_RATE_HZ), len(wave))
            wanted = round(cut.duration_s * SAMPLE_RATE_HZ) if cut.duration_s else len(wave)
            count = min(wanted, len(wave) - first)
            if count < RECEPTIVE_FIELD:
                logger.warning("%s: skipped, %d samples from %g s on", path, count, cut.start_s)
                skipped.append((cut.name, "too short"))
                continue
            spans = [(first + a, first + b) for a, b in window_bounds(count, cut.windows)]
            pieces.append(Piece(cut, spans))
        if pieces:
            yield wave, pieces


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
    files: Iterable[tuple[Floats, list[Piece]]], encoder: FrozenEncoder, device: torch.device
) -> Iterator[tuple[Cut, Halves]]:
    """Yield the rows of every cut, (rows, N, W)."""
    pending: list[tuple[Floats, list[Piece]]] = []
    seconds = 0.0
    for wave, pieces in files:
        pending.append((wave, pieces))
        seconds += len(wave) / SAMPLE_RATE_HZ
        if seconds >= PENDING_S:
            yield from _encode(pending, encoder, device)
            pending, seconds = [], 0.0
    yield from _encode(pending, encoder, device)


@torch.inference_mode()
def _encode(
    pending: Sequence[tuple[Floats, list[Piece]]], encoder: FrozenEncoder, device: torch.device
) -> Iterator[tuple[Cut, Halves]]:
    by_length: dict[int, dict[tuple[int, Span], list[Cut]]] = defaultdict(dict)
    for i, (_, pieces) in enumerate(pending):
        for cut, spans in pieces:
            for span in spans:
                by_length[span[1] - span[0]].setdefault((i, span), []).append(cut)
    pooled: dict[tuple[int, Span], Floats] = {}
    frames: dict[tuple[int, Span], Halves] = {}
    for length, wanted in by_length.items():
        places, size = list(wanted), max(1, int(BATCH_S * SAMPLE_RATE_HZ) // length)
        for first in range(0, len(places), size):
            batch = places[first : first + size]
            wave = torch.from_numpy(np.stack([pending[i][0][a:b] for i, (a, b) in batch]))
            states = encoder.states(wave.to(device))
            pooled.update(zip(batch, encoder.pool(states).cpu().numpy()))
            for k, place in enumerate(batch):
                if beats := [cut for cut in wanted[place] if cut.by_frame]:
                    frames[place] = _to_float16(states[k].cpu().numpy(), beats[0].name)
    for i, (_, pieces) in enumerate(pending):
        for cut, spans in pieces:
            if cut.by_frame:
                yield cut, np.concatenate([frames[i, span] for span in spans])
                continue
            rows = np.stack([pooled[i, span] for span in spans])
            if cut.windows.average == "embeddings":
                rows = rows.mean(axis=0, keepdims=True)
            yield cut, _to_float16(rows, cut.name)
