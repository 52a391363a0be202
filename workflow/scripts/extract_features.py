"""Compute the feature vectors of one shard's drawn clips."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicssl import job, runtime
from musicssl.artefacts.ragged import RaggedShard
from musicssl.targets.features import extract_shard

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    recipe = snakemake.params.recipe
    runtime.use_threads(snakemake.threads)
    audio = RaggedShard(snakemake.input.audio, recipe["inputs"]["corpus"]["digest"])
    encoder = snakemake.input.get("encoder")  # every file of the folder, or none
    extract_shard(audio, snakemake.output.features, recipe, Path(encoder[0]).parent if encoder else None)


if __name__ == "__main__":
    job.run(main, snakemake)
