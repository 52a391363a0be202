"""How well labels agree with what is known about the audio, as in the HuBERT paper (Hsu et al. 2021, section V-A).

A table of annotations says what sounds when: columns ``file``, ``start_s``, ``end_s`` and any others, one per kind of
annotation. A frame counts for a kind if exactly one value of it holds at the frame's center, so of a chord of three
notes nothing is asked about pitch. Purity grows with the number of clusters whatever they mean; therefore each measure
stands beside the value it has when the same labels are dealt to the frames at random.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..artefacts.ragged import RaggedShard
from ..datasets.annotations import Intervals, read_annotations
from ..geometry import FRAME_CENTER_S

LARGEST_MAJORITY = 0.99
NONE, SEVERAL = -1, -2

Classes = npt.NDArray[np.int64]


def score_labels(
    shards: Sequence[RaggedShard], annotations: str | Path, clip_s: float, seed: int
) -> dict[str, dict[str, float]]:
    """Return purity and normalized mutual information of labels with every kind of annotation.

    Args:
        shards: labels; clip ids are "<file>#<k>" for the k-th ``clip_s`` of a file.
        annotations: CSV, see above.
        clip_s: length of whole clips.
        seed: of the random deal.

    Returns:
        By kind: ``frames`` (share of all frames that count), ``classes``, ``majority`` (share of the most frequent
        class: the purity of a single cluster), ``purity``, ``purity_chance``, ``nmi``, ``nmi_chance``. Kinds of
        which nearly all frames have the same class are left out.

    Raises:
        UserError: the table lacks a column, or a time is no number.
    """
    rng = np.random.default_rng(seed)
    num_clusters = shards[0].attrs["num_clusters"]
    found = {}
    for kind, (names, intervals) in read_annotations(annotations).items():
        joint = np.zeros((2, num_clusters, len(names)), np.int64)
        num_frames = 0
        for labels, classes in label_pairs(shards, intervals, clip_s):
            num_frames += len(classes)
            labels, classes = labels[classes >= 0], classes[classes >= 0]
            for table, dealt in zip(joint, (labels, rng.permutation(labels)), strict=True):
                table += contingency(dealt, classes, *table.shape)
        of_class = joint[0].sum(axis=0)
        if of_class.max() < LARGEST_MAJORITY * of_class.sum():
            found[kind] = {
                "frames": float(of_class.sum() / num_frames),
                "classes": int((of_class > 0).sum()),
                "majority": float(of_class.max() / of_class.sum()),
                "purity": purity(joint[0]),
                "purity_chance": purity(joint[1]),
                "nmi": normalized_mutual_information(joint[0]),
                "nmi_chance": normalized_mutual_information(joint[1]),
            }
    return found


def label_pairs(
    shards: Sequence[RaggedShard], intervals: Intervals, clip_s: float
) -> Iterator[tuple[npt.NDArray[np.int64], Classes]]:
    """Yield labels and classes of all frames, shard by shard."""
    for shard in shards:
        rate = shard.attrs["frame_rate_hz"]
        classes = [np.empty(0, np.int64)]
        for name, length in zip(shard.ids, shard.lengths(), strict=True):
            file, _, k = name.rpartition("#")
            centers = int(k) * clip_s + FRAME_CENTER_S + np.arange(length) / rate
            classes.append(classes_at(centers, intervals.get(file, [])))
        yield shard.data.astype(np.int64), np.concatenate(classes)


def classes_at(times_s: npt.NDArray[np.float64], intervals: Sequence[tuple[float, float, int]]) -> Classes:
    """Return the class that holds at each time (N,), in ascending order; negative where none or several hold."""
    classes = np.full(len(times_s), NONE)
    for start_s, end_s, value in intervals:
        here = classes[slice(*np.searchsorted(times_s, [start_s, end_s]))]
        here[(here != NONE) & (here != value)] = SEVERAL
        here[here == NONE] = value
    return classes


def contingency(
    labels: npt.NDArray[np.int64], classes: Classes, num_labels: int, num_classes: int
) -> npt.NDArray[np.int64]:
    """Return how many frames have each pair of label and class, ``(num_labels, num_classes)``."""
    assert len(labels) == len(classes)
    return np.bincount(labels * num_classes + classes, minlength=num_labels * num_classes).reshape(num_labels, -1)


def purity(joint: npt.NDArray[np.int64]) -> float:
    """Return the share of frames whose class is the most frequent one of their cluster (0 to 1)."""
    return float(joint.max(axis=1).sum() / joint.sum())


def normalized_mutual_information(joint: npt.NDArray[np.int64]) -> float:
    """Return mutual information over the mean of both entropies (0 to 1); 1 when both sides are constant."""
    share = joint / joint.sum()
    by_label, by_class = share.sum(axis=1), share.sum(axis=0)
    mean_entropy = (_entropy(by_label) + _entropy(by_class)) / 2
    if mean_entropy == 0:
        return 1.0
    return max(0.0, _entropy(by_label) + _entropy(by_class) - _entropy(share.ravel())) / mean_entropy


def _entropy(share: npt.NDArray[np.float64]) -> float:
    """Return the entropy of a distribution in nats."""
    share = share[share > 0]
    return float(-(share * np.log(share)).sum())
