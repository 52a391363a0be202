"""The printed tables, and the formula behind their average column."""

import csv
from pathlib import Path

import pytest

from musicssl.reporting import paper

GOLDEN = Path(__file__).parents[2] / "golden" / "average_score.csv"
ROWS = list(csv.DictReader(GOLDEN.open(encoding="utf-8")))


def scores_of(model: str, table: int) -> dict[tuple[str, str], float]:
    cells = [(task, metric) for task, (_, metrics) in paper.TASKS.items() for metric in metrics]
    values = {cell: paper.paper_value(model, *cell, table) for cell in cells}
    return {cell: value for cell, value in values.items() if value is not None}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["model"])
def test_average_score_reproduces_the_printed_column(row: dict[str, str]) -> None:
    average = paper.average_score(scores_of(row["model"], int(row["table"])))
    assert average == pytest.approx(float(row["computed"]), abs=5e-4)
    assert paper.paper_value(row["model"], *paper.AVERAGE, int(row["table"])) == float(row["printed"])
    assert (f"{average:.1f}" == row["printed"]) == (row["model"] != "music2vec-crop5s")


def test_average_needs_all_nine_tasks() -> None:
    scores = scores_of("music2vec-vanilla", 3)
    for task in paper.AVERAGED_TASKS:
        assert paper.average_score({cell: v for cell, v in scores.items() if cell[0] != task}) is None
    assert paper.average_score({c: v for c, v in scores.items() if c != ("mtt", "ap")}) is None


def test_rows_printed_twice_agree() -> None:
    for model, other in (
        ("hubert-speech", 2),
        ("hubert-k2000-mfcc39", 2),
        ("data2vec-speech", 3),
        ("music2vec-vanilla", 3),
    ):
        first, second = scores_of(model, 1), scores_of(model, other)
        shared = first.keys() & second.keys()
        assert len(shared) == 11
        assert {cell: first[cell] for cell in shared} == {cell: second[cell] for cell in shared}


def test_all_printed_numbers_are_reachable_by_our_names() -> None:
    """263 numbers: 5 rows of 19, 5 of 12 and 9 of 12 (the paper's tables)."""
    assert len(paper.printed()) == 5 * 19 + 5 * 12 + 9 * 12
    found = sum(len(scores_of(model, table)) for model in paper.MODELS for table in (1, 2, 3))
    assert found == len(paper.printed())


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (("hubert-k2000-mfcc39", "mtg-top50", "ap", 1), 28.1),
        (("hubert-k2000-mfcc39", "mtg-top50", "ap", 2), None),
        (("music2vec-crop5s", "gtzan-genre", "accuracy", 0), 76.6),
        (("music2vec-target12", "gs-key", "key_score", 3), 26.5),
        (("data2vec-speech", "gtzan-rhythm", "beat_f70", 3), 36.4),
        (("data2vec-speech", "gtzan-rhythm", "beat_f20", 3), None),
        (("hubert-k500-mfcc60", "emomusic", "r2_arousal", 2), 67.5),
        (("state-of-the-art", "nsynth-pitch", "accuracy", 1), 89.2),
        (("mfcc", "mtt", "ap", 0), None),
        (("music2vec-vanilla", "a-task-of-mine", "accuracy", 0), None),
    ],
)
def test_paper_value(cell: tuple[str, str, str, int], value: float | None) -> None:
    assert paper.paper_value(*cell) == value
