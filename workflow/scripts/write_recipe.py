"""Write plain values given by a rule, such as a resolved recipe, as JSON."""

from typing import TYPE_CHECKING, Any

from musicssl import runtime
from musicssl.artefacts.files import write_json

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    write_json(snakemake.output[0], snakemake.params.recipe)


if __name__ == "__main__":
    runtime.run(main, snakemake)
