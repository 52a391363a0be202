"""Score the stored predictions of one model on one task."""

from typing import TYPE_CHECKING, Any

from musicssl import job
from musicssl.artefacts.scores import read_fit, read_predictions, write_scores
from musicssl.probing.score import score

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    """Unpack the job, score, write."""
    recipe, files = snakemake.params.recipe, snakemake.input
    predictions, fitted = read_predictions(files.predictions), read_fit(files.fit)
    found = score(predictions, fitted, recipe["name"], recipe["digest"], recipe["entry"]["num_bootstraps"])
    write_scores(snakemake.output.metrics, found)


if __name__ == "__main__":
    job.run(main, snakemake)
