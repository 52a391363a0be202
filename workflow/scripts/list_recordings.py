"""List the recordings of a dataset, with their lengths and the digests of their bytes."""

from typing import TYPE_CHECKING, Any

from musicssl import job
from musicssl.artefacts import recordings
from musicssl.datasets.listing import list_recordings

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    """Unpack the job, list, write."""
    name, root = snakemake.params.recipe["name"], snakemake.params.place["root"]
    recordings.write(snakemake.output.recordings, list_recordings(name, root, snakemake.threads))


if __name__ == "__main__":
    job.run(main, snakemake)
