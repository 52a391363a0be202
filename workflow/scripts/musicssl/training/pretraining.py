"""From a recipe and folders to a trained model: puts data, objective and processes together."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from .. import models
from ..artefacts import write_jsonl
from ..config.recipes import Data2vec, Hubert, build_kind
from ..runtime import UserError, seed_everything, use_threads
from . import checkpoint, distributed
from .batches import Batches, Plan, plan
from .data import Clips
from .devices import precision
from .distributed import World
from .loop import Run
from .trainer import Trainer

logger = logging.getLogger(__name__)


def pretrain(
    recipe: dict[str, Any],
    audio: Path | None,
    labels: Sequence[Path],
    out: Path,
    micro_batch_s: float | None = None,
    snapshots: Sequence[int] = (),
    gpus: int = 0,
) -> None:
    """Train one model, or go on where an earlier call of the same recipe was stopped.

    Writes ``checkpoint.pt`` (``{"objective", "digest", "update"}``, and ``"snapshots"``, encoders by update, where some
    are asked for), ``metrics.jsonl`` and ``speed.jsonl`` into ``out``. Until then the state lives in ``out/resume``.

    Args:
        recipe: of the model: ``name``, ``digest``, ``entry``, ``inputs``.
        audio: folder of audio shards; not needed for an untrained model.
        labels: a folder of label shards for each label set of a HuBERT.
        out: folder of the model.
        micro_batch_s: seconds of audio in one forward pass; the recipe's group when ``None``.
        snapshots: updates after which the encoder is kept beside the one at the end.
        gpus: that each machine must have; 0 takes what is there.

    Raises:
        UserError: data, recipe or saved state do not fit; the disk is full; training diverged.
        SystemExit: a signal asked to stop; the state is saved.
    """
    entry = build_kind(recipe["entry"])
    if not isinstance(entry, Hubert | Data2vec):
        raise UserError(f"{recipe['name']}: found kind {recipe['entry']['kind']!r}, expected hubert or data2vec")
    if "OMP_NUM_THREADS" in os.environ:
        use_threads(int(os.environ["OMP_NUM_THREADS"]))
    world = distributed.start(gpus)
    try:
        if entry.updates == 0:
            _write_untrained(entry, recipe["digest"], world, out)
            return
        sizes = plan(entry, micro_batch_s)
        _check_share(sizes, world)
        clips = _open_clips(entry, recipe, sizes, audio, labels)
        batches = Batches(clips, entry, sizes, pin=world.device.type == "cuda")
        objective = _initial(entry, clips.num_clusters, world)
        if entry.compile == "layers":
            objective.compile_layers()
        _announce(entry, sizes, world)
        Run(Trainer(entry, objective, batches, world), recipe["digest"], out, snapshots).go()
    finally:
        distributed.stop()


def _write_untrained(entry: Hubert | Data2vec, digest: str, world: World, out: Path) -> None:
    """Write the initial weights as a finished model: the baseline that no training has touched."""
    objective = _initial(entry, [1] * (1 + len(entry.more_labels)) if isinstance(entry, Hubert) else None, world)
    if world.is_main:
        for name in ("metrics.jsonl", "speed.jsonl"):
            write_jsonl(out / name, [])
        weights = {name: value.cpu() for name, value in objective.state_dict().items()}
        checkpoint.save(out / "checkpoint.pt", {"objective": weights, "digest": digest, "update": 0})
    logger.info("0 updates: the initial weights are the model")


def _initial(entry: Hubert | Data2vec, num_clusters: Sequence[int] | None, world: World) -> torch.nn.Module:
    """Return the objective with its initial weights, equal on all ranks."""
    seed_everything(entry.seed)
    # A debugging aid that costs a pass over memory; torch makes the attribute when it runs, mypy does not see it.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    objective = models.build_objective(entry, num_clusters).to(world.device)
    world.copy_from_main(objective)
    return objective


def _open_clips(
    entry: Hubert | Data2vec, recipe: dict[str, Any], sizes: Plan, audio: Path | None, labels: Sequence[Path]
) -> Clips:
    """Open the data that the paradigm needs, refusing those of another recipe."""
    if audio is None:
        raise UserError("--audio: missing; give the folder of audio shards that crop_audio wrote")
    digests = {role: upstream["digest"] for role, upstream in recipe["inputs"].items()}
    if isinstance(entry, Data2vec):
        return Clips(audio, (), sizes.crop, digests["corpus"])
    sets = [entry.labels, *entry.more_labels]
    if len(labels) != len(sets):
        raise UserError(
            f"--labels: found {len(labels)} folder(s), expected one for each of {', '.join(sets)}, in this order; "
            "give the folders of label shards that assign_labels wrote"
        )
    return Clips(audio, labels, sizes.crop, digests["corpus"], [digests[r] for r in ("labels", *entry.more_labels)])


def _check_share(sizes: Plan, world: World) -> None:
    """Every process needs work in every update."""
    if world.size > sizes.num_micro:
        raise UserError(
            f"--nproc-per-node: found {world.size} processes for {sizes.num_micro} micro-batches an update, expected "
            f"at most {sizes.num_micro}; start fewer or give a smaller micro_batch_s"
        )
    if sizes.num_micro % world.size:
        logger.warning(
            "%d micro-batches an update over %d processes: some wait for the others; a number of processes that "
            "divides it is faster",
            sizes.num_micro,
            world.size,
        )


def _announce(entry: Hubert | Data2vec, sizes: Plan, world: World) -> None:
    """Say how the global batch is shared."""
    logger.info(
        "%d process(es) on %s, %d thread(s) each, %s; an update is %g s of audio = %d clips of %g s in %d group(s) of "
        "%d, sent in micro-batches of %d",
        world.size,
        world.device.type,
        torch.get_num_threads(),
        precision(entry, world.device),
        entry.batch.global_s,
        sizes.num_clips,
        entry.crop_s,
        sizes.num_clips // sizes.group,
        sizes.group,
        sizes.micro,
    )
