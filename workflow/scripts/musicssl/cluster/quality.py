"""How well labels agree with annotations of the same frames, as in the HuBERT paper (Hsu et al. 2021, section V-A).

All measures take two equally long integer vectors, one entry per frame.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Labels = npt.ArrayLike


def contingency(labels: Labels, annotations: Labels) -> npt.NDArray[np.int64]:
    """Return how many frames have each pair of label and annotation, ``(distinct labels, distinct annotations)``.

    Raises:
        ValueError: the vectors are empty or differ in length.
    """
    first, second = np.asarray(labels).ravel(), np.asarray(annotations).ravel()
    if len(first) != len(second) or len(first) == 0:
        raise ValueError(f"{len(first)} labels and {len(second)} annotations, expected equally many and at least one")
    values, row = np.unique(first, return_inverse=True)
    classes, column = np.unique(second, return_inverse=True)
    counts = np.bincount(row * len(classes) + column, minlength=len(values) * len(classes))
    return counts.reshape(len(values), len(classes))


def purity(labels: Labels, annotations: Labels) -> float:
    """Return the share of frames whose annotation is the most frequent one of their cluster (0 to 1)."""
    table = contingency(labels, annotations)
    return float(table.max(axis=1).sum() / table.sum())


def normalised_mutual_information(labels: Labels, annotations: Labels) -> float:
    """Return mutual information over the mean of both entropies (0 to 1); 1 when both vectors are constant."""
    joint = contingency(labels, annotations) / np.size(labels)
    by_label, by_class = joint.sum(axis=1), joint.sum(axis=0)
    mean_entropy = (_entropy(by_label) + _entropy(by_class)) / 2
    if mean_entropy == 0:
        return 1.0
    return max(0.0, _entropy(by_label) + _entropy(by_class) - _entropy(joint.ravel())) / mean_entropy


def majority_share(labels: Labels) -> float:
    """Return the share of frames that carry the most frequent label: what always guessing it would score."""
    counts = np.unique(np.asarray(labels), return_counts=True)[1]
    return float(counts.max() / counts.sum())


def _entropy(share: npt.NDArray[np.float64]) -> float:
    """Return the entropy of a distribution in nats."""
    share = share[share > 0]
    return float(-(share * np.log(share)).sum())
