"""The reliability diagram of a classifier."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from archwright.report.plots import BLUE, GREY, _axis, _figure, _line
from archwright.report.record import RunRecord
from archwright.report.wording import plural

__all__ = ["reliability"]


def reliability(record: RunRecord) -> go.Figure | None:
    """How often a classifier is right on test where it is so sure: on the diagonal it can be taken at its word."""
    found = (record.final or {}).get("calibration")
    if not found or not found["bins"]:
        return None
    share = {"range": [-0.02, 1.02], "tickformat": ".0%"}
    note = f"expected calibration error {found['ece']:.3f}"
    figure = _figure({**_axis("confidence"), **share}, {**_axis("accuracy"), **share}, note)
    _line(figure, [0, 1], [0, 1], "perfectly calibrated", GREY, dash="dash")
    counts = [b["count"] for b in found["bins"]]
    figure.add_trace(
        go.Scatter(
            x=[b["confidence"] for b in found["bins"]],
            y=[b["accuracy"] for b in found["bins"]],
            mode="lines+markers",
            name="test samples, by confidence",
            line={"color": BLUE, "width": 2},
            marker={"size": [8 + 22 * math.sqrt(n / max(counts)) for n in counts], "color": BLUE, "opacity": 0.7},
            text=[f"{plural(n, 'sample')}" for n in counts],
            hovertemplate="%{text}: sure by %{x:.1%}, right in %{y:.1%}<extra></extra>",
        )
    )
    return figure
