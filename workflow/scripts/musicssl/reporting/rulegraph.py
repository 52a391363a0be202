"""The graph of rules, from the text of ``snakemake --rulegraph dot`` to a layered SVG.

Drawn in the manner of Sugiyama, Tagawa and Toda (1981): ranks by longest path, long edges broken at every rank they
cross, crossings reduced by barycentres. Edges that a longer way implies are left out.
"""

from __future__ import annotations

import itertools
import re
import statistics
from collections import defaultdict

from .markup import Markup, number, tag
from .svg import CHAR, drawing, text

NODE = re.compile(r'^\s*(\d+)\s*\[.*?label\s*=\s*"((?:[^"\\]|\\.)*)"', re.MULTILINE)
EDGE = re.compile(r"^\s*(\d+)\s*->\s*(\d+)", re.MULTILINE)
Layers = list[list[str]]
Edges = set[tuple[str, str]]
RANK_HEIGHT, NODE_HEIGHT, GAP, WAYPOINT = 54.0, 24.0, 16.0, 10.0


def parse_dot(dot: str) -> tuple[dict[str, str], Edges]:
    """Return the labels by node and the edges of a rule graph; anything before the graph is ignored."""
    labels = {node: label.split("\\n")[0].replace('\\"', '"') for node, label in NODE.findall(dot)}
    return labels, {(a, b) for a, b in EDGE.findall(dot) if a in labels and b in labels and a != b}


def reachable(edges: Edges) -> dict[str, set[str]]:
    """Return everything downstream of each node that has an edge."""
    below: dict[str, set[str]] = defaultdict(set)
    for a, b in edges:
        below[a].add(b)
    grown = True
    while grown:
        grown = False
        for node, found in list(below.items()):
            more = found.union(*(below.get(other, set()) for other in found))
            grown |= len(more) > len(found)
            below[node] = more
    return below


def reduced(edges: Edges) -> Edges:
    """Return the edges without those a longer way implies (transitive reduction of an acyclic graph)."""
    below = reachable(edges)
    direct: dict[str, set[str]] = defaultdict(set)
    for a, b in edges:
        direct[a].add(b)
    return {(a, b) for a, b in edges if not any(b in below.get(c, set()) for c in direct[a] - {b})}


def ranked(nodes: list[str], edges: Edges) -> dict[str, int]:
    """Return the row of each node: as low as what follows it allows, by longest path to an end."""
    ahead = dict.fromkeys(nodes, 0)
    for _ in nodes:
        for a, b in edges:
            ahead[a] = max(ahead[a], ahead[b] + 1)
    return {node: max(ahead.values()) - steps for node, steps in ahead.items()}


def layered(nodes: list[str], edges: Edges) -> tuple[Layers, Edges, dict[tuple[str, str], list[str]]]:
    """Return nodes by rank with waypoints for long edges, the edges between neighbouring ranks, and each edge's way."""
    rank = ranked(nodes, edges)
    layers: Layers = [[] for _ in range(max(rank.values()) + 1)]
    for node in nodes:
        layers[rank[node]].append(node)
    steps: Edges = set()
    ways = {}
    for a, b in sorted(edges):
        points = [f"{a}>{b}:{r}" for r in range(rank[a] + 1, rank[b])]
        for r, point in enumerate(points, rank[a] + 1):
            layers[r].append(point)
        ways[a, b] = [a, *points, b]
        steps |= set(zip([a, *points], [*points, b], strict=True))
    return layers, steps, ways


def place(layers: Layers, steps: Edges, widths: dict[str, float]) -> dict[str, float]:
    """Return the centre of every node: layers sorted, then packed, around the mean of their neighbours."""
    neighbours: dict[str, list[str]] = defaultdict(list)
    for a, b in sorted(steps):
        neighbours[a].append(b)
        neighbours[b].append(a)
    x: dict[str, float] = {}
    for layer in layers:
        pack(layer, widths, x, {node: float(i) for i, node in enumerate(layer)})
    for sweep in range(24):
        for layer in layers if sweep % 2 == 0 else layers[::-1]:
            wanted = {n: statistics.fmean([x[m] for m in neighbours[n]] or [x[n]]) for n in layer}
            layer.sort(key=lambda n: (wanted[n], n))
            pack(layer, widths, x, wanted)
    left = min(x[n] - widths[n] / 2 for layer in layers for n in layer)
    return {node: value - left for node, value in x.items()}


def pack(layer: list[str], widths: dict[str, float], x: dict[str, float], wanted: dict[str, float]) -> None:
    """Set the centres of one layer, in its order, as near to ``wanted`` as overlaps allow.

    Pool adjacent violators: each node's own room taken out, the nearest non-decreasing positions are block means.
    """
    room, blocks = 0.0, []
    offsets = []
    for node in layer:
        room += widths[node] / 2
        offsets.append(room)
        blocks.append([wanted[node] - room, 1.0])
        room += widths[node] / 2 + GAP
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, n), (b, m) = blocks[-2:]
            blocks[-2:] = [[(a * n + b * m) / (n + m), n + m]]
    means = [mean for mean, count in blocks for _ in range(int(count))]
    for node, mean, offset in zip(layer, means, offsets, strict=True):
        x[node] = mean + offset


def draw(dot: str) -> Markup | None:
    """Return the rule graph as SVG, first rules at the top, or None where there are no rules."""
    labels, edges = parse_dot(dot)
    if not labels:
        return None
    edges = reduced(edges)
    layers, steps, ways = layered(sorted(labels, key=int), edges)
    widths = {n: CHAR * len(labels[n]) + 20 if n in labels else WAYPOINT for layer in layers for n in layer}
    x = place(layers, steps, widths)
    y = {n: 16 + RANK_HEIGHT * r for r, layer in enumerate(layers) for n in layer}
    marks = [curve([(x[n] + 8, y[n]) for n in way]) for way in ways.values()]
    for node, label in sorted(labels.items(), key=lambda item: int(item[0])):
        left, width = x[node] + 8 - widths[node] / 2, widths[node]
        box = {"x": left, "y": y[node] - NODE_HEIGHT / 2, "width": width, "height": NODE_HEIGHT, "rx": 6}
        marks += [tag("rect", class_="rule", **box), text(left + width / 2, y[node] + 3.5, label, "middle")]
    right = max(x[n] + widths[n] / 2 for n in x) + 16
    return drawing(right, 32 + RANK_HEIGHT * (len(layers) - 1), "Rules and what they hand on", *marks)


def curve(points: list[tuple[float, float]]) -> Markup:
    """Return an edge as vertical-tangent Bézier pieces through its waypoints, from box edge to box edge."""
    half = NODE_HEIGHT / 2
    points = [(points[0][0], points[0][1] + half), *points[1:-1], (points[-1][0], points[-1][1] - half)]
    d = f"M{number(points[0][0])} {number(points[0][1])}"
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        middle = (y0 + y1) / 2
        d += "C" + " ".join(number(v) for v in (x0, middle, x1, middle, x1, y1))
    return tag("path", d=d, class_="edge")
