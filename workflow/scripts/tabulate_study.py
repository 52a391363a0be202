"""Tabulate one study: declared models and floors by declared tasks, the paper's values beside ours."""

from typing import TYPE_CHECKING, Any

from musicssl import job, reporting

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    """Unpack the job, read the metrics, write the long table."""
    params = snakemake.params
    cells = reporting.read_metrics(snakemake.input.metrics, params.expected)
    rows = reporting.study_rows(params.study, cells, params.selected, params.floors, params.twins)
    reporting.write_csv(snakemake.output.table, reporting.TABLE_COLUMNS, rows)


if __name__ == "__main__":
    job.run(main, snakemake)
