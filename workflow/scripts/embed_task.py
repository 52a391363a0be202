"""Run a frozen encoder over the items of one task and keep all its states."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicssl import runtime
from musicssl.artefacts import write_json
from musicssl.config.recipes import Task, build, build_kind
from musicssl.models import frozen
from musicssl.probing.embed import embed

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    """Unpack the job, load the encoder, embed."""
    recipe = snakemake.params.recipe
    runtime.use_threads(snakemake.threads)
    task = build(Task, recipe["inputs"]["task"]["entry"] | snakemake.params.place)
    files = snakemake.input.get("encoder")  # every file of the folder, or none
    encoder = frozen(build_kind(recipe["inputs"]["model"]["entry"]), Path(files[0]).parent if files else None)
    write_json(snakemake.output.recipe, recipe)
    embed(
        snakemake.input.table,
        task.root,
        task,
        encoder,
        snakemake.output.embeddings,
        recipe["digest"],
        runtime.device(),
        snakemake.threads,
    )


if __name__ == "__main__":
    runtime.run(main, snakemake)
