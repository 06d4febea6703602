"""How a network does by group of samples: bars with their intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archwright.objective import GAP
from archwright.report.record import RunRecord
from archwright.report.wording import metric, plural

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["ByGroup", "bars", "by_group"]

MOST_BARS = 40
MOST_NAMED = 4


@dataclass(frozen=True)
class ByGroup:
    """The main metric on test, by group: (group, value, samples), and the gap of the groups large enough to compare."""

    name: str
    metric: str
    values: tuple[tuple[str, float, int], ...]
    gap: float

    def __str__(self) -> str:
        shown = self.values if len(self.values) <= MOST_NAMED else (self.values[0], self.values[-1])
        between = ", " if len(self.values) <= MOST_NAMED else " to "
        return f"{between.join(f'{group} {metric(found)}' for group, found, _ in shown)}: gap {metric(self.gap)}"


def by_group(record: RunRecord) -> ByGroup | None:
    """What a run found out by group, largest value first; None where no groups are told apart."""
    found = (record.final or {}).get("groups")
    if not found:
        return None
    name = found["metric"]
    rows = [(g["group"], g["metrics"][name], g["count"]) for g in found["values"] if g["compared"]]
    gap = record.final["test"][f"{GAP}{name}"]["mean"]  # type: ignore[index]
    return ByGroup(found["name"], name, tuple(sorted(rows, key=lambda row: -row[1])), gap)


def bars(record: RunRecord) -> go.Figure | None:
    """The main metric on test in each group, with its interval; groups too small to compare are grey."""
    import plotly.graph_objects as go  # which a terminal needs not wait for

    from archwright.report.plots import BLUE, GREY, _axis, _figure

    found = (record.final or {}).get("groups")
    if not found:
        return None
    name, values = found["metric"], found["values"][:MOST_BARS]
    left = len(found["values"]) - len(values)
    note = f"and {plural(left, 'more group')}" if left else ""
    figure = _figure(
        {**_axis(found["name"].replace("_", " ")), "type": "category"}, _axis(name.replace("_", " ")), note
    )
    heights = [g["metrics"][name] for g in values]
    figure.add_trace(
        go.Bar(
            x=[g["group"] for g in values],
            y=heights,
            marker={"color": [BLUE if g["compared"] else GREY for g in values]},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [max(0.0, g["high"] - y) for g, y in zip(values, heights, strict=True)],
                "arrayminus": [max(0.0, y - g["low"]) for g, y in zip(values, heights, strict=True)],
                "color": GREY,
            },
            text=[f"{plural(g['count'], 'sample')}{'' if g['compared'] else ', too few to compare'}" for g in values],
            textposition="none",
            hovertemplate="%{x}: %{y:.4f}<br>%{text}<extra></extra>",
            showlegend=False,
        )
    )
    return figure
