"""Tabulate one model on all its tasks, floors and the paper's values beside every score."""

from typing import TYPE_CHECKING, Any

from musicssl import job, reporting
from musicssl.artefacts.table import SummaryRow, write_rows

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    """Unpack the job, read the scores of the model and its floors, write the summary."""
    params = snakemake.params
    expected = {name: one["digest"] for name, one in params.recipe["inputs"].items()}
    cells = reporting.read_cells(snakemake.input.metrics, expected)
    floor_cells = reporting.read_cells(snakemake.input.floors, expected)
    rows = reporting.branch_rows(params.recipe["name"], cells, floor_cells, params.floors)
    write_rows(snakemake.output.summary, SummaryRow, rows)


if __name__ == "__main__":
    job.run(main, snakemake)
