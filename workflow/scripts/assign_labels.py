"""Label every frame of one feature shard with its nearest centroid."""

from typing import TYPE_CHECKING, Any

from musicssl import runtime

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    """Assign one shard."""
    import numpy as np

    from musicssl.artefacts import RaggedShard
    from musicssl.cluster.assign import assign_shard
    from musicssl.cluster.executors import open_executor

    recipe = snakemake.params.recipe
    features = RaggedShard(str(snakemake.input.features), recipe["inputs"]["features"]["digest"])
    centroids = np.load(str(snakemake.input.centroids))
    with open_executor("threads", snakemake.threads) as executor:
        assign_shard(features, centroids, str(snakemake.output.labels), recipe["digest"], executor)


if __name__ == "__main__":
    runtime.run(main, snakemake)
