"""Quality of labels against scikit-learn, closed forms and a hand-made table."""

import numpy as np
import pytest
from sklearn.metrics import normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from musicssl.artefacts.ragged import RaggedWriter, open_all
from musicssl.runtime import UserError
from musicssl.targets.quality import (
    classes_at,
    contingency,
    normalized_mutual_information,
    purity,
    read_annotations,
    score_labels,
)


@pytest.mark.parametrize("seed", range(4))
def test_equals_sklearn(seed):
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 6, 2000)
    labels = np.where(rng.random(2000) < 0.6, classes * 3, rng.integers(0, 40, 2000))
    joint = contingency(labels, classes, 50, 6)
    table = contingency_matrix(labels, classes)
    np.testing.assert_array_equal(joint[joint.sum(1) > 0], table)
    assert purity(joint) == table.max(1).sum() / 2000
    expected = normalized_mutual_info_score(classes, labels)
    assert normalized_mutual_information(joint) == pytest.approx(expected, rel=1e-12)


def test_extremes():
    classes, zeros = np.repeat(np.arange(5), 20), np.zeros(100, int)
    assert purity(contingency(classes + 7, classes, 12, 5)) == 1
    assert normalized_mutual_information(contingency(classes[::-1], classes, 5, 5)) == pytest.approx(1)
    assert purity(contingency(zeros, classes, 3, 5)) == 0.2
    assert normalized_mutual_information(contingency(zeros, classes, 3, 5)) == 0
    assert normalized_mutual_information(contingency(zeros, zeros, 1, 1)) == 1


def test_a_frame_has_a_class_where_exactly_one_holds():
    times = np.arange(10.0)
    intervals = [(1, 4, 0), (3, 6, 1), (5, 6, 1), (8, 20, 2), (9.5, 9.5, 0)]
    assert classes_at(times, intervals).tolist() == [-1, 0, 0, -2, 1, 1, -1, -1, 2, 2]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "annotations.csv"
    path.write_text(
        'file,start_s,end_s,pitch,mood\r\na "b", c.wav,0,1,60,calm\r\n'.replace('a "b", c.wav', '"a ""b"", c.wav"')
        + "d.wav,0,2,60,calm\r\nd.wav,2,3,62,\r\nelsewhere.wav,0,9,62,calm\r\n",
        encoding="utf-8-sig",
    )
    return path


def write(path, clips, rate=100):
    with RaggedWriter(path, np.uint16, (), "labels0000", num_clusters=3, frame_rate_hz=rate, splits=[]) as writer:
        for name, labels in clips:
            writer.append(name, labels)


@pytest.mark.parametrize("rate", [100, 50])
def test_labels_that_know_the_pitch(tmp_path, table, rate):
    """Clips of 2 s, cut short; frame centers lie 12.5 ms after frame starts."""
    centers = 0.0125 + np.arange(round(1.9 * rate)) / rate
    second = 2 + centers < 3
    clips = [('a "b", c.wav#0', centers > 1), ("d.wav#0", np.zeros(len(centers))), ("d.wav#1", np.where(second, 2, 1))]
    write(tmp_path / "000.npy", clips, rate)
    found = score_labels(open_all([tmp_path / "000.npy"]), table, 2.0, 0)
    assert set(found) == {"pitch"}  # one mood tells nothing
    pitch = found["pitch"]
    counted = [(centers < 1).sum(), len(centers), second.sum()]
    assert pitch["frames"] == pytest.approx(sum(counted) / (3 * len(centers)))
    assert pitch["majority"] == pytest.approx(sum(counted[:2]) / sum(counted))
    assert (pitch["classes"], pitch["purity"], pitch["nmi"]) == (2, 1.0, pytest.approx(1))
    assert pitch["purity_chance"] == pytest.approx(pitch["majority"], abs=0.02)
    assert pitch["nmi_chance"] < 0.02


def test_complaints_name_the_line(table):
    text = table.read_text()
    table.write_text(text.replace("d.wav,2,3", "d.wav,two,3"))
    with pytest.raises(UserError, match=r"annotations.csv, line 4: found 'two' to '3', expected seconds"):
        read_annotations(table)
    table.write_text("file;start_s;end_s")
    with pytest.raises(UserError, match=r"no column 'file' among file;start_s;end_s; expected file, start_s, end_s"):
        read_annotations(table)
