"""Train the probing heads of one model on one task and score them on the test split."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicssl import runtime
from musicssl.artefacts import task, write_json
from musicssl.probing.protocol import probe, write_probe

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    """Unpack the job, fit and score, write both results."""
    recipe, files = snakemake.params.recipe, snakemake.input
    runtime.use_threads(snakemake.threads)
    metrics, arrays = probe(task.read(Path(files.table).parent), files.states, recipe, runtime.device())
    write_json(snakemake.output.recipe, recipe)
    write_probe(snakemake.output.metrics, snakemake.output.predictions, metrics, arrays)


if __name__ == "__main__":
    runtime.run(main, snakemake)
