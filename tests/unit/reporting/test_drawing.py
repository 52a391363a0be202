"""Scales, thinning, and what the drawings hold."""

import pytest
from markupsafe import Markup

from musicssl.reporting.svg import Interval, Scale, Series, element, interval_plot, line_chart, short, spanning, thin


def test_elements_escape_text_and_attributes_but_not_markup() -> None:
    drawn = element("text", "a<{b}", Markup("<i>{x}</i>"), None, title='"q" & co', class_="c", data_x=1.5, y=None)
    assert drawn == '<text title="&#34;q&#34; &amp; co" class="c" data-x="1.5">a&lt;{b}<i>{x}</i></text>'
    assert isinstance(drawn, Markup)


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
