"""Pre-train one model: torchrun --standalone --nproc-per-node N workflow/scripts/pretrain.py --recipe ... --out ..."""

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import Any

from musicssl import artefacts, runtime


def arguments() -> argparse.Namespace:
    """Read the command line; what decides the result stands in the recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", type=Path, required=True, help="recipe.json of the model")
    parser.add_argument("--audio", type=Path, help="folder of audio shards; not needed for 0 updates")
    parser.add_argument("--labels", type=Path, nargs="+", default=[], help="folders of label shards, for HuBERT")
    parser.add_argument("--out", type=Path, required=True, help="folder of the model")
    parser.add_argument("--log-file", type=Path, help="log file of rank 0 (torchrun takes --log for its own)")
    parser.add_argument("--log-every", type=int, default=200, help="updates between rows of metrics.jsonl")
    parser.add_argument("--checkpoint-every", type=int, default=2500, help="updates between resume states")
    parser.add_argument("--snapshots", type=int, nargs="+", default=[], help="updates after which encoders are kept")
    parser.add_argument("--compile", choices=("nothing", "layers"), default="nothing", help="what torch compiles")
    parser.add_argument("--micro-batch-s", type=float, default=0.0, help="audio in one forward pass (default: a group)")
    parser.add_argument("--gpus", type=int, default=0, help="that each machine must have (default: what is there)")
    return parser.parse_args()


def read_recipe(path: Path) -> dict[str, Any]:
    """Read what rule write_recipe wrote."""
    try:
        return artefacts.read_json(path)
    except (OSError, ValueError) as error:
        raise runtime.UserError(f"--recipe {path}: unreadable ({error}); give the recipe.json of a model") from error


def main() -> None:
    """Train, with one sentence instead of a traceback where the user can mend something."""
    args = arguments()
    if "TORCHELASTIC_RUN_ID" in os.environ:  # as torch.distributed.is_torchelastic_launched() asks
        runtime.die_with_parent()
    is_main = os.environ.get("RANK", "0") == "0"
    runtime.start_log(args.log_file if is_main else None)
    logging.getLogger().setLevel(logging.INFO if is_main else logging.WARNING)
    logger = logging.getLogger("pretrain")
    try:
        recipe = read_recipe(args.recipe)
        recipe["entry"] |= {name: getattr(args, name) for name in ("log_every", "checkpoint_every", "compile")}
        logger.info("pretrain %s, recipe %s, git %s", recipe["name"], recipe["digest"], runtime.git_revision())
        from musicssl.training import pretrain

        pretrain(recipe, args.audio, args.labels, args.out, args.micro_batch_s or None, args.snapshots, args.gpus)
    except runtime.UserError as error:
        logger.error("pretrain failed: %s", error)
        sys.exit(1)
    except Exception:
        logger.exception("pretrain failed; this is a defect of the workflow or its environment")
        sys.exit(1)
    logger.info("pretrain %s done", recipe["name"])


if __name__ == "__main__":
    main()
