"""The page: whole, self-contained, escaped, deterministic; and the marks that say what a score is worth."""

import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest

import render_report
from musicssl.reporting import Material, read_studies, render
from musicssl.reporting.studies import BELOW, NEAR, Column, StudyTable


class Outline(HTMLParser):
    """Checks that every element is closed in order, and collects anchors, links and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self.tags: set[str] = set()
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        values = dict(attrs)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values[key] for key in ("href", "src", "xlink:href") if key in values]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += f"{data}\n"


def test_page_needs_nothing_else(page: str) -> None:
    outline = Outline(page)
    assert outline.links
    assert all(link.startswith("#") and link[1:] in outline.ids for link in outline.links)
    assert len(set(outline.ids)) == len(outline.ids)
    assert outline.tags.isdisjoint({"script", "link", "img", "iframe", "object", "base"})
    assert not re.search(r"url\(|@import|https?:", page)


def test_names_of_users_cannot_become_code(run: SimpleNamespace, page: str) -> None:
    outline = Outline(page)
    assert run.evil in outline.words
    assert "CC0 <b>" in outline.words
    assert "table1: Invented <i>" in outline.words
    assert "onload" not in page


def test_page_is_deterministic(run: SimpleNamespace, page: str) -> None:
    params = SimpleNamespace(studies={"table1": run.study}, benchmarks=run.root / "benchmarks")
    output = SimpleNamespace(page=run.root / "again.html")
    render_report.main(SimpleNamespace(input=run.inputs, params=params, output=output))
    assert output.page.read_text(encoding="utf-8") == page


def test_page_tells_what_every_file_says(page: str) -> None:
    told = [
        "This is a miniature run",
        "33.0",
        "[31.0, 35.0]",
        "paper 19.0",
        "not run",
        "most frequent label",
        "Explained variance of the targets",
        "published 604",
        "missing audio 1",
        "2 h 01 min",
        "0.50 GiB",
        "0123456789",
        "files.usable",
        "equal shares",
        "render_report",
    ]
    words = Outline(page).words
    assert [one for one in told if one not in words] == []


def test_curves_have_a_point_for_every_row_that_was_logged(page: str) -> None:
    """20 rows of training and 4 of validation a model; the loss falls, so its lines go down the page."""
    loss = ("Loss per masked frame", [20, 4])
    for model, charts in {
        "hubert-k500-mfcc39": (loss, ("Accuracy on masked frames", [20, 4, 4])),  # and of the most frequent label
        "music2vec-vanilla": (loss, ("Explained variance of the targets", [20, 4]), ("Standard deviation", [20, 20])),
    }.items():
        for title, expected in charts:
            start = page.index(f"{model}: {title}")
            drawing = page[start : page.index("</svg>", start)]
            lines = re.findall(r'<path[^>]* d="([^"]+)"', drawing)
            counts = [len(re.findall(r"[ML]", one)) for one in lines]
            assert counts == expected, (model, title)
            heights = [float(y) for y in re.findall(r"[ML]\s*[\d.]+[ ,]([\d.]+)", lines[0])]
            falling = title.startswith("Loss")
            assert heights == sorted(heights, reverse=not falling), (model, title)


def test_page_of_an_empty_run_says_what_is_missing() -> None:
    outline = Outline(render(Material()))
    assert outline.words.count("Nothing of this was made in this run.") == 9
    assert "miniature run" not in outline.words


def test_job_without_optional_inputs(run: SimpleNamespace) -> None:
    output = SimpleNamespace(page=run.root / "bare.html")
    render_report.main(SimpleNamespace(input=SimpleNamespace(), params=SimpleNamespace(studies={}), output=output))
    assert "Nothing of this was made" in output.page.read_text(encoding="utf-8")


def test_cells_at_or_below_the_best_floor_are_marked(run: SimpleNamespace, table: Path, page: str) -> None:
    """MFCC (33) is the best floor: a model at 33 is not above it, 62 is clear; the trivial answer is 15.8."""
    (study,) = read_studies([table], {"table1": run.study})
    column = Column("gs-key", "key_score")
    assert study.floors[column] == (33.0, "mfcc")
    assert study.verdict("music2vec-vanilla", column) == BELOW
    assert study.verdict("mfcc", column) is None
    assert study.verdict("hubert-speech", column) is None
    assert page.count('<td class="below"') == study.verdicts().count(BELOW) == 7
    assert Outline(page).words.count("▼ at floor") == 7 + 1


@pytest.mark.parametrize(
    ("mean", "low", "trivial", "verdict"),
    [("15.8", "14.0", "15.80", BELOW), ("15.9", "15.8", "15.80", NEAR), ("15.9", "15.81", "15.80", "above")],
)
def test_verdict_at_the_boundary(mean: str, low: str, trivial: str, verdict: str) -> None:
    row = {"model": "m", "role": "model", "task": "gs-key", "metric": "key_score", "status": "ok", "paper": ""}
    row |= {"mean": mean, "std": "0", "low": low, "high": "20", "trivial": trivial}
    table = StudyTable("s", {"paper_table": 0}, [row])
    assert table.verdict("m", Column("gs-key", "key_score")) == verdict
