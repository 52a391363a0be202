"""List the recordings of a dataset, with their lengths and the digests of their bytes."""

from typing import TYPE_CHECKING, Any

from musicssl import runtime
from musicssl.artefacts import recordings, write_json
from musicssl.datasets.listing import list_recordings

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    """Unpack the job, list, write."""
    recipe, output = snakemake.params.recipe, snakemake.output
    found = list_recordings(recipe["name"], snakemake.params.place["root"], snakemake.threads)
    write_json(output.recipe, recipe)
    recordings.write(output.recordings, found)


if __name__ == "__main__":
    runtime.run(main, snakemake)
