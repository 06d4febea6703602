"""The network growing out of its candidates: a drawing of all that a supernet held, and of what was kept of it.

One row a decision, one box an option; a layer of a supernet is the sum of its options, so lines part above the boxes
and come together below. How much of each there was is in the boxes' colour and the lines' width; the page moves both
from the first epoch to the last by a slider, and what is drawn without it is the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from archwright.report.drawing import HUES, LETTER, MARGIN

__all__ = ["Growth", "draw_growth", "growth_of"]

MOST_ROWS, MOST_OPTIONS = 40, 16
"""Rows beyond are left out, those that changed least; decisions with more options than fit beside each other, too."""

BOX, FAN, GAP, NAME = 26.0, 17.0, 9.0, 210.0
LONGEST = 15


@dataclass(frozen=True)
class Growth:
    """What is drawn.

    Args:
        names: The decisions, in the order of the network.
        options: Of each, its options as text.
        frames: (what to call it, for each decision how much of each option there was), from the start to the end.
        chosen: Of each decision, the place of the option that was kept.
        left_out: So many decisions are not drawn.
    """

    names: tuple[str, ...]
    options: tuple[tuple[str, ...], ...]
    frames: tuple[tuple[str, tuple[tuple[float, ...], ...]], ...]
    chosen: tuple[int, ...]
    left_out: int = 0


def growth_of(phase: Mapping[str, Any]) -> Growth | None:
    """What a one-shot phase, as a run keeps it, has to draw; None where it kept too little.

    At the start all options of a decision are equally much; epochs follow where gates were learnt; at the end there
    is one option. Decisions that are not live in what was read out are left out: nothing was chosen there.
    """
    values: Mapping[str, Sequence[str]] = phase.get("values") or {}
    chosen: Mapping[str, int] = phase.get("chosen") or {}
    live = [n for n in values if chosen.get(n, -1) >= 0 and 2 <= len(values[n]) <= MOST_OPTIONS]
    if not live:
        return None
    learnt = [p for p in phase.get("history") or () if p.get("probabilities")]
    even = {n: [1 / len(values[n])] * len(values[n]) for n in live}
    last = learnt[-1]["probabilities"] if learnt else {}
    moved = {n: max(last.get(n, even[n])) - 1 / len(values[n]) for n in live}
    shown = set(sorted(live, key=lambda n: -moved[n])[:MOST_ROWS])
    names = tuple(n for n in live if n in shown)
    frames = [("all candidates", tuple(tuple(even[n]) for n in names))]
    for point in learnt:
        now = point["probabilities"]
        frames.append((f"epoch {point['epoch']}", tuple(tuple(now.get(n, even[n])) for n in names)))
    kept = tuple(chosen[n] for n in names)
    ends = (tuple(float(k == c) for k in range(len(values[n]))) for n, c in zip(names, kept, strict=True))
    frames.append(("what was read out", tuple(ends)))
    options = tuple(tuple(str(v) for v in values[n]) for n in names)
    return Growth(names, options, tuple(frames), kept, len(chosen) - len(names))


def draw_growth(growth: Growth, *, title: str = "The network growing out of its candidates") -> str:
    """The SVG; elements that move carry ``data-r`` and ``data-k``, the row and the option."""
    widths = [[_width(label) for label in row] for row in growth.options]
    breadth = max(sum(row) + GAP * (len(row) - 1) for row in widths)
    name = min(NAME, max(len(_short(n, 30)) for n in growth.names) * LETTER * 0.9 + 16)
    width, centre = name + breadth + 2 * MARGIN, name + MARGIN + breadth / 2
    height = len(growth.names) * (BOX + 2 * FAN) + 2 * MARGIN
    kinds: dict[str, int] = {}
    lines, boxes, names = list[str](), list[str](), list[str]()
    y = MARGIN
    for r, (row, labels) in enumerate(zip(widths, growth.options, strict=True)):
        top, bottom, end = y + FAN, y + FAN + BOX, y + 2 * FAN + BOX
        x = centre - (sum(row) + GAP * (len(row) - 1)) / 2
        names.append(
            f'<text class="decision" x="{MARGIN:.1f}" y="{top + BOX / 2 + 4:.1f}">'
            f"<title>{escape(growth.names[r])}</title>{escape(_short(growth.names[r], 30, end=True))}</text>"
        )
        for k, label in enumerate(labels):
            middle, kept = x + row[k] / 2, " kept" if k == growth.chosen[r] else ""
            for a, b, c, d in ((centre, y, middle, top), (middle, bottom, centre, end)):
                lines.append(
                    f'<path class="edge{kept}" data-r="{r}" data-k="{k}" '
                    f'd="M{a:.1f} {b:.1f}C{a:.1f} {(b + d) / 2:.1f} {c:.1f} {(b + d) / 2:.1f} {c:.1f} {d:.1f}"/>'
                )
            hue = kinds.setdefault(label, len(kinds) % HUES)
            boxes.append(
                f'<g class="node h{hue}{kept}" data-r="{r}" data-k="{k}"><title>{escape(label)}</title>'
                f'<rect x="{x:.1f}" y="{top:.1f}" width="{row[k]:.1f}" height="{BOX}" rx="6"/>'
                f'<text class="option" x="{middle:.1f}" y="{top + BOX / 2 + 4:.1f}">{escape(_short(label, LONGEST))}'
                "</text></g>"
            )
            x += row[k] + GAP
        y = end
    return (
        f'<svg class="network growth" xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:.0f} '
        f'{height:.0f}" width="{width:.0f}" height="{height:.0f}" style="min-width:{0.7 * width:.0f}px">'
        f"<title>{escape(title)}</title>{''.join(lines)}{''.join(boxes)}{''.join(names)}</svg>"
    )


def _width(label: str) -> float:
    return max(30.0, min(len(label), LONGEST) * LETTER + 16)


def _short(text: str, most: int, *, end: bool = False) -> str:
    """The text, or so much of it; of a place its end, which tells more."""
    if len(text) <= most:
        return text
    return "…" + text[1 - most :] if end else text[: most - 1] + "…"
