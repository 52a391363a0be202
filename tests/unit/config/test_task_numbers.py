"""The numbers of every task's probe, against the paper's and MARBLE's as written down apart from our tables."""

import csv
from pathlib import Path

import pytest

from musicssl.config.catalogue import Catalogue

GOLDEN = Path(__file__).parents[2] / "golden" / "protocol.csv"
ROWS = {row["task"]: row for row in csv.DictReader(GOLDEN.open())}
COLUMNS = [name for name in next(iter(ROWS.values())) if name != "task"]
LISTS = ("learning_rates", "seeds")
WORDS = ("rows", "items")


def wanted(row: dict, column: str):
    """Return a cell as a number, a list of numbers, a word, or None where it is empty."""
    text = row[column]
    if column in LISTS:
        return [float(word) for word in text.split()]
    return text if column in WORDS else float(text) if text else None


def test_every_task_has_a_row(paper: dict) -> None:
    assert list(ROWS) == Catalogue(paper).names("tasks")


@pytest.mark.parametrize("task", ROWS)
def test_a_task_has_the_published_numbers(paper: dict, task: str) -> None:
    catalogue = Catalogue(paper)
    entry = catalogue.entry("tasks", task)
    view, beats = catalogue.entry("views", entry["view"]), entry["probe"]["beats"] or {}
    values = {"crop_s": None} | entry | entry["probe"] | view | beats
    assert {name: values[name] for name in COLUMNS} == {name: wanted(ROWS[task], name) for name in COLUMNS}


def test_the_grid_is_that_of_marbles_sweep(paper: dict) -> None:
    paper["tasks"]["tuned"] = {"base": "gtzan-genre", "protocol": "tuned"}
    entries = {name: Catalogue(paper).entry("tasks", name)["probe"] for name in ("gtzan-genre", "tuned")}
    assert sorted(entries["tuned"].pop("learning_rates")) == [5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2]
    assert entries["gtzan-genre"].pop("learning_rates") == [1e-3]
    assert entries["tuned"] == entries["gtzan-genre"]
