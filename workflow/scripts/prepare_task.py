"""Read one music task from its dataset, as downloaded, and write its items."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicssl import datasets as tasks
from musicssl import job
from musicssl.config.recipes import Items, build

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    """Unpack the job, read, write the table of items, ``task.json`` and ``skipped.csv`` side by side."""
    recipe = snakemake.params.recipe
    task = build(Items, recipe["entry"] | snakemake.params.place)
    data = tasks.read_task(task, task.root)
    tasks.write_task(data, recipe["name"], task, Path(snakemake.output.table).parent)


if __name__ == "__main__":
    job.run(main, snakemake)
