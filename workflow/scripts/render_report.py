"""Render the report: one HTML page that needs nothing else."""

from typing import TYPE_CHECKING, Any

from musicssl import artefacts, job, reporting, runtime
from musicssl.artefacts.benchmarks import read_benchmarks
from musicssl.artefacts.header import read_header
from musicssl.artefacts.rulegraph import read_rulegraph
from musicssl.artefacts.scores import read_scores

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    """Unpack the job, read what the run left, write the page."""
    files, params = snakemake.input, snakemake.params
    material = reporting.Material(
        studies=reporting.read_studies(files.studies, params.studies),
        scores=[read_scores(path) for path in files.metrics],
        curves=reporting.read_curves(files.curves),
        kmeans=reporting.read_labels(files.kmeans),
        quality=reporting.read_labels(files.quality),
        manifests=reporting.read_by_folder(files.manifests),
        quarantines=reporting.read_lists(files.quarantines),
        tasks=reporting.read_by_folder(files.tasks),
        skipped=reporting.read_lists(files.skipped),
        recipes=[read_header(path).recipe for path in files.recipes],
        benchmarks=read_benchmarks(params.benchmarks),
        planned=params.planned,
        rulegraph=read_rulegraph(files.rulegraph),
        docstrings=params.docstrings,
        provenance=runtime.provenance(),
    )
    artefacts.write_text(snakemake.output.page, reporting.render(material))


if __name__ == "__main__":
    job.run(main, snakemake)
