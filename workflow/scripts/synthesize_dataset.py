"""Synthesise one of the miniature's data sets in its real layout."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicssl import job
from musicssl.config.recipes import Miniature, build
from musicssl.miniature import write_dataset

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    """Write audio and annotations beside ``written.json``."""
    root = Path(snakemake.output.written).parent
    write_dataset(snakemake.wildcards.dataset, root, build(Miniature, snakemake.params.recipe["entry"]))


if __name__ == "__main__":
    job.run(main, snakemake)
