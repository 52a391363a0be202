"""Sum up the shards of a corpus: totals per split and shard, and everything that was set aside."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..artefacts.listing import AudioFile, Rejected, write_rejected
from ..artefacts.ragged import open_all
from ..config.recipes import Corpus
from .usable import enforce_usable

logger = logging.getLogger(__name__)


def index_corpus(
    files: Sequence[AudioFile],
    scan_rejected: Sequence[Rejected],
    shard_paths: Sequence[str | Path],
    recipe: Corpus,
    digest: str,
    quarantine_path: str | Path,
) -> dict[str, Any]:
    """Write the whole quarantine and return the manifest: totals of files, clips and hours, per split and shard.

    Args:
        files: what the scan let through.
        scan_rejected: what it did not.
        shard_paths: every audio shard, in order.
        recipe: of the corpus.
        digest: of the recipe; shards of another one are refused.
        quarantine_path: CSV to write.

    Raises:
        UserError: less than ``min_usable_fraction`` of all files give clips.
    """
    splits: dict[str, dict[str, float]] = {
        split: {"num_files": 0, "num_clips": 0, "hours": 0.0} for split in ("train", "valid")
    }
    rejected, by_shard = list(scan_rejected), []
    for path, shard in zip(shard_paths, open_all(shard_paths, digest)):
        rejected += [Rejected(*row) for row in shard.attrs["quarantine"]]
        clip_hours = shard.lengths() / recipe.sample_rate_hz / 3600
        by_shard.append({"shard": Path(path).stem, "num_clips": len(shard), "hours": round(float(clip_hours.sum()), 6)})
        for split, hours in zip(shard.attrs["splits"], clip_hours.tolist()):
            splits[split]["num_clips"] += 1
            splits[split]["hours"] += hours
    rejected.sort()
    write_rejected(quarantine_path, rejected)
    lost = {row.file for row in rejected}
    for file in files:
        splits[file.split]["num_files"] += file.file not in lost
    num_files = sum(int(s["num_files"]) for s in splits.values())
    fraction = enforce_usable(num_files, rejected, recipe.min_usable_fraction, recipe.root, quarantine_path)
    hours = sum(totals["hours"] for totals in splits.values())
    for split, totals in splits.items():
        totals["hours"] = round(totals["hours"], 6)
        if not totals["num_clips"]:
            logger.warning("%s: no clips in the %s split; add files or change valid_fraction", recipe.root, split)
    return {
        "digest": digest,
        "sample_rate_hz": recipe.sample_rate_hz,
        "num_files": num_files,
        "num_clips": sum(s["num_clips"] for s in by_shard),
        "hours": round(hours, 6),
        "usable_fraction": round(fraction, 6),
        "quarantined": dict(sorted(Counter(row.reason for row in rejected).items())),
        "splits": splits,
        "shards": by_shard,
    }
