"""Plotly figures of a run, for notebooks and for the report's page.

Every function takes a `RunRecord` and returns a `plotly.graph_objects.Figure`, or None where there is nothing to draw.
Lines are wide and labelled where they end; colours are told apart by colour-blind eyes (after M. Okabe and K. Ito,
*Color universal design*, 2008, moved so that each reads on white and on near-black; a test holds both).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Literal

import plotly.graph_objects as go

from archwright.report.fared import Fared, fared
from archwright.report.record import RunRecord, improvements, trained, value
from archwright.report.wording import cost, cost_name, count, duration, metric, setting
from archwright.trial import Trial

__all__ = [
    "BLUE",
    "GREY",
    "PALETTE",
    "anytime",
    "decision",
    "decisions",
    "learning_curves",
    "pareto",
    "thinned",
]

BLUE, ORANGE, GREEN, RED, PURPLE = "#3a6fd0", "#c98500", "#12a06e", "#cc4d2a", "#b560a0"
PALETTE = (BLUE, ORANGE, GREEN, RED, PURPLE)
GREY = "#8a929c"

MOST_POINTS = 1500
"""Trials drawn as points in one plot; more are thinned, and the plot says so."""


def anytime(record: RunRecord, x: Literal["seconds", "trials"] = "seconds") -> go.Figure | None:
    """The best validation value so far against search time or trials; trials as dots, the baseline beside it."""
    goal = record.goal
    steps = improvements(record.trials, goal)
    own: Literal["above", "below"] = "above"
    if not steps:
        return None
    by_time = x == "seconds"
    told = {t.number: i for i, t in enumerate(record.trials, 1)}
    unit, scale = _unit(record.seconds) if by_time else ("", 1.0)
    shown, note = thinned(record.done, {t.number for _, t in steps})
    figure = _figure(_axis(f"search time ({unit})" if by_time else "trials told"), _axis(_name(goal.metric)), note)
    figure.add_trace(
        go.Scatter(
            x=[t.finished / scale if by_time else told[t.number] for t in shown],
            y=[value(t, goal.metric) for t in shown],
            mode="markers",
            name="trials",
            marker={"size": 6, "color": GREY, "opacity": 0.55},
            text=[_hover(record, t) for t in shown],
            hovertemplate="%{text}<extra></extra>",
        )
    )
    if record.baseline and record.baseline.get("curve"):
        curve = record.baseline["curve"]
        xs = [row[0] / scale if by_time else row[1] for row in curve]
        name = escape(str(record.baseline.get("name", "baseline")))
        higher = curve[-1][2] > (value(steps[-1][1], goal.metric) or 0.0)
        _line(
            figure,
            xs,
            [row[2] for row in curve],
            name,
            ORANGE,
            stair=True,
            dash="dash",
            label="above" if higher else "below",
            until=record.seconds / scale if by_time else len(record.trials),
        )
        own = "below" if higher else "above"
    spent = (record.meta.get("oneshot") or {}).get("spent_s")
    if by_time and spent:
        figure.add_vrect(
            x0=0, x1=spent / scale, fillcolor=GREY, opacity=0.14, line_width=0, annotation_text="supernet",
            annotation_position="bottom left", annotation_font={"color": GREY, "size": 12},
        )  # fmt: skip
    last = record.seconds / scale if by_time else len(record.trials)
    xs = [*(t.finished / scale if by_time else n for n, t in steps), last]
    ys = [value(t, goal.metric) for _, t in steps]
    _line(figure, xs, [*ys, ys[-1]], "best so far", BLUE, stair=True, label=own)
    _focus(figure, [value(t, goal.metric) for t in record.done], goal.direction)
    return figure


def pareto(record: RunRecord, name: str) -> go.Figure | None:
    """The first goal against a cost (or another goal): every trial, the front, the ceiling, and the chosen one."""
    goal = record.goal
    points = [(t, value(t, name), value(t, goal.metric)) for t in record.done]
    known = [(t, c, v) for t, c, v in points if c is not None and v is not None]
    if not known or name == goal.metric:
        return None
    upward = any(g.metric == name and g.direction == "maximize" for g in record.objectives.goals)
    front, reached = list[tuple[Trial, float, float]](), math.inf
    for point in sorted(known, key=lambda p: (-p[1] if upward else p[1], goal.score(p[2]))):
        if goal.score(point[2]) < reached:
            reached = goal.score(point[2])
            front.append(point)
    won = record.winner
    shown, note = thinned([t for t, _, _ in known], {p[0].number for p in front} | ({won.number} if won else set()))
    costs = [p[1] for p in known]
    wide = min(costs) > 0 and max(costs) / min(costs) > 20
    is_cost = all(name not in t.measurement.metrics for t in shown if t.measurement)
    title = _cost_title(name) if is_cost else _name(name)
    figure = _figure(_axis(title, log=wide), _axis(_name(goal.metric)), note)
    within = "meets every ceiling" if record.objectives.ceilings else "trials"
    groups = ((within, True, GREY, "circle"), ("over a ceiling", False, RED, "x-thin-open"))
    for label, holds, colour, symbol in groups:
        here = [t for t in shown if (t.violation <= 0) is holds]
        if here:
            figure.add_trace(
                go.Scatter(
                    x=[value(t, name) for t in here],
                    y=[value(t, goal.metric) for t in here],
                    mode="markers",
                    name=label,
                    marker={"size": 7, "color": colour, "opacity": 0.6, "symbol": symbol},
                    text=[_hover(record, t) for t in here],
                    hovertemplate="%{text}<extra></extra>",
                )
            )
    figure.add_trace(
        go.Scatter(
            x=[p[1] for p in front],
            y=[p[2] for p in front],
            mode="lines+markers",
            name="front",
            line={"color": GREEN, "width": 3, "shape": "vh" if upward else "hv"},
            marker={"size": 8, "color": GREEN},
            text=[_hover(record, p[0]) for p in front],
            hovertemplate="%{text}<extra></extra>",
        )
    )
    limit = next((c.limit for c in record.objectives.ceilings if c.cost == name), None)
    if limit is not None:
        figure.add_vline(x=limit, line={"color": RED, "width": 2, "dash": "dot"})
        at = math.log10(limit) if wide else limit
        text = f"ceiling {cost(name, limit)}"
        figure.add_annotation(
            x=at, y=0, yref="paper", text=text, showarrow=False, textangle=-90, xanchor="right", yanchor="bottom",
            font={"color": RED, "size": 12},
        )  # fmt: skip
    if won is not None and value(won, name) is not None and value(won, goal.metric) is not None:
        figure.add_trace(
            go.Scatter(
                x=[value(won, name)],
                y=[value(won, goal.metric)],
                mode="markers",
                name="chosen" if record.final else "best so far",
                marker={"size": 17, "color": BLUE, "symbol": "star", "line": {"width": 1, "color": "#fff"}},
                text=[_hover(record, won)],
                hovertemplate="%{text}<extra></extra>",
            )
        )
    _focus(figure, [p[2] for p in known], goal.direction)
    return figure


def learning_curves(record: RunRecord, top: int = 5, most: int = 150) -> go.Figure | None:
    """The goal's metric epoch by epoch: the `top` trials in colour and by name, the others grey behind them."""
    rows = [t for t in record.ranked if t.measurement and t.measurement.curve]
    keys = {k for t in rows for point in t.measurement.curve for k in point}  # type: ignore[union-attr]
    wanted = [g.metric for g in record.objectives.goals] + sorted(k for k in keys if "loss" in k) + sorted(keys)
    key = next((k for k in wanted if k in keys and k != "epoch"), None)
    if key is None:
        return None
    curves = [(t, xs, ys) for t in rows for xs, ys in [_curve(record.curve(t), key)] if ys]
    behind = [
        curves[i] for i in sorted({top + i * (len(curves) - top) // most for i in range(most)}) if i < len(curves)
    ]
    note = f"{min(most, len(behind))} of {len(curves) - top:,} other curves drawn" if len(curves) - top > most else ""
    figure = _figure(_axis("epoch"), _axis(_name(key)), note)
    xs, ys = list[Any](), list[Any]()
    for _, x, y in behind:
        xs += [*x, None]
        ys += [*y, None]
    if xs:
        figure.add_trace(
            go.Scatter(
                x=xs, y=ys, mode="lines", name="other trials", line={"color": GREY, "width": 1}, opacity=0.4,
                hoverinfo="skip",
            )
        )  # fmt: skip
    for (trial, x, y), colour in reversed(list(zip(curves[:top], itertools.cycle(PALETTE), strict=False))):
        _line(figure, x, y, f"trial {trial.number}", colour)
    figure.update_layout(legend_traceorder="reversed")
    longest = max(max(x) for _, x, _ in curves)
    if longest <= 12:
        figure.update_xaxes(dtick=1)  # there is no epoch 2.5
    _focus(figure, [v for _, _, y in curves for v in y], "minimize" if "loss" in key else record.goal.direction)
    return figure


def decision(record: RunRecord, name: str) -> go.Figure | None:
    """How the options of one decision fared: a box and dots an option, or a scatter where it has many values."""
    found = next((f for f in fared(record) if f.name == name), None)
    return None if found is None else decision_figure(record, found)


def decisions(record: RunRecord, top: int = 12) -> list[go.Figure]:
    """`decision` for the `top` most important ones, most important first."""
    return [decision_figure(record, f) for f in fared(record)[:top]]


def decision_figure(record: RunRecord, found: Fared) -> go.Figure:
    """The figure of one decision that `fared` made."""
    goal = record.goal
    step = max(1, math.ceil(len(found.points) / MOST_POINTS))
    points = found.points[::step]
    note = f"{len(points):,} of {len(found.points):,} trials drawn" if step > 1 else ""
    if found.continuous:
        figure = _figure(
            _axis(escape(found.name), log="power" if found.logarithmic else False), _axis(_name(goal.metric)), note
        )
        figure.add_trace(
            go.Scatter(
                x=[p[0] for p in points],
                y=[p[1] for p in points],
                mode="markers",
                marker={"size": 7, "color": BLUE, "opacity": 0.6},
                text=[f"trial {p[2]}<br>{p[0]:.4g}" for p in points],
                hovertemplate="%{text}<br>%{y:.4f}<extra></extra>",
                showlegend=False,
            )
        )
        _focus(figure, [p[1] for p in found.points], goal.direction)
        return figure
    figure = _figure(_axis(_name(goal.metric)), _axis(""), note)
    for option in reversed(found.options):
        mine = [p for p in points if setting(p[0]) == option.label]
        label = f"{_short(option.label)}  <i>×{option.count}</i>"
        figure.add_trace(
            go.Box(
                x=[p[1] for p in mine],
                y=[label] * len(mine),
                orientation="h",
                boxpoints="all" if len(points) <= 600 else "outliers",
                jitter=0.6,
                pointpos=0,
                width=0.62,
                marker={"size": 4, "color": BLUE, "opacity": 0.55},
                line={"color": BLUE, "width": 1.5},
                fillcolor="rgba(58,111,208,0.14)",
                text=[f"trial {p[2]}" for p in mine],
                hovertemplate="%{text}: %{x:.4f}<extra></extra>",
                showlegend=False,
            )
        )
    _focus(figure, [p[1] for p in found.points], goal.direction, "x")
    figure.update_layout(height=76 + 34 * len(found.options), margin={"l": 10})
    figure.update_yaxes(automargin=True, showgrid=False)
    return figure


def thinned(trials: Sequence[Trial], keep: set[int], most: int = MOST_POINTS) -> tuple[list[Trial], str]:
    """At most about `most` trials, evenly picked, those numbered in `keep` always; and a note if some are left out."""
    if len(trials) <= most:
        return list(trials), ""
    step = len(trials) / most
    picked = {int(i * step) for i in range(most)}
    shown = [t for i, t in enumerate(trials) if i in picked or t.number in keep]
    return shown, f"{len(shown):,} of {len(trials):,} trials drawn"


def _figure(x: dict[str, Any], y: dict[str, Any], note: str = "") -> go.Figure:
    figure = go.Figure(
        layout={
            "template": "none",
            "font": {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 13},
            "height": 340,
            "margin": {"l": 64, "r": 24, "t": 16, "b": 52},
            "hovermode": "closest",
            "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "xanchor": "left"},
            "xaxis": x,
            "yaxis": y,
            "colorway": list(PALETTE),
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
        }
    )
    if note:
        figure.add_annotation(
            x=1, y=0.01, xref="paper", yref="paper", text=note, showarrow=False, xanchor="right", yanchor="bottom",
            font={"size": 11, "color": GREY},
        )  # fmt: skip
    return figure


def _axis(title: str, log: bool | Literal["power"] = False) -> dict[str, Any]:
    made = {
        "title": {"text": title, "standoff": 8},
        "gridcolor": "rgba(128,134,142,0.22)",
        "zeroline": False,
        "showline": False,
        "automargin": True,
    }
    if not log:
        return made
    small = {"exponentformat": "power", "dtick": 1}  # learning rates read as powers of ten, costs as 20k
    return {**made, "type": "log", **(small if log == "power" else {"exponentformat": "SI", "dtick": "D2"})}


def _line(
    figure: go.Figure, x: Sequence[Any], y: Sequence[Any], name: str, colour: str, *, stair: bool = False,
    dash: str = "solid", label: Literal["above", "below", ""] = "", until: float = 0.0,
) -> None:  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=list(x),
            y=list(y),
            mode="lines" if len(x) > 1 else "lines+markers",
            name=name,
            line={"color": colour, "width": 3, "shape": "hv" if stair else "linear", "dash": dash},
            hovertemplate=f"{name}: %{{y:.4f}}<extra></extra>",
        )
    )
    if label:
        ends_early = x[-1] < 0.3 * until
        figure.add_annotation(
            x=x[-1], y=y[-1], text=f"<b>{metric(y[-1])}</b>", showarrow=False,
            xanchor="left" if ends_early else "right", xshift=4 if ends_early else 0,
            yanchor="middle" if ends_early else "bottom" if label == "above" else "top",
            yshift=0 if ends_early else 2 if label == "above" else -2, font={"color": colour, "size": 13},
        )  # fmt: skip


def _focus(figure: go.Figure, values: Sequence[float | None], direction: str, axis: Literal["x", "y"] = "y") -> None:
    """Let a few very bad values leave the window: what is good should fill the plot. Zooming out shows them."""
    known = sorted((v for v in values if v is not None), reverse=direction == "maximize")
    if len(known) < 8:
        return
    best, worst, reach = known[0], known[-1], 1.35 * (known[-1 - len(known) // 10] - known[0])
    if abs(worst - best) > 1.8 * abs(reach) > 0:
        figure.update_layout({f"{axis}axis": {"range": sorted((best - 0.12 * reach, best + reach))}})


def _curve(curve: Sequence[Mapping[str, float]], key: str) -> tuple[list[float], list[float]]:
    points = [(p.get("epoch", i), p[key]) for i, p in enumerate(curve, 1) if key in p]
    finite = [p for p in points if math.isfinite(p[1])]
    return [p[0] for p in finite], [p[1] for p in finite]


def _hover(record: RunRecord, trial: Trial) -> str:
    """What the pointer shows of a trial: numbers first, then its decisions."""
    lines = [f"<b>trial {trial.number}</b> {escape(trial.proposal.origin)}"]
    m = trial.measurement
    for goal in record.objectives.goals:
        if m and goal.metric in m.metrics:
            lines.append(f"{_name(goal.metric)} {metric(m.metrics[goal.metric])}")
    if m:
        lines += [f"{escape(cost_name(k))} {cost(k, v)}" for k, v in m.costs.items()]
        lines.append(duration(m.seconds) + (f", {count(trained(trial))} epochs" if m.epochs else ""))
    told = [f"{escape(_short(k, 28))} = {escape(_short(setting(v), 28))}" for k, v in trial.architecture.items()]
    return "<br>".join([*lines, *told[:8], *([f"… {len(told) - 8} more"] if len(told) > 8 else [])])


def _unit(seconds: float) -> tuple[str, float]:
    return ("h", 3600.0) if seconds > 3 * 3600 else ("min", 60.0) if seconds > 180 else ("s", 1.0)


def _name(name: str) -> str:
    return escape(name.replace("_", " "))


def _cost_title(name: str) -> str:
    unit = " (ms)" if name.endswith("_ms") else " (bytes)" if name.endswith("bytes") else ""
    return escape(cost_name(name)) + unit


def _short(text: str, most: int = 22) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
