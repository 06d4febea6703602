"""Figures of a comparison: any-time curves (plotly), and the critical-difference diagram (SVG)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from archwright.benchmark import statistics
from archwright.benchmark.comparison import Comparison, Ranking

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["anytime", "critical_difference_diagram", "solved", "style_of"]

DASHES = ("solid", "dash", "dot", "dashdot")
HEIGHT = 360


def style_of(position: int) -> tuple[str, str]:
    """Colour and dash of a strategy, the same in every figure."""
    from archwright.report.plots import PALETTE

    return PALETTE[position % len(PALETTE)], DASHES[position // len(PALETTE) % len(DASHES)]


def gap_name(comparison: Comparison, benchmark: str) -> str:
    """What the gap is called there."""
    return "missing hypervolume" if comparison.several_goals(benchmark) else "regret"


def anytime(comparison: Comparison, benchmark: str, kind: str = "mean") -> go.Figure:
    """The gap against what was spent: its mean or median over the seeds, with its 95% bootstrap interval.

    The axis is logarithmic; its lowest tick is zero, where the best answer has been found.
    """
    statistic: Callable[..., Any] = np.mean if kind == "mean" else np.median
    xs = comparison.grid
    curves = []
    for strategy in comparison.strategies:
        gaps = comparison.gaps(benchmark, strategy, xs)
        known = np.isfinite(statistic(gaps, axis=0)) & np.isfinite(gaps).all(axis=0)
        curves.append((xs[known], *statistics.bootstrap(gaps[:, known], statistic)) if known.any() else None)
    lines = [c for curve in curves if curve is not None for c in curve[1:2]]
    floor, ticks, words, top = _log_ticks(np.concatenate(lines) if lines else np.ones(1))
    figure = _figure(comparison, f"{kind} {gap_name(comparison, benchmark)}")
    for position, (strategy, curve) in enumerate(zip(comparison.strategies, curves, strict=True)):
        if curve is None:
            continue
        x, centre, low, high = curve
        colour, dash = style_of(position)
        band = {"mode": "lines", "line": {"width": 0, "shape": "hv"}, "hoverinfo": "skip", "showlegend": False}
        group = {"legendgroup": strategy}
        figure.add_scatter(x=x, y=np.maximum(high, floor), **band, **group)
        fill = {"fill": "tonexty", "fillcolor": _faint(colour)}
        figure.add_scatter(x=x, y=np.maximum(low, floor), **band, **fill, **group)
        figure.add_scatter(
            x=x,
            y=np.maximum(centre, floor),
            customdata=np.stack([centre, low, high], axis=1),
            mode="lines",
            name=escape(strategy),
            line={"color": colour, "width": 2.5, "dash": dash, "shape": "hv"},
            hovertemplate=f"{escape(strategy)}: %{{customdata[0]:.4g}} (%{{customdata[1]:.3g}} to "
            "%{customdata[2]:.3g})<extra></extra>",
            **group,
        )
    figure.update_yaxes(
        type="log", tickvals=ticks, ticktext=words, range=[math.log10(floor) - 0.03, math.log10(top) + 0.05]
    )
    return figure


def solved(comparison: Comparison, benchmark: str) -> go.Figure:
    """The share of the seeds that have found the best answer, against what was spent."""
    figure = _figure(comparison, "seeds at the optimum")
    for position, strategy in enumerate(comparison.strategies):
        colour, dash = style_of(position)
        reached = sorted(x for x in comparison.to_optimum(benchmark, strategy) if math.isfinite(x))
        shares = [i / comparison.seeds for i in range(len(reached) + 1)]
        start = 1.0 if comparison.unit == "queries" else 0.0
        figure.add_scatter(
            x=[start, *reached, comparison.amount],
            y=[*shares, shares[-1]],
            mode="lines",
            name=escape(strategy),
            line={"color": colour, "width": 2.5, "dash": dash, "shape": "hv"},
            hovertemplate=f"{escape(strategy)}: %{{y:.0%}} after %{{x:,.0f}}<extra></extra>",
        )
    figure.update_yaxes(tickformat=".0%", range=[-0.02, 1.02])
    return figure


def critical_difference_diagram(ranking: Ranking, strategies: Sequence[str]) -> str:
    """Mean ranks on a line, best left; a bar joins those that Nemenyi's test cannot tell apart (Demšar's figure 1).

    An SVG that takes its colours from the page.
    """
    means = ranking.test.mean_ranks
    order = sorted(range(len(means)), key=lambda i: means[i])
    left, right = order[: (len(order) + 1) // 2], order[(len(order) + 1) // 2 :]
    room = 24 + 8.6 * max(len(name) for name in strategies) + 48
    width, axis = 880.0, 70.0
    k = len(means)

    def x(rank: float) -> float:
        return room + (width - 2 * room) * (rank - 1) / max(1, k - 1)

    bars = len(ranking.cliques)
    first = axis + 24 + 11 * bars
    height = first + 25 * max(len(left), len(right)) + 4
    parts = [f'<line class="axis" x1="{x(1):.1f}" x2="{x(k):.1f}" y1="{axis}" y2="{axis}"/>']
    for tick in range(1, k + 1):
        parts.append(f'<line class="axis" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{axis - 7}" y2="{axis}"/>')
        parts.append(f'<text class="tick" x="{x(tick):.1f}" y="{axis - 12}" text-anchor="middle">{tick}</text>')
    reach = min(ranking.difference, k - 1.0)
    wide = "" if ranking.difference <= k - 1 else " (wider than the axis)"
    parts.append(
        f'<path class="cd" d="M{x(1):.1f} 20v10M{x(1):.1f} 25H{x(1 + reach):.1f}m0 -5v10"/>'
        f'<text class="tick" x="{x(1):.1f}" y="13">critical difference {ranking.difference:.2f}{wide}</text>'
    )
    for row, clique in enumerate(ranking.cliques):
        y = axis + 12 + 11 * row
        start, end = x(means[clique[0]]) - 4, x(means[clique[-1]]) + 4
        parts.append(f'<line class="bar" x1="{start:.1f}" x2="{end:.1f}" y1="{y}" y2="{y}"/>')
    for side, members in (("left", left), ("right", list(reversed(right)))):
        for row, i in enumerate(members):
            y = first + 25 * row + 8
            at = x(means[i])
            colour = style_of(i)[0]
            edge, anchor, text = (room - 10, "end", room - 16) if side == "left" else (
                width - room + 10, "start", width - room + 16)  # fmt: skip
            label = f"<tspan>{escape(strategies[i])}</tspan> <tspan class='soft'>{means[i]:.2f}</tspan>"
            parts.append(f'<path class="stem" style="stroke:{colour}" d="M{at:.1f} {axis}V{y:.1f}H{edge:.1f}"/>')
            parts.append(f'<circle cx="{at:.1f}" cy="{axis}" r="4" style="fill:{colour}"/>')
            parts.append(f'<text x="{text:.1f}" y="{y + 4.5:.1f}" text-anchor="{anchor}">{label}</text>')
    return (
        f'<svg class="ranks" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="img" '
        f'aria-label="Critical-difference diagram">{"".join(parts)}</svg>'
    )


def _log_ticks(values: NDArray[np.float64]) -> tuple[float, list[float], list[str], float]:
    """Where the axis begins, its ticks and their words, and its top. It begins at a tick that stands for zero."""
    positive = values[values > 0]
    if not len(positive):
        return 0.1, [0.1], ["0"], 1.0
    top, least = float(positive.max()), float(positive.min())
    lowest = math.floor(math.log10(max(least, top * 1e-4)))
    zero = bool((values <= 0).any()) or least < 10.0**lowest
    decades = range(lowest, math.ceil(math.log10(top)) + 1)
    steps = (1, 2, 5) if len(decades) <= 3 else (1,)
    found = [m * 10.0**d for d in decades for m in steps if m * 10.0**d <= top * 1.15]
    found = [v for v in found if v >= max(least, top * 1e-4) * 0.5] or [top]
    floor = min(found[0], max(least, top * 1e-4)) / (2.5 if zero else 1.0)
    words = [f"{v:g}" for v in found]
    return (floor, [floor, *found], ["0", *words], top) if zero else (floor, found, words, top)


def _figure(comparison: Comparison, title: str) -> go.Figure:
    import plotly.graph_objects as go

    def axis(text: str) -> dict[str, Any]:
        return {
            "title": {"text": text, "standoff": 8},
            "gridcolor": "rgba(128,134,142,0.22)",
            "zeroline": False,
            "showline": False,
            "automargin": True,
        }

    unit = {"seconds": "simulated seconds"}.get(comparison.unit, comparison.unit)
    figure = go.Figure(
        layout={
            "template": "none",
            "font": {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 13},
            "height": HEIGHT,
            "margin": {"l": 64, "r": 18, "t": 16, "b": 52},
            "hovermode": "closest",
            "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "xanchor": "left"},
            "xaxis": axis(unit),
            "yaxis": axis(title),
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
        }
    )
    if comparison.amount > 1000 and comparison.unit == "queries":
        figure.update_xaxes(type="log", exponentformat="SI", dtick="D1")
    return figure


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.14)"
