"""What the page shows of the inside: learning curves, layer weights, clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..artefacts.scores import Scores
from .svg import Chart, Point, Series, heat_map, line_chart

Rows = Sequence[Mapping[str, Any]]


class Line(NamedTuple):
    """One value of ``metrics.jsonl`` to draw."""

    label: str
    split: str
    key: str
    style: str


LOSS = (Line("train", "train", "loss", "first"), Line("validation", "valid", "loss", "second"))
ACCURACY = (
    Line("train", "train", "masked_accuracy", "first"),
    Line("validation", "valid", "masked_accuracy", "second"),
    Line("most frequent label", "valid", "majority_share", "reference"),
)
EXPLAINED = (
    Line("train", "train", "explained_variance", "first"),
    Line("validation", "valid", "explained_variance", "second"),
)
SPREAD = (
    Line("targets", "train", "target_std", "first"),
    Line("predictions", "train", "prediction_std", "second"),
)
AGREEMENT = (
    Line("train", "train", "target_agreement", "first"),
    Line("validation", "valid", "target_agreement", "second"),
)
CHARTS = (
    ("Loss per masked frame", LOSS, False),
    ("Accuracy on masked frames", ACCURACY, True),
    ("Explained variance of the targets", EXPLAINED, False),
    ("Standard deviation (0 = collapse)", SPREAD, True),
    ("Agreement of clips' targets (1 = collapse)", AGREEMENT, True),
)
LAST_VALUES = (
    "loss",
    "masked_accuracy",
    "explained_variance",
    "masked_fraction",
    "mask_run",
    "grad_norm",
    "cnn_std",
)


class LastRow(NamedTuple):
    """The last values that a model logged on one split; None where it does not log one."""

    model: str
    split: str
    update: int
    values: dict[str, float | None]


class Training(NamedTuple):
    """The learning curves of every trained model."""

    last: list[LastRow]
    charts: list[tuple[str, list[Chart]]]


class Clusters(NamedTuple):
    """How the clusters of one label set are used and how k-means converged."""

    name: str
    num_clusters: int
    num_used: int
    perplexity: float
    largest_share: float
    num_iterations: int
    inertia: float
    charts: list[Chart]


class Quality(NamedTuple):
    """What the labels of one set know about one kind of annotation; shares and scores on the scale 0 to 1."""

    annotation: str
    labels: str
    classes: int
    frames: float
    majority: float
    purity: float
    purity_chance: float
    nmi: float
    nmi_chance: float


def training_view(curves: Mapping[str, Rows]) -> Training:
    """Return the learning curves of every trained model, and their last values."""
    return Training(last_rows(curves), [(model, charts(model, rows)) for model, rows in curves.items()])


def charts(model: str, rows: Rows) -> list[Chart]:
    """Return the charts whose values a model logged."""
    found = []
    for title, lines, zero in CHARTS:
        series = [Series(line.label, points(rows, line.split, line.key), line.style) for line in lines]
        series = [one for one in series if one.points]
        if series:
            found.append(Chart(title, line_chart(f"{model}: {title}", series, "updates", zero), series))
    return found


def points(rows: Rows, split: str, key: str) -> list[Point]:
    """Return (update, value) of one key on one split, where it was logged."""
    return [(row["update"], row[key]) for row in rows if row["split"] == split and row.get(key) is not None]


def last_rows(curves: Mapping[str, Rows]) -> list[LastRow]:
    """Return the last logged training and validation values of every model."""
    found = []
    for model, rows in curves.items():
        for split in ("train", "valid"):
            for row in [row for row in rows if row["split"] == split][-1:]:
                found.append(LastRow(model, split, row["update"], {key: row.get(key) for key in LAST_VALUES}))
    return found


def layers_view(scores: Sequence[Scores]) -> list[Chart]:
    """Return one heat map a model, the weight each probe gave to each state; floors have one state and none."""
    by_model: dict[str, dict[str, list[float]]] = {}
    for one in scores:
        seeds = one.layer_weights
        if seeds and len(seeds[0]) > 1:
            mean = [sum(weights) / len(seeds) for weights in zip(*seeds, strict=True)]
            by_model.setdefault(one.model, {})[one.task] = mean
    found = []
    for model, tasks in by_model.items():
        columns = [str(i) for i in range(max(map(len, tasks.values())))]
        title = f"{model}: layer weights in percent"
        found.append(Chart(model, heat_map(title, list(tasks), columns, list(tasks.values()))))
    return found


def clusters_view(kmeans: Mapping[str, Mapping[str, Any]]) -> list[Clusters]:
    """Return how well the clusters of every label set are used, and how k-means converged."""
    found = []
    for name, fit in kmeans.items():
        sizes, inertia = fit["histogram"], fit["inertia"]
        share = max(sizes) / max(sum(sizes), 1)
        used, perplexity = fit["used_clusters"], fit["perplexity"]
        drawn = cluster_charts(name, fit)
        found.append(Clusters(name, len(sizes), used, perplexity, share, len(inertia), inertia[-1], drawn))
    return found


def quality_view(quality: Mapping[str, Mapping[str, Any]]) -> list[Quality]:
    """Return purity and mutual information of every label set with every kind of annotation."""
    keys = Quality._fields[2:]
    return sorted(
        Quality(kind, name, *(one[key] for key in keys))
        for name, found in quality.items()
        for kind, one in found["annotations"].items()
    )


def cluster_charts(name: str, fit: Mapping[str, Any]) -> list[Chart]:
    """Return the inertia by iteration and the cluster sizes, largest first."""
    inertia = [Series("inertia", list(enumerate(fit["inertia"], 1)))]
    total = max(sum(fit["histogram"]), 1)
    shares = [100 * size / total for size in sorted(fit["histogram"], reverse=True)]
    sizes = Series("share", list(enumerate(shares, 1)), area=True)
    equal = Series("equal shares", [(1, 100 / len(shares)), (len(shares), 100 / len(shares))], "reference")
    chart = line_chart(f"{name}: cluster sizes", [sizes, equal], "clusters by size", zero=True)
    return [
        Chart("Inertia", line_chart(f"{name}: inertia", inertia, "iterations")),
        Chart("Frames per cluster, percent", chart, [equal]),
    ]
