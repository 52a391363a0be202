"""Decode the files of one shard and store their clips."""

from typing import TYPE_CHECKING, Any

from musicssl import job
from musicssl.artefacts.listing import read_files
from musicssl.config.recipes import Corpus, build
from musicssl.corpus.crop import crop_shard

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    recipe = snakemake.params.recipe
    files = [f for f in read_files(snakemake.input.files) if f.shard == int(snakemake.wildcards.shard)]
    crop_shard(files, build(Corpus, recipe["entry"] | snakemake.params.place), recipe["digest"], snakemake.output.audio)


if __name__ == "__main__":
    job.run(main, snakemake)
