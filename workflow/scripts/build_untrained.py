"""Export an encoder with its initial weights: the untrained baseline of a model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicssl import job
from musicssl.config.recipes import build_kind

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    """Draw the weights, write the folder."""
    from musicssl.models import export_encoder, untrained_encoder

    described = snakemake.params.recipe
    recipe = build_kind(described["entry"])
    card = {
        "name": described["name"],
        "digest": described["digest"],
        "data": f"none: initial weights of seed {recipe.seed}",
        "licence": "that of this workflow",
        "metrics": {},
    }
    export_encoder(untrained_encoder(recipe), recipe, Path(snakemake.output.config).parent, card)


if __name__ == "__main__":
    job.run(main, snakemake)
