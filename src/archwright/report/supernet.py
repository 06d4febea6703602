"""Figures of a search that began with a supernet: losses, the gates of each decision, and whether its order held."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go

from archwright.report.plots import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALETTE,
    PURPLE,
    RED,
    _axis,
    _figure,
    _line,
    _name,
    _short,
)
from archwright.report.record import RunRecord
from archwright.report.wording import cost, cost_name, count, duration, metric, plural, signed

__all__ = ["gates", "losses", "settling", "summary", "tiles", "trusted"]

MOST_DRAWN = 24
"""Decisions whose gates are drawn; those that changed most come first."""

MOST_OPTIONS = 10


def _phase(record: RunRecord) -> Mapping[str, Any]:
    found = record.meta.get("oneshot") or {}
    return found if found.get("history") else {}


def losses(record: RunRecord) -> go.Figure | None:
    """The losses of weights and gates, and the metric under the gates, epoch by epoch."""
    phase = _phase(record)
    if not phase:
        return None
    history = phase["history"]
    figure = _figure(_axis("epoch of the supernet"), _axis("loss"))
    names = list(dict.fromkeys(n for point in history for n in point["losses"] if n.endswith("loss")))
    for name, colour in zip(names, (BLUE, ORANGE, PURPLE, RED), strict=False):
        said = {"loss": "loss of the weights", "gate_loss": "loss of the gates"}.get(name, name.replace("_", " "))
        xs = [p["epoch"] for p in history if name in p["losses"]]
        _line(figure, xs, [p["losses"][name] for p in history if name in p["losses"]], said, colour)
    measured = [p for p in history if p.get("metric") is not None]
    if measured:
        title = f"{_name(phase['metric'])} of the gates"
        _line(figure, [p["epoch"] for p in measured], [p["metric"] for p in measured], title, GREEN)
        figure.data[-1].update(yaxis="y2")
        figure.update_layout(
            yaxis2={**_axis(title), "overlaying": "y", "side": "right", "showgrid": False, "tickformat": ".2f"}
        )
        figure.update_layout(margin={"r": 64})
    return figure


def settling(record: RunRecord) -> go.Figure | None:
    """How far the gates are from a decision: their entropy, and the share of decisions that prefer a skip."""
    history = _phase(record).get("history", ())
    told = [p for p in history if p.get("entropy") is not None]
    if not told:
        return None
    figure = _figure(_axis("epoch of the supernet"), {**_axis("share"), "range": [-0.02, 1.05]})
    _line(figure, [p["epoch"] for p in told], [p["entropy"] for p in told], "entropy of the gates", BLUE)
    skips = [p for p in told if p.get("skips") is not None]
    if skips:
        _line(figure, [p["epoch"] for p in skips], [p["skips"] for p in skips], "decisions that prefer a skip", RED)
    read = _phase(record).get("read_from")
    if read and read != history[-1]["epoch"]:
        figure.add_vline(x=read, line={"color": GREY, "dash": "dot"}, annotation_text="read out here")
    return figure


def gates(record: RunRecord) -> go.Figure | None:
    """How much of each option of each decision there is, epoch by epoch."""
    phase = _phase(record)
    history = [p for p in phase.get("history", ()) if p.get("probabilities")]
    if not history:
        return None
    from plotly.subplots import make_subplots

    values: Mapping[str, Sequence[str]] = phase.get("values") or {}
    moved = {
        name: max(abs(b - a) for a, b in zip(history[0]["probabilities"][name], last, strict=True))
        for name, last in history[-1]["probabilities"].items()
        if 2 <= len(last) <= MOST_OPTIONS
    }
    shown = sorted(moved, key=lambda name: -moved[name])[:MOST_DRAWN]
    if not shown:
        return None
    shown = [name for name in history[-1]["probabilities"] if name in shown]  # in the order of the network
    columns = min(3, len(shown))
    rows = math.ceil(len(shown) / columns)
    titles = [escape(_short(name, 40)) for name in shown]
    figure = make_subplots(rows, columns, subplot_titles=titles, vertical_spacing=0.3 / rows if rows > 1 else 0)
    xs = [p["epoch"] for p in history]
    for i, name in enumerate(shown):
        last = history[-1]["probabilities"][name]
        labels = values.get(name) or [str(k) for k in range(len(last))]
        best = max(range(len(last)), key=lambda k: last[k])
        for k, label in enumerate(labels):
            colour = PALETTE[k % len(PALETTE)]
            figure.add_trace(
                go.Scatter(
                    x=xs, y=[p["probabilities"][name][k] for p in history], name=escape(_short(str(label))),
                    stackgroup="one", mode="lines", line={"width": 2.5 if k == best else 0.5, "color": colour},
                    fillcolor=_faded(colour, 0.75 if k == best else 0.25), showlegend=False,
                    hovertemplate=f"{escape(str(label))}: %{{y:.0%}}<extra></extra>",
                ),
                row=i // columns + 1, col=i % columns + 1,
            )  # fmt: skip
        below = sum(last[:best])
        figure.add_annotation(
            x=xs[-1], y=below + last[best] / 2, text=f"<b>{escape(_short(str(labels[best]), 26))}</b>", showarrow=False,
            xanchor="right", font={"size": 12}, row=i // columns + 1, col=i % columns + 1,
        )  # fmt: skip
    base = _figure(_axis(""), _axis("")).layout
    figure.update_layout(
        template="none", font=base.font, height=90 + 190 * rows, margin={"l": 44, "r": 16, "t": 40, "b": 40},
        paper_bgcolor=base.paper_bgcolor, plot_bgcolor=base.plot_bgcolor, hovermode="x",
    )  # fmt: skip
    figure.update_annotations(font_size=12)
    figure.update_xaxes(showgrid=False, zeroline=False, dtick=max(1, math.ceil(len(xs) / 5)))
    figure.update_yaxes(range=[0, 1], showgrid=False, zeroline=False, tickvals=[0, 0.5, 1], tickformat=".0%")
    return figure


def trusted(record: RunRecord) -> go.Figure | None:
    """What architectures reached with shared weights and after training alone; a good order is a rising cloud."""
    phase = _phase(record)
    trust = phase.get("trust") or {}
    sample = trust.get("sample")
    if not sample:
        return None
    by = trust.get("by", phase["metric"])
    figure = _figure(_axis(f"{_name(by)} with shared weights"), _axis(f"{_name(phase['metric'])} trained alone"))
    if by != phase["metric"]:  # losses: the better ones to the right, as everywhere
        figure.update_xaxes(autorange="reversed")
    figure.add_trace(
        go.Scatter(
            x=[row[0] for row in sample], y=[row[1] for row in sample], mode="markers", name="architectures",
            marker={"size": 9, "color": BLUE, "opacity": 0.75}, text=[f"{row[2]:,.0f} parameters" for row in sample],
            hovertemplate="%{text}<br>shared %{x:.4f}, alone %{y:.4f}<extra></extra>", showlegend=False,
        )
    )  # fmt: skip
    return figure


def summary(record: RunRecord) -> list[str]:
    """What came of the phase, in sentences."""
    phase = _phase(record)
    if not phase:
        return []
    first = (phase.get("top") or [{}])[0].get("metrics", {}).get(phase["metric"])
    trained = f"{plural(len(phase['history']), 'epoch')} ({duration(phase['seconds'])})"
    said = f"A supernet, which holds all architectures with shared weights, was trained by {phase['algorithm']}"
    said += f" for {trained}"
    if phase.get("stopped"):
        said += f", and ended early: {phase['stopped']}"
    lines = [said + "."]
    name = phase["metric"].replace("_", " ")
    if first is not None:
        lines.append(f"Its first choice has a validation {name} of {metric(first)} with shared weights.")
    if phase.get("gap") is not None:
        lines.append(
            f"Under the gates it was {metric(phase['soft'])}: a discretisation gap of {phase['gap']:+.4f}, which is "
            "how much the mixture did that the chosen network does not."
        )
    if phase.get("trust"):
        lines += [line[:1].upper() + line[1:].rstrip(".") + "." for line in phase["trust"]["text"].splitlines()]
    return lines


def tiles(record: RunRecord) -> list[tuple[str, str, str]]:
    """The key figures of a supernet that was trained by itself: (what, figure, a word on it)."""
    phase = _phase(record)
    if not phase:
        return []
    first, last = phase["top"][0], phase["history"][-1]
    name = phase["metric"].replace("_", " ")
    found = [
        (f"validation {name}", metric(first["metrics"].get(phase["metric"])), "of what was read out, shared weights")
    ]
    if phase.get("soft") is not None:
        found.append(("under the gates", metric(phase["soft"]), f"a gap of {signed(phase['gap'])}"))
    if last.get("entropy") is not None:
        found.append(("entropy of the gates", f"{last['entropy']:.2f}", "1: nothing decided, 0: all"))
    if "params" in first["costs"]:
        found.append((cost_name("params"), cost("params", first["costs"]["params"]), "of what was read out"))
    trust = phase.get("trust")
    if trust and trust["correlation"].get("tau") is not None:
        c = trust["correlation"]
        found.append(("trust: Kendall's tau", f"{c['tau']:.2f}", f"{c['low']:.2f} to {c['high']:.2f}, n = {c['n']}"))
    found.append(("epochs", count(len(phase["history"])), duration(phase["seconds"])))
    return found


def _faded(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
