"""What a model or a study will cost before anything runs: hours, memory and disk of every stage.

The cost model is arithmetic over recipes (operations, bytes) and a few measured rates; it is meant to be right within a
factor of two, which is enough to choose a scale. Where benchmark records of the same jobs exist, they stand beside it.

Rates are of one core of a 2020s server or one A100-class GPU. Disk is what stays, passing what goes as soon as it was
used; memory is one job's, on the host or, where there is one, on the GPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..artefacts.store import read_jsonl, read_object
from ..config import recipes
from ..config.catalogue import Catalogue
from ..config.inherit import ConfigError
from .flops import context_network, front_end, num_parameters, train_step
from .sizes import DATASETS, Dataset, states_cost

START_S = 5.0  # s; imports of one job
DECODE_RATE = 170.0  # s of 44.1 kHz Ogg decoded and resampled by a core in a second
SPECTRAL_RATE = {"mfcc": 1000.0, "chroma": 450.0, "cqt": 450.0}  # s of audio per core second, at 100 frames a second
CORE_FLOPS = 75e9  # float32 matrix products of one core
GPU_FLOPS = 1e14  # bf16 operations an A100-class GPU really does
CPU_SHARE = 0.7  # of them that a network reaches
SEARCH_SHARE = 0.5  # of them that nearest-centroid search reaches
ITERATIONS = 30  # of Lloyd's algorithm until inertia settles
RESTART_ITERATIONS = 10
SAMPLE_ROWS = 30_000
RUN_ROWS = 32_768
CNN_BYTES = 13e6  # activations of the convolutions for a second of audio at width 512, bf16, layer norms doubled
BASE_GB = {"light": 0.15, "torch": 0.6}
MINIATURE_ITEM_S = 10.0
DECODERS = 8  # threads that decode ahead of a GPU, as the Slurm profile gives them


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One rule on one artefact: ``cpu_h`` core-hours if there is no GPU, ``gpu_h`` hours of one GPU if there is."""

    rule: str
    name: str
    jobs: int = 1
    cpu_h: float = 0.0
    gpu_h: float = 0.0
    memory_gb: float = 0.0
    disk_gb: float = 0.0
    passing_gb: float = 0.0


def plan(catalogue: Catalogue, name: str, hours: Mapping[str, float], gpu_flops: float = GPU_FLOPS) -> list[Stage]:
    """Return the stages of a model or a study, in the order they run, each once.

    Args:
        catalogue: the configuration.
        name: entry of ``models`` or ``studies``.
        hours: of audio by corpus.
        gpu_flops: operations a GPU really does in a second.

    Raises:
        ConfigError: there is no such entry.
    """
    if name in catalogue.names("studies"):
        models, tasks = catalogue.rows(name), catalogue.columns(name)
    else:
        catalogue.entry("models", name)
        models, tasks = [name], catalogue.selected("tasks")
    planner = Planner(catalogue, hours, gpu_flops)
    stages = [stage for model in models for stage in planner.model(model)]
    stages += [stage for model in models for stage in planner.states(model, tasks)]
    return list({(stage.rule, stage.name): stage for stage in stages}.values())


class Planner:
    """Costs of artefacts of one configuration."""

    def __init__(self, catalogue: Catalogue, hours: Mapping[str, float], gpu_flops: float) -> None:
        self.catalogue, self.hours, self.gpu_flops = catalogue, hours, gpu_flops

    def model(self, name: str) -> Iterator[Stage]:
        """Yield everything a model needs, then the model."""
        run = self.catalogue.run_of(name)
        entry = recipes.build_kind(self.catalogue.entry("models", run))
        if not isinstance(entry, recipes.Pretraining | recipes.Untrained):
            return
        parameters = num_parameters(entry.architecture)
        if isinstance(entry, recipes.Pretraining):
            yield from self.corpus(entry.corpus)
            if isinstance(entry, recipes.Hubert):
                for labels in (entry.labels, *entry.more_labels):
                    yield from self.labels(labels, entry.corpus)
            teacher = isinstance(entry, recipes.Data2vec)
            flops = train_step(entry.architecture, entry.crop_s, teacher) * entry.batch.global_s * entry.updates
            cpu_h, gpu_h = self.network(flops)
            kept = len(self.catalogue.kept_updates(run))
            states = 16 + 4 * teacher  # bytes a parameter: weights, gradients, two moments, teacher; all fp32
            yield Stage(
                rule="pretrain",
                name=run,
                cpu_h=cpu_h,
                gpu_h=gpu_h,
                memory_gb=BASE_GB["torch"] + (states * parameters + activation_bytes(entry)) / 1e9,
                disk_gb=(2 * (states - 4) + 4 + 4 * teacher + 4 * kept) * parameters / 1e9,
            )
        yield Stage(
            rule="build_untrained" if isinstance(entry, recipes.Untrained) else "export_model",
            name=name,
            cpu_h=START_S / 3600,
            memory_gb=BASE_GB["torch"] + 12 * parameters / 1e9,
            disk_gb=4 * parameters / 1e9,
        )

    def corpus(self, name: str) -> Iterator[Stage]:
        """Yield what cuts a corpus into clips."""
        entry, hours = self.catalogue.entry("corpora", name), self.hours[name]
        yield Stage(
            rule="crop_audio",
            name=name,
            jobs=entry["num_shards"],
            cpu_h=hours / DECODE_RATE + entry["num_shards"] * START_S / 3600,
            memory_gb=BASE_GB["light"] + 0.1,
            disk_gb=hours * 3600 * entry["sample_rate_hz"] * 2 / 1e9,
        )

    def labels(self, name: str, corpus: str) -> Iterator[Stage]:
        """Yield a label set's features, centroids and labels, and the model its features come from."""
        entry = self.catalogue.entry("labels", name)
        features = self.catalogue.entry("features", entry["features"])
        shards, hours = self.catalogue.entry("corpora", corpus)["num_shards"], self.hours[corpus]
        if features["kind"] == "layer":
            yield from self.model(features["model"])
        width, bytes_each, cpu_s, flops, memory_gb = self.vectors(features, self.catalogue.entry("corpora", corpus))
        rows = hours * 3600 * features["frame_rate_hz"]
        share = features["sample_fraction"] * (1 - self.catalogue.entry("corpora", corpus)["valid_fraction"])
        cpu_h, gpu_h = self.network(flops * hours * 3600, cpu_s * hours)
        yield Stage(
            rule="extract_features",
            name=f"{entry['features']} on {corpus}",
            jobs=shards,
            cpu_h=share * cpu_h + shards * START_S / 3600,
            gpu_h=share * gpu_h,
            memory_gb=memory_gb,
            disk_gb=share * rows * width * bytes_each / 1e9,
        )
        distances = 2 * entry["num_clusters"] * width / (CORE_FLOPS * SEARCH_SHARE) / 3600
        sample = max(SAMPLE_ROWS, 32 * entry["num_clusters"])
        restarts = entry["num_restarts"] * sample * (RESTART_ITERATIONS + 5)
        yield Stage(
            rule="fit_kmeans",
            name=f"{name} on {corpus}",
            cpu_h=distances * (restarts + ITERATIONS * share * rows) + START_S / 3600,
            memory_gb=BASE_GB["light"] + 2 * sample * width * 4 / 1e9 + share * rows * width * bytes_each / 1e9,
            disk_gb=4 * entry["num_clusters"] * width / 1e9,
        )
        yield Stage(
            rule="assign_labels",
            name=f"{name} on {corpus}",
            jobs=shards,
            cpu_h=cpu_h + distances * rows + shards * START_S / 3600,
            gpu_h=gpu_h,
            memory_gb=memory_gb + 3 * RUN_ROWS * width * bytes_each / 1e9 + 8 * entry["num_clusters"] * width / 1e9,
            disk_gb=rows * (2 if entry["num_clusters"] <= 1 << 16 else 4) / 1e9,
        )

    def vectors(self, features: Mapping[str, Any], corpus: Mapping[str, Any]) -> tuple[int, int, float, float, float]:
        """Return width, bytes a value, core seconds an hour, operations a second of audio and memory of features."""
        clip_gb = 120 * 16000 * 4 / 1e9
        if features["kind"] == "layer":
            source = recipes.build_kind(self.catalogue.entry("models", self.catalogue.run_of(features["model"])))
            assert isinstance(source, recipes.Pretraining | recipes.Untrained)
            size = source.architecture
            flops = front_end(size, corpus["clip_s"]) + context_network(size, corpus["clip_s"], features["layer"])
            held = 4 * num_parameters(size) / 1e9 + 120 * CNN_BYTES * 2 * size.conv_width / 512 / 1e9
            return size.hidden_size, 2, 0.0, flops, BASE_GB["torch"] + clip_gb + held
        named: list[Mapping[str, Any]] = [self.catalogue.entry("features", part) for part in features.get("parts", {})]
        parts = named or [features]
        seconds = sum(3600 / SPECTRAL_RATE[one["kind"]] * one["frame_rate_hz"] / 100 for one in parts)
        return sum(map(spectral_width, parts)), 4, seconds, 0.0, BASE_GB["torch"] + clip_gb

    def states(self, model: str, tasks: Sequence[str]) -> Iterator[Stage]:
        """Yield the states of a model for every dataset and view of some tasks, which share them."""
        entry = recipes.build_kind(self.catalogue.entry("models", self.catalogue.run_of(model)))
        if not isinstance(entry, recipes.Pretraining | recipes.Untrained):
            return
        size = entry.architecture
        entries = [self.catalogue.entry("tasks", task) for task in tasks]
        for dataset, name in sorted({(entry["dataset"], entry["view"]) for entry in entries}):
            view = recipes.build(recipes.View, self.catalogue.entry("views", name))
            audio = self.dataset_size(dataset)
            cost = states_cost(audio, view, size.num_layers + 1, size.hidden_size)
            flops = (front_end(size, 30) + context_network(size, 30)) * audio.hours * 3600
            cpu_h, gpu_h = self.network(flops)
            decode_h = audio.hours / DECODE_RATE
            jobs = len(self.catalogue.blocks(dataset))
            yield Stage(
                rule="embed_frames" if view.rows == "frame" else "embed_pooled",
                name=f"{model} on {dataset} on {name}",
                jobs=jobs,
                cpu_h=cpu_h + decode_h + jobs * START_S / 3600,
                gpu_h=max(gpu_h, decode_h / DECODERS),
                memory_gb=BASE_GB["torch"] + 4 * num_parameters(size) / 1e9 + 1.0,
                disk_gb=cost.pooled_bytes / 1e9,
                passing_gb=cost.frames_bytes / 1e9,
            )

    def dataset_size(self, dataset: str) -> Dataset:
        """Return the size of a dataset: as published, or of the miniature's items; nothing where nobody knows."""
        items = self.catalogue.miniature.get("items", {}).get(dataset)
        if items:
            return Dataset(sum(items), sum(items) * MINIATURE_ITEM_S / 3600)
        return DATASETS.get(dataset, Dataset(0, 0.0))

    def network(self, flops: float, core_s: float = 0.0) -> tuple[float, float]:
        """Return core-hours and GPU-hours of some operations and core seconds."""
        return (flops / (CORE_FLOPS * CPU_SHARE) + core_s) / 3600, flops / self.gpu_flops / 3600


def spectral_width(features: Mapping[str, Any]) -> int:
    """Return the width of MFCC, chroma or CQT."""
    if features["kind"] == "mfcc":
        return int(3 * features["num_ceps"])
    return int(features["num_chroma" if features["kind"] == "chroma" else "num_bins"])


def activation_bytes(entry: recipes.Pretraining) -> float:
    """Return the bytes of one group's activations in bf16: convolutions, and 34 values a frame, layer and width."""
    size, norms = entry.architecture, 2 if isinstance(entry, recipes.Data2vec) else 1
    each_s = norms * CNN_BYTES * size.conv_width / 512 + 34 * 50 * size.hidden_size * size.num_layers
    return each_s * entry.batch.group_s * (2 if entry.precision == "fp32" else 1)


def corpus_hours(catalogue: Catalogue, results: Path, told: float | None) -> dict[str, float]:
    """Return the hours of every corpus: as told, as counted by an earlier run, or as its entry expects.

    Raises:
        ConfigError: nobody knows.
    """
    found = {}
    for name in catalogue.names("corpora"):
        manifest = results / "audio" / name / "manifest.json"
        counted = read_object(manifest)["hours"] if manifest.exists() else 0.0
        found[name] = told or counted or catalogue.entry("corpora", name)["hours"]
        if not found[name]:
            raise ConfigError([f"corpora.{name}.hours: missing; give --hours, or the expected hours in the entry"])
    return found


def of_report(catalogue: Catalogue, results: str) -> list[dict[str, Any]]:
    """Return the stages of all selected studies as plain values; nothing where a corpus' hours are unknown."""
    try:
        hours = corpus_hours(catalogue, Path(results), None)
    except ConfigError:
        return []
    stages = {(s.rule, s.name): s for study in catalogue.selected("studies") for s in plan(catalogue, study, hours)}
    return [asdict(stage) for stage in stages.values()]


def measured(records: Path, stage: Stage) -> tuple[int, float, float]:
    """Return number of jobs, hours and largest memory (GB) of a stage's benchmark records; zeros without any."""
    names = stage.name.replace(" on ", "/")
    files = [*records.glob(f"{stage.rule}/{names}.jsonl"), *records.glob(f"{stage.rule}/{names}/*.jsonl")]
    jobs = [read_jsonl(path)[-1] for path in sorted(files) if path.stat().st_size]
    memory = [job["max_rss"] / 1000 for job in jobs if isinstance(job["max_rss"], int | float)]
    return len(jobs), sum(job["s"] for job in jobs) / 3600, max(memory, default=0.0)


def lines(stages: Sequence[Stage], records: Path) -> list[str]:
    """Return the plan as a table with totals."""
    head = ("stage", "of", "jobs", "core-h, no GPU", "GPU-h", "GB memory", "GB disk", "GB passing", "measured h",
            "measured GB")  # fmt: skip
    body = []
    for stage in stages:
        count, hours, memory = measured(records, stage)
        real = (f"{number(hours)}", f"{number(memory)}") if count == stage.jobs else ("-", "-")
        costs = (stage.cpu_h, stage.gpu_h, stage.memory_gb, stage.disk_gb, stage.passing_gb)
        body.append((stage.rule, stage.name, str(stage.jobs), *map(number, costs), *real))
    sums = [sum(getattr(stage, key) for stage in stages) for key in ("cpu_h", "gpu_h", "disk_gb")]
    most, passing = (max((getattr(s, key) for s in stages), default=0.0) for key in ("memory_gb", "passing_gb"))
    totals = (*sums[:2], most, sums[2], passing)
    body.append(("total", "", str(sum(stage.jobs for stage in stages)), *map(number, totals), "", ""))
    widths = [max(map(len, column)) for column in zip(head, *body)]
    rows = [head, tuple("-" * width for width in widths), *body]
    return [
        "  ".join(f"{cell:<{w}}" if i < 2 else f"{cell:>{w}}" for i, (cell, w) in enumerate(zip(row, widths))).rstrip()
        for row in rows
    ]


def number(value: float) -> str:
    """Return a cost with two or three digits."""
    return "0" if not value else f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2g}"
