"""Train the probing heads of one model on one task and keep what they answer on the test split."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicssl import job, runtime
from musicssl.artefacts import task
from musicssl.artefacts.scores import write_fit, write_predictions
from musicssl.probing.protocol import probe

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    """Unpack the job, fit and answer, write both results."""
    files, output = snakemake.input, snakemake.output
    runtime.use_threads(snakemake.threads)
    table = task.read(Path(files.table).parent)
    predictions, fitted = probe(table, files.states, snakemake.params.recipe, runtime.device())
    write_predictions(output.predictions, predictions)
    write_fit(output.fit, fitted)


if __name__ == "__main__":
    job.run(main, snakemake)
