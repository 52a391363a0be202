"""List a corpus into usable files, with split and shard, and files set aside."""

from typing import TYPE_CHECKING, Any

from musicssl import job
from musicssl.artefacts.listing import write_files, write_rejected
from musicssl.config.recipes import Corpus, build
from musicssl.corpus.scan import scan
from musicssl.corpus.usable import enforce_usable

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    recipe = build(Corpus, snakemake.params.recipe["entry"] | snakemake.params.place)
    files, rejected = scan(recipe, snakemake.threads)
    write_rejected(snakemake.output.quarantine, rejected)
    enforce_usable(len(files), rejected, recipe.min_usable_fraction, recipe.root, snakemake.output.quarantine)
    write_files(snakemake.output.files, files)


if __name__ == "__main__":
    job.run(main, snakemake)
