"""What happened inside: learning curves, layer weights, clusters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .markup import Child, Markup, figure, grid, join, table, tag
from .svg import Point, Series, heat_map, legend, line_chart, short

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
LAYER_KEY = (
    "Softmax weights of the probe in percent, mean over seeds. State 0 is what enters the transformer, the last state "
    "is what leaves it. Equal weights mean that the probe, which starts there, found no reason to prefer any."
)
QUALITY_KEY = (
    "Times 100, over the frames at whose centre exactly one value is annotated. Purity: share of frames that carry the "
    "most frequent annotation of their cluster; NMI: normalised mutual information. In brackets the same labels dealt "
    "to the frames at random: more clusters alone raise both."
)
LAST_VALUES = {
    "loss": "Loss",
    "masked_accuracy": "Accuracy",
    "explained_variance": "Explained variance",
    "masked_fraction": "Masked fraction",
    "mask_run": "Mask run, frames",
    "grad_norm": "Gradient norm",
    "cnn_std": "CNN std",
}


def curves_part(curves: Mapping[str, Rows]) -> Markup:
    """Return the learning curves of every trained model, and their last values as a table."""
    parts: list[Child] = []
    for model, rows in curves.items():
        parts += [tag("h3", model), grid(charts(model, rows))]
    return join([last_values(curves) if curves else None, *parts])


def charts(model: str, rows: Rows) -> Iterator[Markup]:
    """Yield the charts whose values a model logged."""
    for title, lines, zero in CHARTS:
        series = [Series(line.label, points(rows, line.split, line.key), line.style) for line in lines]
        if any(one.points for one in series):
            yield figure(title, line_chart(f"{model}: {title}", series, "updates", zero), legend(series))


def points(rows: Rows, split: str, key: str) -> list[Point]:
    """Return (update, value) of one key on one split, where it was logged."""
    return [(row["update"], row[key]) for row in rows if row["split"] == split and row.get(key) is not None]


def last_values(curves: Mapping[str, Rows]) -> Markup:
    """Return the last logged training and validation values of every model."""
    body = []
    for model, rows in curves.items():
        for split, name in (("train", "train"), ("valid", "validation")):
            last = [row for row in rows if row["split"] == split][-1:]
            for row in last:
                values = (short(row[key]) if row.get(key) is not None else "–" for key in LAST_VALUES)
                body.append([model, name, f"{row['update']:,}", *values])
    return table(["Model", "Split", "Updates", *LAST_VALUES.values()], body)


def layers_part(metrics: Rows) -> Markup:
    """Return, for every encoder, the weight each probe gave to each of its states."""
    figures = grid(layer_figures(metrics))
    return join([tag("p", LAYER_KEY, class_="note") if figures else None, figures])


def layer_figures(metrics: Rows) -> Iterator[Markup]:
    """Yield one heat map a model; floors with a single state have nothing to weigh."""
    by_model: dict[str, dict[str, list[float]]] = {}
    for one in metrics:
        seeds = one["layer_weights"]
        if seeds and len(seeds[0]) > 1:
            mean = [sum(weights) / len(seeds) for weights in zip(*seeds, strict=True)]
            by_model.setdefault(one["model"], {})[one["task"]] = mean
    for model, tasks in by_model.items():
        columns = [str(i) for i in range(max(map(len, tasks.values())))]
        drawn = heat_map(f"{model}: layer weights in percent", list(tasks), columns, list(tasks.values()))
        yield figure(tag("strong", model), drawn)


def clusters_part(kmeans: Mapping[str, Mapping[str, Any]], quality: Mapping[str, Mapping[str, Any]]) -> Markup:
    """Return how well the clusters of every label set are used, what they know, and how k-means converged."""
    rows, parts = [], []
    for name, fit in kmeans.items():
        sizes, inertia = fit["histogram"], fit["inertia"]
        largest = f"{100 * max(sizes) / max(sum(sizes), 1):.2f} %"
        used = [f"{len(sizes):,}", f"{fit['used_clusters']:,}", f"{fit['perplexity']:,.1f}", largest]
        rows.append([name, *used, f"{len(inertia):,}", short(inertia[-1])])
        parts += [tag("h3", name), grid(cluster_figures(name, fit))]
    if not rows:
        return Markup()
    head = ["Labels", "Clusters", "Used", "Perplexity", "Largest share", "Iterations", "Inertia"]
    return join([table(head, rows), quality_part(quality), *parts])


def quality_part(quality: Mapping[str, Mapping[str, Any]]) -> Markup:
    """Return purity and mutual information of every label set with every kind of annotation, chance in brackets."""
    rows = [
        [
            kind,
            name,
            f"{one['classes']:,}",
            f"{100 * one['frames']:.0f} %",
            f"{100 * one['majority']:.1f}",
            f"{100 * one['purity']:.1f} ({100 * one['purity_chance']:.1f})",
            f"{100 * one['nmi']:.1f} ({100 * one['nmi_chance']:.1f})",
        ]
        for name, found in quality.items()
        for kind, one in found["annotations"].items()
    ]
    if not rows:
        return Markup()
    head = ["Annotation", "Labels", "Classes", "Frames", "Most frequent class", "Purity (chance)", "NMI (chance)"]
    return join([tag("h3", "What the labels know"), tag("p", QUALITY_KEY, class_="note"), table(head, sorted(rows))])


def cluster_figures(name: str, fit: Mapping[str, Any]) -> Iterator[Markup]:
    """Yield the inertia by iteration and the cluster sizes, largest first."""
    inertia = [Series("inertia", list(enumerate(fit["inertia"], 1)))]
    yield figure("Inertia", line_chart(f"{name}: inertia", inertia, "iterations"))
    total = max(sum(fit["histogram"]), 1)
    shares = [100 * size / total for size in sorted(fit["histogram"], reverse=True)]
    sizes = [Series("share", list(enumerate(shares, 1)), area=True)]
    equal = Series("equal shares", [(1, 100 / len(shares)), (len(shares), 100 / len(shares))], "reference")
    chart = line_chart(f"{name}: cluster sizes", [*sizes, equal], "clusters by size", zero=True)
    yield figure("Frames per cluster, percent", chart, legend([equal]))
