"""HTML and SVG from Python calls, escaped by construction.

:func:`tag` escapes every child that is not already :class:`Markup`, so a file name of the user can never become code.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

VOID = {"br", "meta"}


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


Child = str | int | None


def number(value: float) -> str:
    """Return a coordinate with at most two decimals."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def escape(part: str | int) -> Markup:
    """Return text as markup that shows it literally."""
    return part if isinstance(part, Markup) else Markup(html.escape(str(part)))


def join(parts: Iterable[Child]) -> Markup:
    """Return the parts one after another, escaped; None is left out."""
    return Markup("".join(escape(part) for part in parts if part is not None))


def tag(name: str, /, *children: Child, **attributes: str | float | None) -> Markup:
    """Return one element.

    Args:
        name: of the element.
        children: text (escaped), :class:`Markup` (kept) or None (left out).
        attributes: ``class_`` means class, inner underscores mean hyphens, numbers get two decimals, None is left out.
    """
    written = []
    for key, value in attributes.items():
        if value is not None:
            text = number(value) if isinstance(value, float) else html.escape(str(value))
            written.append(f' {key.rstrip("_").replace("_", "-")}="{text}"')
    opened = f"<{name}{''.join(written)}>"
    return Markup(opened if name in VOID else f"{opened}{join(children)}</{name}>")


def table(head: Sequence[Child], rows: Iterable[Sequence[Child]], class_: str = "plain") -> Markup:
    """Return a table that scrolls sideways by itself; the first cell of a row is its heading."""
    top = tag("thead", tag("tr", *(tag("th", cell, scope="col") for cell in head)))
    body = (tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:])) for row in rows)
    return tag("div", tag("table", top, tag("tbody", *body), class_=class_), class_="scroll", tabindex="0")


def section(anchor: str, title: str, *children: Child) -> Markup:
    """Return a section of the page with its heading; without content it says so."""
    content = join(children) or tag("p", "Nothing of this was made in this run.", class_="missing")
    return tag("section", tag("h2", title), content, id=anchor)


def figure(caption: Child, drawing: Markup, legend: Child = None) -> Markup:
    """Return a drawing under its caption."""
    return tag("figure", tag("figcaption", caption), drawing, legend)


def grid(figures: Iterable[Markup]) -> Markup | None:
    """Return figures side by side as the width allows, or None when there are none."""
    content = join(figures)
    return tag("div", content, class_="grid") if content else None


def details(title: Child, *children: Child) -> Markup:
    """Return a part that opens on a click."""
    return tag("details", tag("summary", title), *children)
