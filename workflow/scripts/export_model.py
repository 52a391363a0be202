"""Export the encoder of a training checkpoint, or a snapshot in it, as a Hugging Face folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicssl import job
from musicssl.artefacts import read_jsonl
from musicssl.config.recipes import build_kind, training_of

if TYPE_CHECKING:
    snakemake: Any


def main(snakemake: Any) -> None:
    from musicssl.models import export_encoder, trained_encoder

    described = snakemake.params.recipe
    run = training_of(described)
    snapshot = described["entry"]["updates"] if run is not described else None
    recipe = build_kind(run["entry"])
    updates = snapshot or recipe.updates
    rows = [row for row in read_jsonl(snakemake.input.metrics) if row["split"] == "valid" and row["update"] <= updates]
    corpus = run["inputs"]["corpus"]
    part = f" of the {recipe.updates} of {run['name']}" if snapshot else ""
    card = {
        "name": described["name"],
        "digest": described["digest"],
        "data": f"corpus `{corpus['name']}` (digest {corpus['digest']}), {updates} updates{part}",
        "licence": f"{snakemake.params.licence or 'not stated'} for the audio of corpus `{corpus['name']}`; "
        "weights may fall under the terms of what they were trained on",
        "metrics": {key: value for key, value in (rows[-1] if rows else {}).items() if key != "split"},
    }
    encoder = trained_encoder(snakemake.input.checkpoint, recipe, snapshot, run["digest"])
    export_encoder(encoder, recipe, Path(snakemake.output.config).parent, card)


if __name__ == "__main__":
    job.run(main, snakemake)
