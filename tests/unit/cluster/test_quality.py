"""Quality of labels against scikit-learn and closed forms."""

import numpy as np
import pytest
from sklearn.metrics import normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from musicssl.cluster.quality import contingency, majority_share, normalised_mutual_information, purity


@pytest.mark.parametrize("seed", range(4))
def test_equals_sklearn(seed):
    rng = np.random.default_rng(seed)
    annotations = rng.integers(0, 6, 2000)
    labels = np.where(rng.random(2000) < 0.6, annotations * 3, rng.integers(0, 40, 2000))
    table = contingency_matrix(labels, annotations)
    np.testing.assert_array_equal(contingency(labels, annotations), table)
    assert purity(labels, annotations) == table.max(1).sum() / 2000
    expected = normalized_mutual_info_score(annotations, labels)
    assert normalised_mutual_information(labels, annotations) == pytest.approx(expected, rel=1e-12)


def test_extremes():
    classes = np.repeat(np.arange(5), 20)
    assert purity(classes + 7, classes) == 1
    assert normalised_mutual_information(classes[::-1], classes) == pytest.approx(1)
    assert purity(np.zeros(100), classes) == 0.2
    assert normalised_mutual_information(np.zeros(100), classes) == 0
    assert normalised_mutual_information(np.zeros(9), np.ones(9)) == 1
    assert majority_share([3, 3, 3, 8]) == 0.75


def test_unequal_lengths():
    with pytest.raises(ValueError, match="3 labels and 2 annotations"):
        purity([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="0 labels and 0 annotations"):
        purity([], [])
