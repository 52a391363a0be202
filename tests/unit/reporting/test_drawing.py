"""Scales, thinning, and the layered drawing of the rule graph."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest

from musicssl.reporting import read_benchmarks, rulegraph
from musicssl.reporting.markup import Markup, tag
from musicssl.reporting.svg import Interval, Scale, Series, interval_plot, line_chart, short, spanning, thin


def test_tag_escapes_text_and_attributes_but_not_markup() -> None:
    assert tag("p", "a<b", Markup("<i>x</i>"), None, title='"q" & co', class_="c", data_x=1.5) == (
        '<p title="&quot;q&quot; &amp; co" class="c" data-x="1.5">a&lt;b<i>x</i></p>'
    )


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, [0.0, 0.5, 1.0]),
        (-0.1, 99.0, [0.0, 20.0, 40.0, 60.0, 80.0]),
        (7.0, 12.0, [8.0, 10.0, 12.0]),
        (1.0, 400000.0, [100000.0, 200000.0, 300000.0, 400000.0]),
    ],
)
def test_ticks_are_round_and_inside(low: float, high: float, ticks: list[float]) -> None:
    assert Scale(low, high, 0, 1).ticks() == pytest.approx(ticks)


def test_equal_values_still_have_a_scale() -> None:
    for value in (0.0, -3.0, 7.5):
        scale = spanning([value, value], 0.0, 100.0)
        assert 0 <= scale(value) <= 100
    assert 0 <= spanning([5.0], 0.0, 100.0, 0.0)(5.0) <= 100


def test_thin_keeps_means_ends_and_bound() -> None:
    points = [(float(i), 2.0 * i) for i in range(1001)]
    found = thin(points, 100)
    assert len(found) <= 100
    assert found[-1] == points[-1]
    assert all(y == pytest.approx(2 * x) for x, y in found)
    assert thin(points[:50], 100) == points[:50]


@pytest.mark.parametrize(
    ("value", "text"), [(250000, "250k"), (0.35, "0.35"), (0, "0"), (-1200, "-1.2k"), (4.1e9, "4.1G")]
)
def test_short(value: float, text: str) -> None:
    assert short(value) == text


def test_line_chart_of_one_point_and_interval_plot_without_results_draw() -> None:
    assert "circle" in line_chart("one", [Series("a", [(1, 2.0)])], "updates")
    drawn = interval_plot("none", [Interval("a", None, None, None, 5.0, "first")], None)
    assert "paper" in drawn


def test_dot_is_read_and_reduced(run: SimpleNamespace) -> None:
    labels, edges = rulegraph.parse_dot(run.dot)
    assert labels == {"0": "all", "1": "render_report", "2": "probe", "3": "pretrain"}
    assert edges == {("1", "0"), ("2", "1"), ("3", "1"), ("3", "2")}
    assert rulegraph.reduced(edges) == {("1", "0"), ("2", "1"), ("3", "2")}


def test_ranks_go_down_along_every_edge() -> None:
    nodes = [str(i) for i in range(9)]
    edges = {(a, b) for a, b in itertools.combinations(nodes, 2) if (int(a) * 7 + int(b) * 3) % 4 == 0}
    rank = rulegraph.ranked(nodes, edges)
    assert all(rank[a] < rank[b] for a, b in edges)
    assert min(rank.values()) == 0


def test_boxes_of_a_row_do_not_overlap() -> None:
    nodes = [str(i) for i in range(20)]
    edges = {(a, b) for a, b in itertools.combinations(nodes, 2) if (int(a) * 5 + int(b)) % 7 == 0}
    layers, steps, ways = rulegraph.layered(nodes, rulegraph.reduced(edges))
    widths = {node: 40.0 + 9 * (len(node) % 5) for layer in layers for node in layer}
    x = rulegraph.place(layers, steps, widths)
    for layer in layers:
        for a, b in itertools.pairwise(layer):
            assert x[b] - x[a] >= (widths[a] + widths[b]) / 2 + rulegraph.GAP - 1e-6
    assert min(x[node] - widths[node] / 2 for node in x) == pytest.approx(0)
    row = {node: i for i, layer in enumerate(layers) for node in layer}
    assert all(row[b] == row[a] + 1 for way in ways.values() for a, b in itertools.pairwise(way))


def test_drawing_has_each_rule_and_each_edge_that_is_left(run: SimpleNamespace) -> None:
    drawn = rulegraph.draw(run.dot)
    assert (drawn.count('class="rule"'), drawn.count('class="edge"')) == (4, 3)
    assert ">render_report</text>" in drawn


def test_graph_without_rules_is_nothing() -> None:
    assert rulegraph.draw("") is None
    assert rulegraph.draw("Error: no rules") is None


def test_benchmarks_by_rule(run: SimpleNamespace, tmp_path: Path) -> None:
    found = read_benchmarks(run.root / "benchmarks")
    assert {rule: [float(job["s"]) for job in jobs] for rule, jobs in found.items()} == {
        "pretrain": [7300.0],
        "probe": [61.4],
    }
    assert read_benchmarks(tmp_path / "nowhere") == {}
