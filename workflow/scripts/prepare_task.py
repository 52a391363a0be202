"""Read one music task from its dataset, as downloaded, and write its items."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicssl import job
from musicssl.artefacts import recordings, task
from musicssl.config.recipes import Items, View, build
from musicssl.tasks.prepare import prepare, table_of

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    """Unpack the job, read and cut, write the table of items, ``task.json`` and ``skipped.csv`` side by side."""
    recipe, output = snakemake.params.recipe, snakemake.output
    entry, view = build(Items, recipe["entry"]), recipe["inputs"].get("view")
    lengths = {one.path: one.duration_s for one in recordings.read(snakemake.input.recordings)}
    data = prepare(entry, build(View, view["entry"]) if view else None, snakemake.params.place["root"], lengths.get)
    task.write(Path(output.table).parent, table_of(recipe["name"], entry, data))


if __name__ == "__main__":
    job.run(main, snakemake)
