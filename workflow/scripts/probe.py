"""Train the probing heads of one model on one task and score them on the test split."""

from typing import TYPE_CHECKING, Any

from musicssl import job, runtime
from musicssl.artefacts import write_json
from musicssl.artefacts.scores import write_predictions, write_scores
from musicssl.config.recipes import Task, build
from musicssl.probing.protocol import probe

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    """Unpack the job, fit and score, write both results."""
    recipe = snakemake.params.recipe
    runtime.use_threads(snakemake.threads)
    task = build(Task, recipe["entry"])
    files = snakemake.input
    scores, predictions = probe(files.table, files.task, files.states, recipe, task, runtime.device())
    write_json(snakemake.output.recipe, recipe)
    write_predictions(snakemake.output.predictions, predictions)
    write_scores(snakemake.output.metrics, scores)


if __name__ == "__main__":
    job.run(main, snakemake)
