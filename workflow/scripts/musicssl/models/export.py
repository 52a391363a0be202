"""Encoders as Hugging Face folders: config.json, model.safetensors, preprocessor_config.json and a model card.

The same weights and card give the same bytes.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import PreTrainedConfig, PreTrainedModel

from ..artefacts import encoder as folders
from ..artefacts.run import read_checkpoint
from ..config.recipes import Data2vec, Hubert, Released, Untrained
from ..geometry import CONV_KERNELS, CONV_STRIDES, SAMPLE_RATE_HZ
from ..runtime import UserError
from .encoders import CLASSES, Encoder, empty_encoder
from .objective import Objective

PARADIGMS = {"hubert": "hubert", "data2vec-audio": "data2vec"}
CARD = """---
license: other
library_name: transformers
pipeline_tag: feature-extraction
tags:
- music
- audio
- self-supervised
- {paradigm}
---

# {name}

A self-supervised encoder of music: {width} values a frame, 50 frames a second, {num_states} states
(the transformer's input and its {num_layers} layers). Input is mono audio at 16 kHz in [-1, 1]{scaling}.

```python
import torch
from transformers import AutoModel

model = AutoModel.from_pretrained("path/to/this/folder").eval()
with torch.no_grad():
    states = model(torch.zeros(1, 16000), output_hidden_states=True).hidden_states
```

A plain forward never masks by itself; to fine-tune with SpecAugment set `apply_spec_augment` in config.json.

* Data: {data}
* Licence: {licence}
* Recipe digest: {digest}

## Metrics

{metrics}

## Recipe

```json
{recipe}
```
"""


def export_encoder(
    model: Objective | Encoder,
    recipe: Hubert | Data2vec | Untrained | Released,
    out_dir: str | Path,
    card: dict[str, Any],
) -> None:
    """Write an encoder as a folder that ``AutoModel.from_pretrained`` opens.

    Args:
        model: a training objective or its encoder.
        recipe: what made it.
        out_dir: the folder; files get their names when all are whole, config.json last.
        card: ``name``, ``digest``, ``data`` and ``licence`` as text, ``metrics`` as a mapping to numbers.

    Raises:
        UserError: the disk is full or not writable; no file of the folder is half written.
    """
    encoder = model if isinstance(model, PreTrainedModel) else model.encoder
    out_dir = Path(out_dir)
    settings, text = preprocessor(encoder, recipe.normalize), model_card(encoder, recipe, card)
    with _on_disk(encoder, out_dir), folders.write(out_dir, settings, text) as part:
        encoder.save_pretrained(part)


@contextlib.contextmanager
def _on_disk(encoder: Encoder, out_dir: Path) -> Iterator[None]:
    """Turn an error of the disk into a sentence; safetensors has its own class for them, among others."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        if isinstance(error, SafetensorError) and "os error" not in str(error):
            raise
        size = sum(weight.nbytes for weight in encoder.state_dict().values())
        disk = next(folder for folder in out_dir.absolute().parents if folder.exists())
        raise UserError(
            f"{out_dir}: the encoder could not be written ({error}): its weights take {size / 1e6:.1f} MB, "
            f"{shutil.disk_usage(disk).free / 1e6:.1f} MB are free; no file there is half written; free space or "
            "quota, or make the folder writable, and run the same command again"
        ) from error


def preprocessor(encoder: Encoder, normalize: bool) -> dict[str, Any]:
    """Return the settings of ``Wav2Vec2FeatureExtractor``; group norm must not see a padding mask."""
    return {
        "do_normalize": normalize,
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "feature_size": 1,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": encoder.config.model_type == "data2vec-audio",
        "sampling_rate": SAMPLE_RATE_HZ,
    }


def model_card(encoder: Encoder, recipe: Hubert | Data2vec | Untrained | Released, card: dict[str, Any]) -> str:
    """Return the text of README.md."""
    config = encoder.config
    rows = [f"| {name} | {value} |" for name, value in card["metrics"].items()]
    return CARD.format(
        **{key: card[key] for key in ("name", "data", "licence", "digest")},
        paradigm=PARADIGMS[config.model_type],
        width=config.hidden_size,
        num_layers=config.num_hidden_layers,
        num_states=config.num_hidden_layers + 1,
        scaling=", scaled to zero mean and unit variance" if recipe.normalize else "",
        metrics="\n".join(["| name | value |", "|---|---|", *rows]) if rows else "None.",
        recipe=json.dumps(asdict(recipe), indent=1),
    )


def trained_encoder(
    checkpoint: str | Path, recipe: Hubert | Data2vec, update: int | None = None, digest: str = ""
) -> Encoder:
    """Return the encoder in a training checkpoint, in evaluation mode.

    Args:
        checkpoint: torch file whose ``objective`` holds an objective's ``state_dict``, and ``snapshots`` earlier ones.
        recipe: what trained it.
        update: of the snapshot to return; the last when ``None``.
        digest: of the recipe that must have trained it, when known.

    Raises:
        UserError: the file is damaged, or its weights are not those of the recipe.
    """
    stored = read_checkpoint(Path(checkpoint), digest)
    if update is not None and update not in stored.snapshots:
        raise UserError(
            f"{checkpoint}: keeps no encoder of update {update}, and the states to make it from went when the training "
            f"ended; only training again from the start makes it: snakemake --forcerun {checkpoint} with the same "
            "options, at the cost of the whole training"
        )
    state = stored.objective if update is None else stored.snapshots[update]
    weights = {key.removeprefix("encoder."): value for key, value in state.items() if key.startswith("encoder.")}
    encoder = empty_encoder(recipe.kind, recipe.architecture)
    try:
        encoder.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(
            f"{checkpoint}: {' '.join(str(error).split())[:300]}; expected the weights of its recipe; train it again"
        ) from error
    return encoder.train(False)


def load_encoder(folder: str | Path) -> Encoder:
    """Open an exported encoder, in evaluation mode.

    Raises:
        UserError: the folder holds no encoder of ours.
    """
    found = folders.read(folder).config.get("model_type")
    if found not in PARADIGMS:
        raise UserError(
            f"{folder}/config.json: model_type {found!r}, expected one of {', '.join(PARADIGMS)}; export it again"
        )
    return open_pretrained(str(folder), PARADIGMS[found])


def open_pretrained(source: str, paradigm: str, revision: str = "main") -> Encoder:
    """Open a Hugging Face folder or hub name, in float32 and evaluation mode.

    Raises:
        OSError: it is neither a folder nor reachable.
        UserError: it is another kind of model, or weights are missing.
    """
    config, _ = PreTrainedConfig.get_config_dict(source, revision=revision)
    expected = {
        "model_type": next(name for name, known in PARADIGMS.items() if known == paradigm),
        "conv_kernel": list(CONV_KERNELS),
        "conv_stride": list(CONV_STRIDES),
        "do_stable_layer_norm": False,
    } | ({"feat_extract_norm": "group"} if paradigm == "hubert" else {})
    defaults = expected | {"model_type": None}
    for key, value in expected.items():
        found = config.get(key, defaults[key])
        if found != value:
            raise UserError(f"{source}: {key} is {found!r}, expected {value!r}; give a {paradigm} base encoder")
    try:
        encoder, report = CLASSES[paradigm].from_pretrained(
            source, revision=revision, dtype=torch.float32, output_loading_info=True
        )
    except RuntimeError as error:
        raise UserError(f"{source}: weights do not fit config.json ({error}); download or export it again") from error
    missing = sorted(set(report["missing_keys"]) - {"masked_spec_embed"})
    if missing:
        raise UserError(
            f"{source}: {len(missing)} weights missing, such as {missing[0]}, expected a whole {paradigm} encoder; "
            "download it again"
        )
    return encoder.train(False)
