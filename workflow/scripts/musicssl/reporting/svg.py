"""Inline SVG figures: line chart, heat map and interval plot, escaped by construction.

Colors, strokes and fonts are classes of ``style.css``, so that one drawing serves light, dark and paper. Coordinates
are pixels of the view box and have two decimals: equal data gives equal bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

Point = tuple[float, float]
CHAR = 6.1  # width of a character of the figures' 10.5 px text, in px, on the safe side


@dataclass(frozen=True)
class Series:
    """One line of a chart; ``style`` is a CSS class, ``area`` fills down to the axis, ``dots`` are marked points."""

    label: str
    points: Sequence[Point]
    style: str = "first"
    area: bool = False
    dots: Sequence[Point] = ()


class Chart(NamedTuple):
    """A drawing under its caption; ``legend`` names the lines, if it needs to."""

    caption: str
    drawing: Markup
    legend: Sequence[Series] = ()


@dataclass(frozen=True)
class Interval:
    """One row of an interval plot; a row without ``mean`` was not run."""

    label: str
    mean: float | None
    low: float | None
    high: float | None
    paper: float | None
    style: str


@dataclass(frozen=True)
class Scale:
    """Linear map from data (``low`` to ``high``) to pixels (``start`` to ``end``)."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return the fewest round values inside the range that are at least three."""
        power = 10.0 ** math.floor(math.log10(self.high - self.low))
        for step in (power * factor for factor in (5.0, 2.0, 1.0, 0.5, 0.2, 0.1)):
            first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
            if last - first >= 2:
                break
        return [step * i for i in range(first, last + 1)]


def spanning(values: Sequence[float], start: float, end: float, margin: float = 0.05) -> Scale:
    """Return a scale that shows all values with a margin, also when they are equal."""
    low, high = min(values), max(values)
    pad = margin * (high - low) or (margin and 0.05 * abs(high)) or (high == low) * 1.0
    return Scale(low - pad, high + pad, start, end)


def short(value: float) -> str:
    """Return a tick's text: ``250k`` for 250000, ``0.35``, ``1e-05``."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{unit}"
    return f"{0.0 if abs(value) < 1e-12 else value:.3g}"


def number(value: float) -> str:
    """Return a coordinate with at most two decimals."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def element(name: str, /, *children: Markup | str | None, **attributes: str | float | None) -> Markup:
    """Return one element of a drawing.

    Args:
        name: of the element.
        children: text (escaped), markup (kept) or None (left out).
        attributes: ``class_`` means class, inner underscores mean hyphens, numbers get two decimals, None is left out.
    """
    written = Markup("")
    for key, value in attributes.items():
        if value is not None:
            shown = value if isinstance(value, str) else number(value)
            written += Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), shown)
    return Markup("<{0}{1}>{2}</{0}>").format(name, written, joined(children))


def joined(children: Iterable[Markup | str | None]) -> Markup:
    """Return the children one after another, text escaped."""
    return Markup("").join(child for child in children if child is not None)


def drawing(width: float, height: float, title: str, *children: Markup | None) -> Markup:
    """Return an SVG element that scales to the width it is given."""
    view = f"0 0 {number(width)} {number(height)}"
    return element(
        "svg", element("title", title), *children, viewBox=view, role="img", style=f"max-width:{number(width)}px"
    )


def text(x: float, y: float, words: str, anchor: str = "start", style: str | None = None) -> Markup:
    """Return a line of text whose baseline starts, is centered or ends at (x, y)."""
    return element("text", words, x=float(x), y=float(y), text_anchor=anchor, class_=style)


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> Markup:
    """Return a straight stroke."""
    return element("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=style)


def path(points: Sequence[Point], style: str, closed: bool = False) -> Markup:
    """Return a polyline."""
    steps = "L".join(f"{number(x)} {number(y)}" for x, y in points)
    return element("path", d=f"M{steps}{'Z' if closed else ''}", class_=style)


def thin(points: Sequence[Point], most: int = 240) -> list[Point]:
    """Return at most ``most`` points, each the mean of neighbours; the last stays as it is."""
    size = math.ceil((len(points) - 1) / (most - 1))
    if size <= 1:
        return list(points)
    groups = [points[i : min(i + size, len(points) - 1)] for i in range(0, len(points) - 1, size)]
    means = [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]
    return [*means, points[-1]]


def line_chart(title: str, series: Sequence[Series], x_label: str, zero: bool = False) -> Markup:
    """Return lines over a common pair of axes.

    Args:
        title: read aloud, and shown under the pointer.
        series: at least one point altogether.
        x_label: what the horizontal axis counts.
        zero: whether the vertical axis starts at zero.
    """
    width, height, left, top, bottom = 340.0, 182.0, 42.0, 8.0, 148.0
    shown = [(one, thin(one.points)) for one in series if one.points]
    xs = [x for _, points in shown for x, _ in points]
    ys = [y for _, points in shown for _, y in points] + [0.0] * zero
    across, up = spanning(xs, left, width - 16, 0.0), spanning(ys, bottom, top)
    if zero:
        up = Scale(0.0, up.high, bottom, top)
    marks = [line(left, up(y), width - 16, up(y), "grid") for y in up.ticks()]
    marks += [text(left - 6, up(y) + 3.5, short(y), "end") for y in up.ticks()]
    marks += [text(across(x), bottom + 14, short(x), "middle") for x in across.ticks()]
    marks += [line(left, bottom, width - 16, bottom, "axis"), text(width - 16, bottom + 28, x_label, "end", "faint")]
    for one, points in shown:
        drawn = [(across(x), up(y)) for x, y in points]
        if one.area:
            marks.append(path([(drawn[0][0], bottom), *drawn, (drawn[-1][0], bottom)], f"area {one.style}", True))
        elif len(drawn) > 1:
            marks.append(path(drawn, f"line {one.style}"))
        for x, y in one.dots or (points if len(points) == 1 and not one.area else ()):
            marks.append(element("circle", cx=across(x), cy=up(y), r=3, class_=f"dot {one.style}"))
    return drawing(width, height, title, *marks)


def heat_map(title: str, rows: Sequence[str], columns: Sequence[str], shares: Sequence[Sequence[float]]) -> Markup:
    """Return shares (0..1) as cells, darker for larger, each with its value in percent.

    Args:
        title: read aloud.
        rows: names of the rows.
        columns: names of the columns.
        shares: one list a row; rows may be shorter than ``columns``.
    """
    left, cell, tall = CHAR * max(map(len, rows)) + 8, 23.0, 19.0
    largest = max(max(values) for values in shares) or 1.0
    marks = [text(left + cell * (j + 0.5), 11, name, "middle", "faint") for j, name in enumerate(columns)]
    for i, (name, values) in enumerate(zip(rows, shares, strict=True)):
        y = 17 + tall * i
        marks.append(text(left - 6, y + 13, name, "end"))
        for j, share in enumerate(values):
            x, strength = left + cell * j, share / largest
            tip = element("title", f"{name}, state {columns[j]}: {100 * share:.1f} %")
            size = {"width": cell - 1.5, "height": tall - 1.5}
            marks.append(element("rect", tip, x=x, y=y, **size, class_="heat", fill_opacity=0.06 + 0.94 * strength))
            ink = "cell strong" if strength > 0.65 else "cell"
            marks.append(text(x + cell / 2 - 0.75, y + 12.5, f"{100 * share:.0f}", "middle", ink))
    return drawing(left + cell * len(columns), 17 + tall * len(rows) + 2, title, *marks)


def interval_plot(title: str, rows: Sequence[Interval], floor: float | None) -> Markup:
    """Return one row a model: mean and interval, the paper's value as a diamond, all up to ``floor`` shaded."""
    width, tall, top = 360.0, 17.0, 4.0
    left = min(170.0, CHAR * max(len(row.label) for row in rows) + 8)
    bottom = top + tall * len(rows) + 3
    values = [v for row in rows for v in (row.mean, row.low, row.high, row.paper) if v is not None]
    across = spanning([*values, *([floor] if floor is not None else [])], left + 4, width - 12)
    marks = [line(across(x), top, across(x), bottom, "grid") for x in across.ticks()]
    marks += [text(across(x), bottom + 13, short(x), "middle") for x in across.ticks()]
    if floor is not None:
        size = {"width": across(floor) - left, "height": bottom - top}
        marks.append(
            element("rect", element("title", f"best floor: {floor:.1f}"), x=left, y=top, **size, class_="below")
        )
        marks.append(line(across(floor), top, across(floor), bottom, "floorline"))
    marks.append(line(left, bottom, width - 8, bottom, "axis"))
    for i, row in enumerate(rows):
        y = top + tall * (i + 0.5) + 1
        marks.append(text(left - 6, y + 3.5, row.label, "end", None if row.mean is not None else "faint"))
        marks.append(interval_row(row, across, y))
    return drawing(width, bottom + 18, title, *marks)


def interval_row(row: Interval, across: Scale, y: float) -> Markup:
    """Return the marks of one row of an interval plot at height ``y``."""
    marks: list[Markup | None] = []
    if row.paper is not None:
        x = across(row.paper)
        diamond = [(x - 4.5, y), (x, y - 4.5), (x + 4.5, y), (x, y + 4.5)]
        marks.append(path(diamond, "paper", closed=True))
    if row.mean is None:
        marks.append(text(across.start + 4, y + 3.5, "not run", "start", "faint") if row.paper is None else None)
        return joined(marks)
    if row.low is not None and row.high is not None:
        marks.append(line(across(row.low), y, across(row.high), y, f"whisker {row.style}"))
    paper = "" if row.paper is None else f", paper {row.paper:.1f}"
    tip = element("title", f"{row.label}: {row.mean:.2f}{paper}")
    return joined([*marks, element("circle", tip, cx=across(row.mean), cy=y, r=3.6, class_=f"dot {row.style}")])
