"""What numbers of an entry may be, wherever it stands; what holds between numbers is in :mod:`.check`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple


class Limit(NamedTuple):
    """A range in words, and whether a number lies in it."""

    words: str
    holds: Callable[[float], bool]


NATURAL = Limit("at least 0", lambda x: x >= 0)
COUNT = Limit("at least 1", lambda x: x >= 1)
POSITIVE = Limit("above 0", lambda x: x > 0)
SHARE = Limit("0 to 1", lambda x: 0 <= x <= 1)
PART = Limit("above 0, at most 1", lambda x: 0 < x <= 1)
CHANCE = Limit("at least 0, below 1", lambda x: 0 <= x < 1)

LIMITS: dict[str, dict[Limit, str]] = {  # keys of an entry; those that its kind does not have are passed over
    "corpora": {
        NATURAL: "hours min_clip_s min_file_s seed",
        COUNT: "num_shards sample_rate_hz",
        POSITIVE: "clip_s",
        SHARE: "min_usable_fraction",
        CHANCE: "valid_fraction",
    },
    "features": {
        NATURAL: "sample_seed",
        COUNT: "num_ceps num_mel_bins num_chroma window_samples num_bins bins_per_octave",
        POSITIVE: "compression min_hz",
        PART: "sample_fraction",
    },
    "labels": {
        NATURAL: "seed tolerance",
        COUNT: "num_clusters num_restarts max_iterations",
    },
    "models": {
        NATURAL: "seed short_crop_s short_updates micro_batch_s masking.min_spans optimizer.weight_decay "
        "optimizer.clip_norm schedule.warmup_updates feature_penalty cnn_grad_scale cqt_weight ema.anneal_updates "
        "guard.after_updates guard.min_target_std guard.min_prediction_std",
        COUNT: "updates valid_every log_every checkpoint_every masking.length codebook_dim average_top_k num_ceps "
        "num_mel_bins architecture.conv_width architecture.hidden_size architecture.num_layers architecture.num_heads "
        "architecture.ffn_size architecture.pos_conv_kernel architecture.pos_conv_groups architecture.pos_conv_depth",
        POSITIVE: "crop_s batch.global_s batch.group_s optimizer.lr optimizer.eps temperature architecture.init_std",
        SHARE: "schedule.warmup_fraction schedule.hold_fraction schedule.init_lr_scale schedule.final_lr_scale "
        "ema.start ema.end guard.max_target_agreement",
        PART: "masking.prob",
        CHANCE: "optimizer.betas architecture.dropout architecture.attention_dropout architecture.activation_dropout "
        "architecture.input_dropout architecture.layer_drop",
    },
    "datasets": {COUNT: "num_blocks"},
    "views": {NATURAL: "window_s min_s"},
    "tasks": {
        NATURAL: "probe.seeds probe.beats.crop_s",
        COUNT: "probe.hidden_size probe.num_bootstraps probe.batch_size probe.max_epochs probe.plateau_patience "
        "probe.stop_patience",
        POSITIVE: "probe.learning_rates",
        SHARE: "probe.beats.neighbors",
        CHANCE: "probe.dropout",
    },
    "miniature": {
        NATURAL: "seed",
        COUNT: "num_tracks",
        POSITIVE: "track_s",
    },
}


def beyond_limits(noun: str, entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield key and what is wrong for every number of an entry that is out of its range, infinite or NaN."""
    for limit, keys in LIMITS.get(noun, {}).items():
        for key in keys.split():
            value: Any = entry
            for part in key.split("."):
                value = value.get(part) if isinstance(value, Mapping) else None
            numbers = value if isinstance(value, list | tuple) else [] if value is None else [value]
            for number in numbers:
                if not (math.isfinite(number) and limit.holds(number)):
                    yield key, f"found {number!r}, expected {limit.words}"
