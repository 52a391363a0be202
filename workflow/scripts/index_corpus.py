"""Sum up the shards of a corpus and all that was set aside."""

from typing import TYPE_CHECKING, Any

from musicssl import job
from musicssl.artefacts import write_json
from musicssl.artefacts.listing import read_files, read_rejected
from musicssl.config.recipes import Corpus, build
from musicssl.corpus.index import index_corpus

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    recipe = snakemake.params.recipe
    manifest = index_corpus(
        read_files(snakemake.input.files),
        read_rejected(snakemake.input.quarantine),
        snakemake.input.shards,
        build(Corpus, recipe["entry"] | snakemake.params.place),
        recipe["digest"],
        snakemake.output.quarantine,
    )
    write_json(snakemake.output.manifest, manifest)


if __name__ == "__main__":
    job.run(main, snakemake)
