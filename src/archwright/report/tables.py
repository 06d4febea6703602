"""Tables for a terminal, as rich renderables; `archwright.report.rows` has the same as plain JSON values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from archwright.report.groups import by_group
from archwright.report.outcome import ceilings, exported, failures, references, sentence, test_of, told
from archwright.report.record import RunRecord
from archwright.report.rows import leaderboard_rows, survey_rows, trial_row
from archwright.report.wording import cost, cost_name, duration, metric, plural, setting, when
from archwright.trial import Trial

if TYPE_CHECKING:
    from archwright.objective import Objectives

__all__ = ["exports", "front", "leaderboard", "outcome", "runs", "survey", "trial"]

STYLES = {"done": "green", "failed": "red", "infeasible": "yellow", "running": "cyan", "interrupted": "yellow"}


def leaderboard(trials: Sequence[Trial], objectives: Objectives, n: int | None = 10) -> RenderableType:
    """The best `n` measured trials with their goals, costs and architectures."""
    rows = leaderboard_rows(trials, objectives, n)
    return _board(rows, objectives) if rows else Text(f"No measured trial among {plural(len(trials), 'trial')}.")


def front(trials: Sequence[Trial], objectives: Objectives, also: Sequence[str] = ()) -> RenderableType:
    """The same of measured trials in the order given, such as along a Pareto front, with the metrics `also` before."""
    rows = [{"rank": i, **trial_row(t, objectives, curve=False)} for i, t in enumerate(trials, 1)]
    return _board(rows, objectives, also)


def _board(rows: Sequence[Mapping[str, Any]], objectives: Objectives, also: Sequence[str] = ()) -> RenderableType:
    goals = [g.metric for g in objectives.goals]
    costs = [c for c in dict.fromkeys(c for row in rows for c in row["costs"]) if c not in goals]
    wanted = [c.cost for c in objectives.ceilings]
    costs.sort(key=lambda c: (c not in wanted, c != "params"))
    several = len({row["epochs_in_all"] for row in rows}) > 1
    titles = [*map(_title, [*also, *goals]), *map(cost_name, costs[:3])]
    shown = [*titles, *(["epochs"] if several else []), "time", "architecture"]
    table = _table("", "trial", *shown, left={"architecture"})
    for row in rows:
        is_metric = {g: g in row["metrics"] for g in goals}
        table.add_row(
            str(row["rank"]),
            str(row["number"]),
            *(metric(row["metrics"].get(name)) for name in also),
            *(metric(row["goals"][g]) if is_metric[g] else cost(g, row["goals"][g]) for g in goals),
            *(cost(c, row["costs"].get(c)) for c in costs[:3]),
            *([f"{row['epochs_in_all']:,}"] if several else []),
            duration(row["seconds"]),
            Text(_architecture(row["architecture"]), overflow="ellipsis", no_wrap=True, style="dim"),
            style="" if row["violation"] <= 0 else "yellow",
        )
    return table


def trial(one: Trial, objectives: Objectives) -> RenderableType:
    """One trial in full: how it ended, its metrics and costs, its decisions, its learning curve."""
    row = trial_row(one, objectives)
    facts = _pairs()
    facts.add_row(
        "status", Text(row["status"] + (f": {row['reason']}" if row["reason"] else ""), style=STYLES[row["status"]])
    )
    for name, found in row["metrics"].items():
        facts.add_row(Text(_title(name)), metric(found))
    for name, found in row["costs"].items():
        limit = next((c.limit for c in objectives.ceilings if c.cost == name), None)
        facts.add_row(Text(cost_name(name)), cost(name, found) + (f" of at most {cost(name, limit)}" if limit else ""))
    if row["origin"]:
        facts.add_row("origin", Text(row["origin"]))
    if row["seconds"] is not None:
        facts.add_row(
            "time", duration(row["seconds"]) + (f", {plural(row['epochs'], 'epoch')}" if row["epochs"] else "")
        )
    if row["epochs_in_all"] != row["epochs"]:
        facts.add_row("trained", f"{plural(row['epochs_in_all'], 'epoch')} in all, with trial {row['continues']}")
    facts.add_row("seed", str(row["seed"]))
    decisions = _pairs()
    for name, chosen in row["architecture"].items():
        decisions.add_row(Text(name), Text(setting(chosen)))
    parts: list[RenderableType] = [
        Text(f"Trial {one.number}", style="bold"),
        facts,
        Text("Architecture", style="bold"),
        decisions,
    ]
    if row["curve"]:
        names = list(dict.fromkeys(k for point in row["curve"] for k in point if k != "epoch"))
        curve = _table("epoch", *map(_title, names))
        for i, point in _spread(list(enumerate(row["curve"], 1)), 12):
            curve.add_row(str(point.get("epoch", i)), *(metric(point.get(k)) for k in names))
        parts += [Text("Learning curve", style="bold"), curve]
    return Group(*parts)


def runs(listed: Sequence[Mapping[str, Any]]) -> RenderableType:
    """The runs of a store; each a mapping with ``name`` and where known ``status``, ``task``, ``strategy``, ``trials``
    (a number), ``best`` (a number), ``seconds``, ``created``. What no run has gets no column.
    """
    if not listed:
        return Text("No runs yet. Begin one with: archwright search digits --budget 2m")
    shown: dict[str, Callable[[Any], RenderableType]] = {
        "status": lambda status: Text(status, style=STYLES.get(status, "")),
        "task": Text,
        "strategy": Text,
        "trials": "{:,}".format,
        "best": metric,
        "seconds": duration,
        "created": lambda created: Text(when(created)),
    }
    wanted = [name for name in shown if any(run.get(name) is not None for run in listed)]
    titles = ["time" if name == "seconds" else name for name in wanted]
    table = _table("run", *titles, left={"run", "status", "task", "strategy", "created"})
    for run in listed:
        known = (shown[name](run[name]) if run.get(name) is not None else "" for name in wanted)
        table.add_row(Text(str(run["name"]), style="bold", overflow="fold"), *known)
    return table


def survey(found: Mapping[str, Any], objectives: Objectives | None = None) -> RenderableType:
    """The space before a search: the feasible share, and least, median and most of each cost."""
    limits = {c.cost: c.limit for c in objectives.ceilings if not c.measured} if objectives else {}
    parts: list[RenderableType] = []
    if found.get("feasible") is not None and not (objectives and objectives.ceilings and not limits):
        of = f" of {found['sampled']:,} sampled architectures" if found.get("sampled") else " of the space"
        parts.append(
            Text(f"{100 * found['feasible']:.3g}%{of} {'meets' if not found.get('sampled') else 'meet'} every ceiling")
        )
    rows = survey_rows(found)
    if rows:
        table = _table("cost", "least", "median", "most", *(["ceiling"] if limits else []), left={"cost"})
        for row in rows:
            name = row["cost"]
            ends = [cost(name, limits.get(name))] if limits else []
            table.add_row(Text(cost_name(name)), *(cost(name, row[k]) for k in ("min", "median", "max")), *ends)
        parts.append(table)
    return Group(*parts)


def outcome(record: RunRecord) -> RenderableType:
    """The end of a search in a panel: the sentence, test figures, ceilings, failures, files."""
    parts: list[RenderableType] = [Text(sentence(record), style="bold")]
    facts = _pairs()
    for name, t in told(record).items():
        if test_of(record) and name not in (test_of(record)["metric"], "ece"):  # type: ignore[index]
            facts.add_row(Text(f"test {_title(name)}"), _spread_of(t))
    for name, found in references(record):
        facts.add_row(Text(f"test {_title(test_of(record)['metric'])}"), f"{metric(found)} by {name}")  # type: ignore[index]
    calibrated = (record.final or {}).get("calibration")
    if calibrated:
        facts.add_row(
            "test calibration error", f"{metric(calibrated['ece'])}, mean confidence {metric(calibrated['confidence'])}"
        )
    groups = by_group(record)
    if groups:
        facts.add_row(Text(f"test {_title(groups.metric)} by {groups.name}"), Text(str(groups)))
    for held in ceilings(record):
        style = {True: "green", False: "red", None: "dim"}[held.holds]
        facts.add_row("ceiling", Text(str(held), style=style))
    for reason, n, example in failures(record)[:3]:
        facts.add_row("failed", Text(f"{n:,} × {reason} (such as trial {example})", style="red"))
    if facts.row_count:
        parts += [Text(""), facts]
    if exported(record.final or {}):
        parts += [Text(""), exports(record.final or {})]
    return Panel(Group(*parts), box=box.ROUNDED, title=Text(record.name), title_align="left", padding=(1, 2))


def exports(final: Mapping[str, Any]) -> RenderableType:
    """The exported files of a final choice, or of a card: form, size, and how far outputs are from the original's."""
    table = _table("file", "form", "size", "outputs", left={"file", "form", "outputs"})
    for f in exported(final):
        mark = {True: Text("✓ ", style="green"), False: Text("✗ ", style="red"), None: Text("")}[f.agrees]
        mark.append(f.verdict, style="dim")
        table.add_row(Text(f.name or "–"), Text(f.form), cost("bytes", f.bytes), mark)
    return table


def _spread_of(test: Mapping[str, Any]) -> str:
    """A test figure: mean, deviation over seeds where there are several, and its interval."""
    several = len(test.get("per_seed") or ()) > 1 and test.get("deviation") is not None
    within = f"  {metric(test['low'])}..{metric(test['high'])}" if test.get("low") is not None else ""
    return metric(test["mean"]) + (f" ± {metric(test['deviation'])}" if several else "") + within


def _table(*titles: str, left: set[str] | None = None) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim", show_edge=False)
    for title in titles:
        table.add_column(Text(title), justify="left" if title in (left or set()) else "right")
    return table


def _pairs() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    return table


def _title(name: str) -> str:
    return name.replace("_", " ")


def _architecture(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{k}={setting(v)}" for k, v in values.items())


def _spread(rows: list[Any], most: int) -> list[Any]:
    """At most `most` rows, evenly spread, the first and the last among them."""
    if len(rows) <= most:
        return rows
    return [rows[round(i * (len(rows) - 1) / (most - 1))] for i in range(most)]
