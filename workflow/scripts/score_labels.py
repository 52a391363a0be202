"""Measure how well labels agree with a table of annotations."""

from typing import TYPE_CHECKING, Any

from musicssl import job

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    from musicssl.artefacts import write_json
    from musicssl.artefacts.ragged import open_all
    from musicssl.targets.quality import score_labels

    recipe = snakemake.params.recipe
    corpus = recipe["inputs"]["features"]["inputs"]["corpus"]
    shards = open_all(snakemake.input.labels, recipe["digest"])
    found = score_labels(
        shards, snakemake.params.place["annotations"], corpus["entry"]["clip_s"], corpus["entry"]["seed"]
    )
    write_json(snakemake.output.quality, {"labels": recipe["name"], "digest": recipe["digest"], "annotations": found})


if __name__ == "__main__":
    job.run(main, snakemake)
