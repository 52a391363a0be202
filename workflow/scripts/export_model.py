"""Export the encoder of a training checkpoint as a Hugging Face folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicssl import runtime
from musicssl.artefacts import read_jsonl
from musicssl.config.recipes import build_kind

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    from musicssl.models import export_encoder, trained_encoder

    described = snakemake.params.recipe
    recipe = build_kind(described["entry"])
    rows = [row for row in read_jsonl(snakemake.input.metrics) if row["split"] == "valid"]
    corpus = described["inputs"]["corpus"]
    card = {
        "name": described["name"],
        "digest": described["digest"],
        "data": f"corpus `{corpus['name']}` (digest {corpus['digest']}), {recipe.updates} updates",
        "licence": "not stated; weights may fall under the terms of the audio they were trained on",
        "metrics": {key: value for key, value in (rows[-1] if rows else {}).items() if key != "split"},
    }
    encoder = trained_encoder(snakemake.input.checkpoint, recipe)
    export_encoder(encoder, recipe, Path(snakemake.output.config).parent, card)


if __name__ == "__main__":
    runtime.run(main, snakemake)
