"""Fit k-means centroids to the training frames of all feature shards."""

from typing import TYPE_CHECKING, Any

from musicssl import job

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    """Fit on threads, or on dask workers where the entry's ``cluster`` asks for them."""
    from musicssl.targets.kmeans.job import fit_files, fit_with_srun

    cluster = snakemake.params.place["cluster"]
    job = {
        "features": [str(path) for path in snakemake.input.features],
        "recipe": snakemake.params.recipe,
        "centroids": str(snakemake.output.centroids),
        "report": str(snakemake.output.report),
    }
    if cluster == "slurm":
        fit_with_srun(snakemake.resources.tasks, snakemake.threads, **job)
    else:
        fit_files(**job, cluster=cluster, num_threads=snakemake.threads)


if __name__ == "__main__":
    job.run(main, snakemake)
