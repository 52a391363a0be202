"""Run a frozen encoder over the items of all tasks that read one dataset and keep its states."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicssl import job, runtime
from musicssl.artefacts import write_json
from musicssl.config.recipes import Items, build, build_kind, training_of
from musicssl.models import frozen
from musicssl.probing.embed import embed

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    """Unpack the job, load the encoder, embed."""
    recipe, output = snakemake.params.recipe, snakemake.output
    runtime.use_threads(snakemake.threads)
    inputs = dict(recipe["inputs"])
    model = build_kind(training_of(inputs.pop("states")["inputs"]["model"])["entry"])
    tasks = {name: build(Items, one["entry"]) for name, one in inputs.items()}
    files = snakemake.input.get("encoder")  # every file of the folder, or none
    encoder = frozen(model, Path(files[0]).parent if files else None)
    embed(
        dict(zip(tasks, snakemake.input.tables, strict=True)),
        tasks,
        snakemake.params.place["root"],
        encoder,
        (output.pooled, output.frames),
        recipe["inputs"]["states"]["digest"],
        runtime.device(),
        snakemake.threads,
    )
    write_json(output.recipe, recipe)


if __name__ == "__main__":
    job.run(main, snakemake)
