"""The documented trivial scores follow from the documented test sets by our own trivial answers and metrics."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from musicssl.config.catalogue import Catalogue
from musicssl.probing.beats import BeatTracker
from musicssl.probing.metrics import plain
from musicssl.probing.scoring import Units, scores_of, trivial_beats, trivial_outputs

ROWS = list(csv.DictReader((Path(__file__).parents[2] / "golden" / "floors.csv").open()))
PRINTED = 0.05  # half of the last digit
DRAWN = 0.5  # beats are drawn with the documented tempo, not those of the dataset
CLIPS, CLIP_S, RATE_HZ = 2900, 30.0, 50.0


def units(kind: str, classes: list[str], targets) -> Units:
    names = [str(i) for i in range(len(targets))]
    return Units(kind, classes, names, names, targets)


def percent(test: Units, answer, metric: str) -> float:
    return 100 * plain(scores_of(test, answer)[metric], len(test))


def rows_with(column: str) -> list:
    return [pytest.param(row, id=f"{row['task']}-{row['metric']}") for row in ROWS if row[column]]


@pytest.mark.parametrize("row", rows_with("test_counts"))
def test_a_constant_class_scores_its_share_of_the_published_test_counts(row, paper):
    entry = Catalogue(paper).entry("tasks", row["task"])
    counts = {name: int(count) for name, count in (pair.split(" ") for pair in row["test_counts"].split(";"))}
    test = units(entry["kind"], [*counts], np.repeat(np.arange(len(counts)), [*counts.values()]))
    train = units(entry["kind"], [*counts], np.array([[*counts].index(row["answer"])]))
    answer = trivial_outputs(train, len(test))
    assert percent(test, answer, row["metric"]) == pytest.approx(float(row["low"]), abs=PRINTED)


@pytest.mark.parametrize("row", rows_with("tags_per_item"))
def test_a_constant_score_has_the_macro_ap_of_the_published_tags_per_item(row):
    """Whatever the tags' own frequencies are, which here fall as those of real tags do."""
    num_tags, num_items = int(row["num_outputs"]), 2000
    shares = 1 / np.arange(5, num_tags + 5)
    counts = np.rint(shares / shares.sum() * float(row["tags_per_item"]) * num_items).astype(int)
    marks = (np.arange(num_items)[:, None] < counts).astype(int)
    test = units("multilabel", [str(i) for i in range(num_tags)], marks)
    answer = trivial_outputs(test, num_items)
    assert percent(test, answer, row["metric"]) == pytest.approx(float(row["low"]), abs=PRINTED)


def test_a_uniformly_drawn_key_scores_a_twelfth():
    """One key in 24 is right, one a fifth above, one relative, one parallel: (1 + 0.5 + 0.3 + 0.2) / 24."""
    (row,) = (row for row in ROWS if row["task"] == "gs-key")
    every = [(truth, answer) for truth in range(24) for answer in range(24)]
    test = units("key", [str(i) for i in range(24)], np.array([truth for truth, _ in every]))
    answers = np.eye(24)[[answer for _, answer in every]]
    assert percent(test, answers, row["metric"]) == pytest.approx(float(row["low"]), abs=PRINTED)


@pytest.fixture(scope="module")
def clips() -> Units:
    """Return clips of one tempo each, 115 BPM in the middle, now and then outside the tracker's 55 to 215 BPM."""
    rng = np.random.default_rng(0)
    periods_s = 60 / (115 * np.exp(0.25 * rng.standard_normal(CLIPS)))
    beats = [np.arange(rng.uniform(0, period), CLIP_S, period) for period in periods_s]
    assert sum(map(len, beats)) / CLIPS == pytest.approx(17_059 / 290, rel=0.01)
    return units("beats", [], beats)


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row["task"] == "gtzan-rhythm"], ids=lambda row: f"{row['answer']}-{row['metric']}"
)
def test_beats_that_hear_nothing_score_the_documented_floor(clips, row):
    if row["answer"] == "constant activation":
        answer = trivial_beats([round(CLIP_S * RATE_HZ) - 1], 0.12, BeatTracker(RATE_HZ, 0.0125))[0]
    else:
        answer = np.arange(0, CLIP_S, 60 / float(row["answer"].split()[0]))
    score = percent(clips, [answer] * CLIPS, row["metric"])
    assert float(row["low"]) - DRAWN < score < float(row["high"]) + DRAWN
