"""Bring an encoder somebody else trained into the folder layout of ours."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicssl import job
from musicssl.config.recipes import build_kind

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    from musicssl.models import export_encoder, released_encoder

    described = snakemake.params.recipe
    recipe = build_kind(described["entry"])
    card = {
        "name": described["name"],
        "digest": described["digest"],
        "data": f"see the model card of `{recipe.source}`, where the weights come from",
        "licence": f"that of `{recipe.source}`",
        "metrics": {},
    }
    export_encoder(released_encoder(recipe), recipe, Path(snakemake.output.config).parent, card)


if __name__ == "__main__":
    job.run(main, snakemake)
