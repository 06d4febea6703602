"""A network drawn as a layered graph: one SVG, no script, colours taken from the page.

Sugiyama's method in four short steps: layers by longest path, waypoints for edges that pass over layers, order within
layers by the mean of the neighbours (K. Sugiyama et al., *Methods for visual understanding of hierarchical system
structures*, IEEE SMC 1981), and places that pull towards the neighbours. An edge bends only in the gaps between
layers and passes a layer through a waypoint that has room of its own, so no edge ever crosses a label.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Hashable
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["draw"]

LETTER, LINE, PAD = 6.9, 15.0, 12.0
GAP_X, GAP_Y, WAYPOINT, MARGIN = 22.0, 30.0, 14.0, 14.0
HUES = 8


@dataclass
class Box:
    """A node, or a waypoint of a long edge (`lines` empty), with its centre `x` and the top of its layer `y`."""

    layer: int
    lines: list[str] = field(default_factory=list)
    kind: str = ""
    title: str = ""
    width: float = WAYPOINT
    height: float = 0.0
    x: float = 0.0
    y: float = 0.0
    above: list[Any] = field(default_factory=list)
    below: list[Any] = field(default_factory=list)


def draw(graph: nx.DiGraph, *, title: str = "The network as a graph") -> str:
    """The SVG of a directed acyclic graph whose nodes may carry ``label``; empty for an empty graph."""
    if len(graph) == 0:
        return ""
    boxes, edges = _layers(graph)
    rows: list[list[Hashable]] = [[] for _ in range(1 + max(b.layer for b in boxes.values()))]
    for name, box in boxes.items():
        rows[box.layer].append(name)
    _order(boxes, rows)
    _place(boxes, rows)
    return _svg(boxes, rows, edges, title)


def _split(label: str) -> list[str]:
    """The operation on the first line, its arguments below: ``ConvBlock(16, kernel=3)`` is two lines."""
    head, bracket, inside = label.partition("(")
    if not bracket or not inside.endswith(")") or not head.strip():
        return textwrap.wrap(label, 30, max_lines=3, placeholder="…") or ["·"]
    return [head.strip(), *textwrap.wrap(inside[:-1], 32, max_lines=3, placeholder=" …")]


def _layers(graph: nx.DiGraph) -> tuple[dict[Hashable, Box], list[list[Hashable]]]:
    """Boxes by name, waypoints among them, and each edge as the names it passes."""
    import networkx as nx

    given = {node: i for i, node in enumerate(graph)}
    order = list(nx.lexicographical_topological_sort(graph, key=given.__getitem__))
    layers: dict[Hashable, int] = {}
    for node in order:
        layers[node] = 1 + max((layers[p] for p in graph.predecessors(node)), default=-1)
    for node in reversed(order):  # what is read late moves down to its reader: one long edge instead of several
        if 0 < graph.in_degree(node) <= graph.out_degree(node):
            layers[node] = min(layers[s] for s in graph.successors(node)) - 1
    boxes: dict[Hashable, Box] = {}
    for node in order:
        label = str(graph.nodes[node].get("label", node))
        lines = _split(label)
        width = max(len(lines[0]) * LETTER * 1.06, *(len(s) * LETTER * 0.9 for s in lines), 34) + 2 * PAD
        kind = "end" if graph.in_degree(node) == 0 or graph.out_degree(node) == 0 else lines[0]
        boxes[node] = Box(layers[node], lines, kind, label, width, len(lines) * LINE + PAD)
    edges = []
    for u, v in graph.edges:
        path = [u, *(("way", u, v, i) for i in range(boxes[u].layer + 1, boxes[v].layer)), v]
        for name in path[1:-1]:
            boxes[name] = Box(name[3])
        for a, b in itertools.pairwise(path):
            boxes[a].below.append(b)
            boxes[b].above.append(a)
        edges.append(path)
    return boxes, edges


def _order(boxes: dict[Hashable, Box], rows: list[list[Hashable]]) -> None:
    """Sort each layer by where its neighbours stand, down and up; keep the order with the fewest crossings."""

    def sweep(row: list[Hashable], side: str, at: dict[Hashable, float]) -> None:
        mean = {n: sum(at[m] for m in near) / len(near) if (near := getattr(boxes[n], side)) else at[n] for n in row}
        row.sort(key=lambda n: mean[n])
        at.update((n, i / max(1, len(row) - 1) if len(row) > 1 else 0.5) for i, n in enumerate(row))

    at: dict[Hashable, float] = {}
    for row in rows:
        at.update((n, i / (len(row) - 1) if len(row) > 1 else 0.5) for i, n in enumerate(row))
    best, fewest = [list(r) for r in rows], _crossings(boxes, rows)
    for turn in range(12):
        if fewest == 0:
            break
        for row in rows if turn % 2 == 0 else reversed(rows):
            sweep(row, "above" if turn % 2 == 0 else "below", at)
        found = _crossings(boxes, rows)
        if found < fewest:
            best, fewest = [list(r) for r in rows], found
    rows[:] = best


def _crossings(boxes: dict[Hashable, Box], rows: list[list[Hashable]]) -> int:
    import bisect

    total = 0
    for upper, lower in itertools.pairwise(rows):
        at = {n: i for i, n in enumerate(lower)}
        seen: list[int] = []
        for name in upper:
            ends = sorted(at[m] for m in boxes[name].below)
            total += sum(len(seen) - bisect.bisect_right(seen, e) for e in ends)
            for e in ends:
                bisect.insort(seen, e)
    return total


def _place(boxes: dict[Hashable, Box], rows: list[list[Hashable]]) -> None:
    """Give each box its x near the mean of its neighbours, keeping order and gaps; and each layer its y."""
    y = MARGIN
    for row in rows:
        height = max(boxes[n].height for n in row)
        for n in row:
            boxes[n].y, boxes[n].height = y + (height - boxes[n].height) / 2, boxes[n].height
        y += height + GAP_Y + 3.0 * min(6, max(0, len(row) - 1))
        start = 0.0
        for n in row:
            boxes[n].x = start + boxes[n].width / 2
            start += boxes[n].width + GAP_X
        for n in row:
            boxes[n].x -= start / 2
    for turn in range(80):
        for row in rows if turn % 2 == 0 else reversed(rows):
            _settle(boxes, row)
    left = min(b.x - b.width / 2 for b in boxes.values())
    for box in boxes.values():
        box.x += MARGIN - left


def _pull(boxes: dict[Hashable, Box], name: Hashable) -> tuple[float, float]:
    """Where a box wants to be, and how much: edges between waypoints pull hardest, so that long edges are straight.

    Priorities after E. Gansner et al., *A technique for drawing directed graphs*, IEEE TSE 1993, section 4.
    """
    box = boxes[name]
    near = [(boxes[m], (1 if box.lines else 4) * (1 if boxes[m].lines else 4)) for m in (*box.above, *box.below)]
    weight = sum(w for _, w in near)
    return (sum(b.x * w for b, w in near) / weight, weight) if weight else (box.x, 1)


def _settle(boxes: dict[Hashable, Box], row: list[Hashable]) -> None:
    """The places nearest to the wishes (least squares) that keep order and gaps: pool adjacent violators."""
    offset, at = [0.0], 0.0
    for a, b in itertools.pairwise(row):
        at += (boxes[a].width + boxes[b].width) / 2 + GAP_X
        offset.append(at)
    pools: list[tuple[float, float, int]] = []
    for name, o in zip(row, offset, strict=True):
        wish, weight = _pull(boxes, name)
        total, n = (wish - o) * weight, 1
        while pools and pools[-1][0] / pools[-1][1] > total / weight:
            t, w, k = pools.pop()
            total, weight, n = total + t, weight + w, n + k
        pools.append((total, weight, n))
    i = 0
    for total, weight, n in pools:
        for _ in range(n):
            boxes[row[i]].x = total / weight + offset[i]
            i += 1


def _svg(boxes: dict[Hashable, Box], rows: list[list[Hashable]], edges: list[list[Hashable]], title: str) -> str:
    width = max(b.x + b.width / 2 for b in boxes.values()) + MARGIN
    height = max(b.y + b.height for b in boxes.values()) + MARGIN
    tops = [min(boxes[n].y for n in row) for row in rows]
    ends = [max(boxes[n].y + boxes[n].height for n in row) for row in rows]
    kinds: dict[str, int] = {}
    out = [
        f'<svg class="network" xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" style="min-width:{0.7 * width:.0f}px">'
        f"<title>{escape(title)}</title>"
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="tip" d="M0 0.5 L8 4 L0 7.5 z"/></marker></defs>'
    ]
    for path in edges:
        out.append(f'<path class="edge" d="{_curve(boxes, path, tops, ends)}" marker-end="url(#tip)"/>')
    for box in boxes.values():
        if not box.lines:
            continue
        hue = "end" if box.kind == "end" else f"h{kinds.setdefault(box.kind, len(kinds) % HUES)}"
        out.append(
            f'<g class="node {hue}"><title>{escape(box.title)}</title><rect x="{box.x - box.width / 2:.1f}" '
            f'y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="7"/>'
        )
        for i, line in enumerate(box.lines):
            y = box.y + PAD / 2 + LINE * (i + 0.76)
            out.append(f'<text class="{"op" if i == 0 else "args"}" x="{box.x:.1f}" y="{y:.1f}">{escape(line)}</text>')
        out.append("</g>")
    return "".join((*out, "</svg>"))


def _curve(boxes: dict[Hashable, Box], path: list[Hashable], tops: list[float], ends: list[float]) -> str:
    """Down from the first box, bending between layers only, straight through waypoints, to the last."""
    first, last = boxes[path[0]], boxes[path[-1]]
    d = f"M{first.x:.1f} {first.y + first.height:.1f}V{ends[first.layer]:.1f}"
    for a, b in itertools.pairwise(path):
        upper, lower = boxes[a], boxes[b]
        y0, y1 = ends[upper.layer], tops[lower.layer] - 1  # the tip needs a last stretch downwards
        mid = (y0 + y1) / 2
        d += f"C{upper.x:.1f} {mid:.1f} {lower.x:.1f} {mid:.1f} {lower.x:.1f} {y1:.1f}"
        d += f"V{ends[lower.layer]:.1f}" if b is not path[-1] else f"V{last.y:.1f}"
    return d
