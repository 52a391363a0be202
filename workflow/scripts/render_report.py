"""Render the report: one HTML page that needs nothing else."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicssl import artefacts, job, reporting, runtime
from musicssl.artefacts.header import read_header

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    """Unpack the job, read whatever the run left, write the page."""
    params = snakemake.params

    def given(name: str) -> list[str]:
        return getattr(snakemake.input, name, [])

    graph, benchmarks = given("rulegraph"), getattr(params, "benchmarks", None)
    material = reporting.Material(
        studies=reporting.read_studies(given("studies"), params.studies),
        metrics=[artefacts.read_json(path) for path in given("metrics")],
        curves=reporting.read_curves(given("curves")),
        kmeans=reporting.read_labels(given("kmeans")),
        quality=reporting.read_labels(given("quality")),
        manifests={Path(path).parent.name: artefacts.read_json(path) for path in given("manifests")},
        quarantines={Path(path).parent.name: reporting.read_csv(path) for path in given("quarantines")},
        tasks=reporting.read_tasks(given("tasks")),
        recipes=[read_header(path).recipe for path in given("recipes")],
        benchmarks=reporting.read_benchmarks(benchmarks) if benchmarks else {},
        planned=getattr(params, "planned", []),
        rulegraph=Path(str(graph)).read_text(encoding="utf-8") if graph else "",
        provenance=runtime.provenance(),
    )
    artefacts.write_text(snakemake.output.page, reporting.render(material))


if __name__ == "__main__":
    job.run(main, snakemake)
