"""Compute one shard of feature vectors."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicssl import runtime
from musicssl.cluster.features import extract_shard
from musicssl.config.recipes import build_kind

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    recipe = snakemake.params.recipe
    runtime.use_threads(snakemake.threads)
    encoder = snakemake.input.get("encoder")  # every file of the folder, or none
    extract_shard(
        snakemake.input.audio,
        snakemake.output.features,
        build_kind(recipe["entry"]),
        recipe["digest"],
        recipe["inputs"]["corpus"]["digest"],
        Path(encoder[0]).parent if encoder else None,
    )


if __name__ == "__main__":
    runtime.run(main, snakemake)
