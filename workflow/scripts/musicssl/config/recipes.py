"""Every knob of the project, once: frozen dataclasses of plain values.

A config entry is validated into one of these classes by :mod:`musicssl.config.catalogue` and travels to a job as the
nested dictionary ``asdict`` makes of it; the job rebuilds the class with :func:`build`. Fields have no defaults: a
value that decides a result stands in ``config/*.yaml``, with its unit and source. Fields marked ``where()`` say where
or how visibly something runs, or under what terms, not what comes out; they reach a job beside its recipe, not in it.

Conventions: ``_s`` seconds, ``_hz`` hertz, ``num_`` counts. Only the standard library is imported.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal


def where(default: Any) -> Any:
    """Return a field that locates, displays or describes: it has a default, and stays out of recipes and digests."""
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata={"digest": False})
    return field(default=default, metadata={"digest": False})


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Base of every entry: unknown keys are errors."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}


# ---------------------------------------------------------------- corpora


@dataclass(frozen=True, kw_only=True)
class Corpus(Recipe):
    """Audio for pre-training, cut into clips and stored as int16 shards.

    Files are named by their path under ``root``, or by a name in ``more_roots`` and their path under that folder.
    """

    root: str = where("")
    more_roots: dict[str, str] = where({})
    annotations: str = where("")
    hours: float = where(0.0)
    licence: str = where("")
    sample_rate_hz: int
    clip_s: float
    min_clip_s: float
    min_file_s: float
    silence_dbfs: float
    min_usable_fraction: float
    valid_fraction: float
    num_shards: int
    seed: int


# ---------------------------------------------------------------- features


@dataclass(frozen=True, kw_only=True)
class Features(Recipe):
    """Frame vectors that are clustered; those of a share of the training clips are stored, to fit centroids on."""

    frame_rate_hz: int
    sample_fraction: float
    sample_seed: int


@dataclass(frozen=True, kw_only=True)
class MfccFeatures(Features):
    """Kaldi-compatible MFCC with first and second differences (HuBERT iteration 1)."""

    kind: Literal["mfcc"]
    num_ceps: int
    num_mel_bins: int


@dataclass(frozen=True, kw_only=True)
class ChromaFeatures(Features):
    """Log-compressed energy of each pitch class."""

    kind: Literal["chroma"]
    num_chroma: int
    window_samples: int
    compression: float


@dataclass(frozen=True, kw_only=True)
class CqtFeatures(Features):
    """Log-compressed constant-Q amplitudes."""

    kind: Literal["cqt"]
    num_bins: int
    bins_per_octave: int
    min_hz: float
    compression: float


@dataclass(frozen=True, kw_only=True)
class CombinedFeatures(Features):
    """Other features side by side: name of each entry and what its values are multiplied by."""

    kind: Literal["combined"]
    parts: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class LayerFeatures(Features):
    """Output of one transformer layer of a trained model (HuBERT iteration 2 and later)."""

    kind: Literal["layer"]
    model: str
    layer: int


# ---------------------------------------------------------------- labels


@dataclass(frozen=True, kw_only=True)
class Labels(Recipe):
    """Clusters of feature vectors that HuBERT predicts."""

    features: str
    num_clusters: int
    num_restarts: int
    max_iterations: int
    tolerance: float
    reseed_empty: bool
    seed: int
    cluster: Literal["threads", "local", "slurm"] = where("threads")


# ---------------------------------------------------------------- models


@dataclass(frozen=True, kw_only=True)
class Architecture(Recipe):
    """Size of an encoder: convolutional front end, then a post-norm transformer."""

    conv_width: int
    hidden_size: int
    num_layers: int
    num_heads: int
    ffn_size: int
    pos_conv_kernel: int
    pos_conv_groups: int
    pos_conv_depth: int
    dropout: float
    attention_dropout: float
    activation_dropout: float
    input_dropout: float
    layer_drop: float
    init_std: float


@dataclass(frozen=True, kw_only=True)
class Masking(Recipe):
    """Span masking of latent frames (wav2vec 2.0, as fairseq computes it)."""

    prob: float
    length: int
    min_spans: int
    trim: bool


@dataclass(frozen=True, kw_only=True)
class Batch(Recipe):
    """Audio per optimizer update; a group is the set of clips whose masks are trimmed together."""

    global_s: float
    group_s: float


@dataclass(frozen=True, kw_only=True)
class Optimizer(Recipe):
    """AdamW with decoupled weight decay on every tensor; ``clip_norm`` 0 means no clipping."""

    lr: float
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    clip_norm: float


@dataclass(frozen=True, kw_only=True)
class PolynomialSchedule(Recipe):
    """Linear warm-up, then linear decay to zero at the last update."""

    kind: Literal["polynomial"]
    warmup_updates: int


@dataclass(frozen=True, kw_only=True)
class TriStageSchedule(Recipe):
    """Linear warm-up, constant, exponential decay; phases are fractions of all updates."""

    kind: Literal["tri-stage"]
    warmup_fraction: float
    hold_fraction: float
    init_lr_scale: float
    final_lr_scale: float


@dataclass(frozen=True, kw_only=True)
class Pretraining(Recipe):
    """What both paradigms share."""

    corpus: str
    seed: int
    updates: int
    crop_s: float
    short_crop_s: float = 0.0
    short_updates: int = 0
    normalize: bool
    precision: Literal["bf16", "fp32"]
    architecture: Architecture
    masking: Masking
    batch: Batch
    optimizer: Optimizer
    schedule: PolynomialSchedule | TriStageSchedule
    valid_every: int
    log_every: int = where(200)
    checkpoint_every: int = where(2500)
    compile: Literal["nothing", "layers"] = where("nothing")
    micro_batch_s: float = where(0.0)


@dataclass(frozen=True, kw_only=True)
class Hubert(Pretraining):
    """Masked prediction of cluster labels (HuBERT, Hsu et al. 2021)."""

    kind: Literal["hubert"]
    labels: str
    codebook_dim: int
    temperature: float
    feature_penalty: float
    cnn_grad_scale: float
    cqt_weight: float = 0.0
    cqt_features: str = ""
    more_labels: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Ema(Recipe):
    """Decay of the teacher, raised linearly from ``start`` to ``end``."""

    start: float
    end: float
    anneal_updates: int


@dataclass(frozen=True, kw_only=True)
class CollapseGuard(Recipe):
    """What is tolerated after some updates: least mean standard deviation of targets and predictions (fairseq), and
    largest agreement of different clips' targets."""

    after_updates: int
    min_target_std: float
    min_prediction_std: float
    max_target_agreement: float


@dataclass(frozen=True, kw_only=True)
class Data2vec(Pretraining):
    """Masked regression of a teacher's layer averages (data2vec 1.0, Baevski et al. 2022)."""

    kind: Literal["data2vec"]
    average_top_k: int
    ema: Ema
    guard: CollapseGuard


@dataclass(frozen=True, kw_only=True)
class Untrained(Recipe):
    """The untrained encoder of a model: what it is before its first update, whatever it trains on afterwards.

    Paradigm, architecture, seed and normalization are those of the entry ``of``, unless they are given here.
    """

    kind: Literal["untrained"]
    of: str = where("")
    paradigm: Literal["hubert", "data2vec"]
    architecture: Architecture
    seed: int
    normalize: bool


@dataclass(frozen=True, kw_only=True)
class Released(Recipe):
    """Weights somebody else trained: a Hugging Face folder, hub name or fairseq checkpoint.

    ``revision`` is a commit, tag or branch of a hub name; local weights are identified by their content.
    """

    kind: Literal["released"]
    paradigm: Literal["hubert", "data2vec"]
    source: str
    revision: str
    normalize: bool


@dataclass(frozen=True, kw_only=True)
class Snapshot(Recipe):
    """A trained model as it was after some of its updates."""

    kind: Literal["snapshot"]
    of: str
    updates: int


@dataclass(frozen=True, kw_only=True)
class MfccFloor(Recipe):
    """Mean and standard deviation of MFCCs: what no learning gives."""

    kind: Literal["mfcc-floor"]
    num_ceps: int
    num_mel_bins: int


@dataclass(frozen=True, kw_only=True)
class ConstantFloor(Recipe):
    """One constant input: the probe can only learn the training prior."""

    kind: Literal["constant-floor"]


# ---------------------------------------------------------------- tasks


@dataclass(frozen=True, kw_only=True)
class Dataset(Recipe):
    """Recordings that music tasks are read from; the name is its adapter's.

    ``num_blocks`` jobs embed one view of it side by side.
    """

    root: str = where("")
    num_blocks: int = where(1)


@dataclass(frozen=True, kw_only=True)
class View(Recipe):
    """What is cut from a recording, and how its hidden states are pooled.

    Consecutive windows of ``window_s`` seconds (0: the recording whole), without a last one shorter than ``min_s``;
    stored is one row a recording (the mean of its windows), one a window or one a frame.
    """

    window_s: float
    min_s: float
    rows: Literal["recording", "window", "frame"]


@dataclass(frozen=True, kw_only=True)
class Protocol(Recipe):
    """The head, and what is tried and repeated; equal for every model and task that names it.

    ``layers`` are the numbers of the states in the weighted sum, ascending: 0 is the input of the first transformer
    layer, k the output of the k-th. A floor's only state stands for any.
    """

    layers: Literal["all"] | list[int]
    hidden_size: int
    dropout: float
    learning_rates: list[float]
    seeds: list[int]
    num_bootstraps: int


@dataclass(frozen=True, kw_only=True)
class Beats(Recipe):
    """What only the probe of beats reads.

    ``crop_s`` seconds of a recording are seen in one epoch (0: all); a frame stands for its center or its start;
    ``neighbors`` is the target of the frames beside a beat's. The paper's is 1; the beat tracker answers a plateau with
    its first frame, so tapered ones (0.5) gain most at 20 ms.
    """

    crop_s: float
    frame_times: Literal["center", "start"]
    neighbors: float


@dataclass(frozen=True, kw_only=True)
class Probe(Protocol):
    """A protocol with one task's batches and patience (early stopping on validation); ``beats`` for that kind only."""

    batch_size: int
    max_epochs: int
    plateau_patience: int
    stop_patience: int
    beats: Beats | None = None


@dataclass(frozen=True, kw_only=True)
class Items(Recipe):
    """What a task's table of items depends on; an item is a recording, or each window of the task's view."""

    dataset: str
    target: str
    kind: Literal["multiclass", "multilabel", "regression", "key", "beats"]
    items: Literal["recording", "window"]
    options: dict[str, bool | int | float | str]


@dataclass(frozen=True, kw_only=True)
class Task(Items):
    """One MIR task: items over a view, and the probe, in which the named protocol's values stand too."""

    view: str
    probe: Probe
    protocol: str = where("paper")


@dataclass(frozen=True, kw_only=True)
class Scoring(Recipe):
    """What decides the scores of stored predictions."""

    num_bootstraps: int


# ---------------------------------------------------------------- studies


@dataclass(frozen=True, kw_only=True)
class Study(Recipe):
    """A question answered by one table of models and tasks."""

    title: str
    question: str
    models: list[str]
    tasks: list[str]
    paper_table: int


# ---------------------------------------------------------------- miniature


@dataclass(frozen=True, kw_only=True)
class Miniature(Recipe):
    """Synthesised music, written in the datasets' real layouts; ``items`` are train, validation and test counts."""

    root: str = where("")
    seed: int
    num_tracks: int
    track_s: float
    items: dict[str, tuple[int, int, int]]


FEATURES = MfccFeatures | ChromaFeatures | CqtFeatures | CombinedFeatures | LayerFeatures
MODELS = Hubert | Data2vec | Snapshot | Untrained | Released | MfccFloor | ConstantFloor
BY_KIND: dict[str, type[Recipe]] = {
    "mfcc": MfccFeatures,
    "chroma": ChromaFeatures,
    "cqt": CqtFeatures,
    "combined": CombinedFeatures,
    "layer": LayerFeatures,
    "hubert": Hubert,
    "data2vec": Data2vec,
    "snapshot": Snapshot,
    "untrained": Untrained,
    "released": Released,
    "mfcc-floor": MfccFloor,
    "constant-floor": ConstantFloor,
}


def field_names(cls: type[Recipe]) -> list[str]:
    """Return the keys that an entry of a class has."""
    return [one.name for one in dataclasses.fields(cls)]


def build(cls: Any, values: Any) -> Any:
    """Rebuild a recipe class from the plain values ``dataclasses.asdict`` made of it.

    Args:
        cls: a dataclass, an optional one, a union of dataclasses told apart by ``kind``, or a plain type.
        values: builtins, already validated by :mod:`musicssl.config.catalogue`.

    Raises:
        TypeError: a field is missing or unknown.
    """
    origin = typing.get_origin(cls)
    if origin in (typing.Union, types.UnionType):
        options = [option for option in typing.get_args(cls) if dataclasses.is_dataclass(option)]
        for option in options if isinstance(values, dict) else ():
            kinds = typing.get_args(typing.get_type_hints(option).get("kind"))
            if len(options) == 1 or values.get("kind") in kinds:
                return build(option, values)
        return values
    if origin is tuple:
        return tuple(values)
    if not dataclasses.is_dataclass(cls):
        return values
    hints = typing.get_type_hints(cls)
    return typing.cast(type, cls)(**{name: build(hints.get(name), value) for name, value in values.items()})


def training_of(model: dict[str, Any]) -> dict[str, Any]:
    """Return the recipe of the training that made a model, given the model's: a snapshot's input, else its own."""
    return typing.cast(dict[str, Any], model["inputs"].get("model", model))


def build_kind(values: dict[str, Any]) -> Recipe:
    """Rebuild a features or model entry, whose class its ``kind`` tells."""
    return typing.cast(Recipe, build(BY_KIND[values["kind"]], values))
