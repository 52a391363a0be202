"""Synthesise the miniature's pre-training corpus."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicssl import job
from musicssl.config.recipes import Miniature, build
from musicssl.miniature import write_corpus

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    """Write the tracks beside ``written.json``."""
    write_corpus(Path(snakemake.output.written).parent, build(Miniature, snakemake.params.recipe["entry"]))


if __name__ == "__main__":
    job.run(main, snakemake)
