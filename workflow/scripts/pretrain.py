"""Pre-train one model; by hand: torchrun --standalone --nproc-per-node N workflow/scripts/pretrain.py <job.json>."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicssl import job, runtime
from musicssl.training import launch

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    """Write down what is to be done and become ``torchrun``."""
    audio, nodes = list(snakemake.input.audio), snakemake.resources.nodes
    training = launch.Training(
        job=asdict(job.of_snakemake(snakemake)),
        audio=audio,
        labels=launch.by_set(snakemake.input.get("labels", []), len(audio)),
        out=str(Path(snakemake.output.checkpoint).parent),
        speed=str(Path(snakemake.log[0]).with_suffix(".speed.jsonl")),
        place=snakemake.params.place,
        snapshots=snakemake.params.snapshots,
        gpus=snakemake.resources.gpu // nodes,
    )
    launch.become(training, __file__, snakemake.threads, nodes, snakemake.resources.get("mpi"))


if __name__ == "__main__":
    try:
        main(snakemake) if "snakemake" in globals() else launch.work(Path(sys.argv[1]))
    except runtime.UserError as error:
        sys.exit(str(error))
