"""The graph of rules, as Snakemake writes it for mermaid: ``report/rulegraph.mmd``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from ..runtime import UserError

NODE = re.compile(r"^\s*(id\d+)\[(.+)\]\s*$", re.MULTILINE)
EDGE = re.compile(r"^\s*(id\d+) --> (id\d+)\s*$", re.MULTILINE)


class RuleGraph(NamedTuple):
    """Snakemake's source, and the rules whose outputs each rule needs; rules may need each other in a circle."""

    source: str
    needs: dict[str, list[str]]


def parse_rulegraph(text: str, where: str | Path) -> RuleGraph:
    """Return the graph that a text of ``snakemake --rulegraph mermaid-js`` describes, names sorted.

    Raises:
        UserError: there is no rule in it, or an arrow from or to nowhere.
    """
    names = dict(NODE.findall(text))
    edges = EDGE.findall(text)
    if not names or len(edges) != text.count("-->") or not {end for edge in edges for end in edge} <= set(names):
        raise UserError(
            f"{where}: found no whole graph of rules, expected the output of `snakemake --rulegraph mermaid-js`; "
            "delete it and run the workflow again"
        )
    needs: dict[str, list[str]] = {name: [] for name in names.values()}
    for needed, by in edges:
        needs[names[by]].append(names[needed])
    return RuleGraph(text, {name: sorted(found) for name, found in sorted(needs.items())})


def read_rulegraph(path: str | Path) -> RuleGraph:
    """Read the graph of rules.

    Raises:
        UserError: the file does not hold a whole one.
    """
    return parse_rulegraph(Path(path).read_text(encoding="utf-8"), path)
