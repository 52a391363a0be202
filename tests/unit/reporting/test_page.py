"""The page: whole, self-contained, escaped, deterministic; and the marks that say what a score is worth."""

import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import jinja2
import pytest

import render_report
from musicssl.artefacts.aside import SetAside
from musicssl.artefacts.rulegraph import parse_rulegraph
from musicssl.artefacts.table import StudyRow
from musicssl.reporting import Material, StudyTable, formats, read_studies, render
from musicssl.reporting.cells import BELOW, NEAR, Column
from musicssl.reporting.data import SHOWN_ROWS, listing, rules_view
from musicssl.reporting.page import environment


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
    assert "Train <one> model." in outline.words
    assert "onload" not in page


def test_hostile_names_stay_text_wherever_they_stand() -> None:
    """One name for everything a user can name: in text, in attributes and in drawings."""
    evil = """x'"><script>alert(1)</script>"""
    rows = [StudyRow(model=evil, role=role, task=evil, metric=evil, status="ok", mean=0.5, low=0.4, high=0.6,
                     num_test=9, seeds=3, trivial=0.1, reference=evil, gain=0.1, gain_low=0.1, gain_high=0.1)
            for role in ("model", "floor")]  # fmt: skip
    study = {"title": evil, "question": evil, "paper_table": 1}
    curve = [{"update": i, "split": "train", "loss": 1.0} for i in (1, 2)]
    fit = {"used_clusters": 1, "perplexity": 1.0, "histogram": [1, 1], "inertia": [1.0]}
    known = dict.fromkeys(("frames", "classes", "majority", "purity", "purity_chance", "nmi", "nmi_chance"), 0.5)
    recipe = {"noun": evil, "name": evil, "digest": evil, "entry": {evil: evil}, "inputs": {}}
    page = render(
        Material(
            studies=[StudyTable(evil, study, rows)],
            curves={evil: curve},
            kmeans={evil: fit},
            quality={evil: {"annotations": {evil: known | {"classes": 2}}}},
            manifests={evil: {evil: [evil]}},
            recipes=[recipe],
            rulegraph=parse_rulegraph(f"id0[{evil}]", "graph"),
            docstrings={evil: evil},
            provenance={"git": evil, "packages": {evil: evil}},
        )
    )
    outline = Outline(page)
    assert "script" not in outline.tags
    assert outline.words.count(evil) > 20
    assert page.count(evil) == 0


def test_templates_escape_and_refuse_names_that_are_not_there() -> None:
    found = environment()
    assert found.from_string("<b>{{ name }}</b>").render(name="<i>") == "<b>&lt;i&gt;</b>"
    with pytest.raises(jinja2.UndefinedError):
        found.from_string("{{ nme }}").render(name="a")


def test_page_is_deterministic(page_job: SimpleNamespace, page: str) -> None:
    render_report.main(page_job)
    assert page_job.output.page.read_text(encoding="utf-8") == page


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
        "What the labels know",
        "25.0 (12.5)",
        "id3 --> id4",
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


def test_every_rule_stands_with_all_it_needs_circles_included(page: str) -> None:
    section = page[page.index('<section id="rules">') : page.index('<section id="recipes">')]
    assert re.findall(r"<tr><th scope=\"row\">(\w+)</th><td>([^<]*)</td><td>([^<]*)</td></tr>", section) == [
        ("pretrain", "Train &lt;one&gt; model.", "assign_labels"),
        ("probe", "Probe it.", "pretrain"),
        ("all", "–", "render_report"),
        ("assign_labels", "–", "pretrain"),
        ("render_report", "–", "pretrain, probe"),
    ]


def test_rules_without_docstrings_come_last_by_name() -> None:
    graph = parse_rulegraph("id0[b]\nid1[a]\nid2[c]\nid0 --> id1\n", "graph")
    assert [rule.name for rule in rules_view(graph, {"c": "x"})] == ["c", "a", "b"]
    assert rules_view(None, {"c": "x"}) == []


def test_long_lists_are_cut_and_say_so(run: SimpleNamespace) -> None:
    rows = [SetAside(f"{i}.wav", "silent" if i % 3 else "too short", "") for i in range(SHOWN_ROWS + 7)]
    found = listing(rows)
    assert (len(found.rows), found.num_left, found.total) == (SHOWN_ROWS, 7, SHOWN_ROWS + 7)
    assert found.reasons == [("silent", 138), ("too short", 69)]
    page = render(Material(manifests={"c": {}}, quarantines={"c": rows}))
    assert "7 more are in the file itself." in page
    assert "Every file set aside (207)" in page


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (formats.score(-0.00001), "0.0"),
        (formats.score(-0.0212, 2), "-2.12"),
        (formats.score(None), "–"),
        (formats.signed(0.0249), "+2.5"),
        (formats.duration(59.94), "59.9 s"),
        (formats.duration(7300), "2 h 01 min"),
        (formats.plain(True), "yes"),
        (formats.plain(0.325), "0.325"),
        (formats.plain([1] * 9), "9 entries"),
        (formats.plain(["a", "b"]), "a, b"),
        (formats.commas(12345), "12,345"),
    ],
)
def test_numbers_are_written_for_people(text: str, expected: str) -> None:
    assert text == expected


def test_cells_at_or_below_the_best_floor_are_marked(run: SimpleNamespace, table: Path, page: str) -> None:
    """MFCC (33) is the best floor: a model at 33 is not above it, 62 is clear; the trivial answer is 15.8."""
    (study,) = read_studies([table], {"table1": run.study})
    column = Column("gs-key", "key_score")
    assert study.floors[column] == (0.33, "mfcc")
    assert study.verdict("music2vec-vanilla", column) == BELOW
    assert study.verdict("mfcc", column) is None
    assert study.verdict("hubert-speech", column) is None
    assert page.count('<td class="below"') == study.verdicts().count(BELOW) == 7
    assert Outline(page).words.count("▼ at floor") == 7 + 1


@pytest.mark.parametrize(
    ("mean", "low", "trivial", "verdict"),
    [
        (0.158, 0.14, 0.158, BELOW),
        (0.159, 0.158, 0.158, NEAR),
        (0.159, 0.15801, 0.158, "above"),
        (0.1 + 0.2, 0.301, 0.3, BELOW),  # 0.30000000000000004: the same value, summed in another order
    ],
)
def test_verdict_at_the_boundary(mean: float, low: float, trivial: float, verdict: str) -> None:
    row = StudyRow(model="m", role="model", task="gs-key", metric="key_score", status="ok", mean=mean, std=0.0, low=low,
                   high=0.4, trivial=trivial)  # fmt: skip
    table = StudyTable("s", {"paper_table": 0}, [row])
    assert table.verdict("m", Column("gs-key", "key_score")) == verdict
