"""Label every frame of one audio shard with its nearest centroid; features are made on the fly."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicssl import job, runtime

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    from musicssl.artefacts import centroids
    from musicssl.artefacts.ragged import RaggedShard
    from musicssl.targets.assign import write_labels
    from musicssl.targets.features import extractor, needs_gpu
    from musicssl.targets.kmeans.executors import open_executor
    from musicssl.targets.kmeans.nearest import index_here

    recipe = snakemake.params.recipe
    features = recipe["inputs"]["features"]
    audio = RaggedShard(snakemake.input.audio, features["inputs"]["corpus"]["digest"])
    runtime.use_threads(snakemake.threads)
    encoder = snakemake.input.get("encoder")  # every file of the folder, or none
    source = extractor(features, Path(encoder[0]).parent if encoder else None)
    found = centroids.read(snakemake.input.centroids, source.width).values
    attrs = {"frame_rate_hz": features["entry"]["frame_rate_hz"], "splits": audio.attrs["splits"]}
    with open_executor("threads", snakemake.threads) as executor:
        clips = source.clips(audio, range(len(audio)))
        index = index_here() if needs_gpu(features["entry"]) else None  # others reserve no GPU
        write_labels(clips, found, str(snakemake.output.labels), recipe["digest"], executor, index, **attrs)


if __name__ == "__main__":
    job.run(main, snakemake)
