"""Write the merged configuration that a report is made with."""

from typing import TYPE_CHECKING, Any

from musicssl import job
from musicssl.artefacts.store import write_json

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    write_json(snakemake.output.settings, snakemake.params.settings)


if __name__ == "__main__":
    job.run(main, snakemake)
