"""Run a frozen encoder over a block of a dataset's recordings and keep its hidden states, pooled or by frame."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicssl import job, runtime
from musicssl.artefacts import recordings
from musicssl.config.recipes import View, build, build_kind, training_of
from musicssl.models import frozen
from musicssl.probing.embed import embed

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    """Unpack the job, load the encoder, embed."""
    recipe, output = snakemake.params.recipe, snakemake.output
    runtime.use_threads(snakemake.threads)
    model = build_kind(training_of(recipe["inputs"]["model"])["entry"])
    files = snakemake.input.get("encoder")  # every file of the folder, or none
    embed(
        recordings.read(snakemake.input.recordings),
        tuple(snakemake.params.block),
        build(View, recipe["inputs"]["view"]["entry"]),
        snakemake.params.place["root"],
        frozen(model, Path(files[0]).parent if files else None),
        output.states,
        recipe["digest"],
        runtime.device(),
        snakemake.threads,
    )


if __name__ == "__main__":
    job.run(main, snakemake)
