"""Tabulate one study: declared models and floors by declared tasks, the paper's values beside ours."""

from typing import TYPE_CHECKING, Any

from musicssl import job, reporting
from musicssl.artefacts.table import StudyRow, write_rows

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    """Unpack the job, read the scores, write the long table."""
    params = snakemake.params
    recipe = params.recipe
    expected = {name: one["digest"] for name, one in recipe["inputs"].items()}
    cells = reporting.read_cells(snakemake.input.metrics, expected)
    study = {"name": recipe["name"], **recipe["entry"]}
    rows = reporting.study_rows(study, cells, params.selected, params.floors, params.baselines)
    write_rows(snakemake.output.table, StudyRow, rows)


if __name__ == "__main__":
    job.run(main, snakemake)
