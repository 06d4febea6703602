"""The report: one self-contained HTML page that needs no network, made from a `RunRecord`."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from archwright.errors import ExportError
from archwright.report import groups, outcome, plots, supernet, wording
from archwright.report.calibration import reliability
from archwright.report.drawing import draw
from archwright.report.fared import fared
from archwright.report.growth import draw_growth, growth_of
from archwright.report.record import RunRecord, trained, value
from archwright.report.rows import survey_rows

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["page", "write_page"]

SHOWN_ROWS, MOST_ROWS = 15, 200
DRAWN_DECISIONS, LISTED_DECISIONS = 12, 300
MOST_DRAWN_NODES = 600
BESIDE = 740
"""A drawing wider than this, in pixels, takes the page's full width; the decisions stand below it."""


def write_page(record: RunRecord, path: str | os.PathLike[str]) -> Path:
    """Write the report of `record` to `path`, whole or not at all, and return the path.

    Raises:
        ExportError: The place cannot be written.
    """
    target = Path(path)
    part = target.with_name(target.name + ".part")
    try:
        part.write_text(page(record), encoding="utf-8")
        part.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise ExportError(f"cannot write the report to {target}: {error.strerror}. Give a place that can be") from error
    return target


def page(record: RunRecord) -> str:
    """The report of `record` as the text of one HTML page, about 5 MB: most of it is plotly's script."""
    from plotly.offline import get_plotlyjs

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("archwright.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(
        {
            name: getattr(wording, name)
            for name in ("metric", "cost", "cost_name", "count", "duration", "setting", "when")
        }
    )
    environment.globals.update(plural=wording.plural)

    def text(name: str) -> Markup:
        assert environment.loader is not None
        return Markup(environment.loader.get_source(environment, name)[0])

    figures = _figures(record)
    drawn = bool(figures)
    return environment.get_template("report.html.jinja").render(
        **_facts(record),
        figures={name: Markup(_json(figure)) for name, figure in figures.items()},
        labels={name: _label(name) for name in figures},
        tradeoff_ids=[name for name in figures if name.startswith("pareto-")],
        css=text("report.css"),
        js=text("report.js"),
        plotly=Markup(get_plotlyjs()) if drawn else "",
    )


def _figures(record: RunRecord) -> dict[str, go.Figure]:
    """Every plot of the page by its id."""
    wanted: dict[str, Callable[[], go.Figure | None]] = {
        "anytime-seconds": lambda: plots.anytime(record, "seconds"),
        "anytime-trials": lambda: plots.anytime(record, "trials"),
        "learning-curves": lambda: plots.learning_curves(record),
        "reliability": lambda: reliability(record),
        "groups": lambda: groups.bars(record),
        "supernet-gates": lambda: supernet.gates(record),
        "supernet-losses": lambda: supernet.losses(record),
        "supernet-settling": lambda: supernet.settling(record),
        "supernet-trust": lambda: supernet.trusted(record),
    }
    against = dict.fromkeys((*(g.metric for g in record.objectives.goals[1:]), *record.cost_names()))
    for name in [n for n in against if n != record.goal.metric][:6]:
        wanted[f"pareto-{name}"] = lambda name=name: plots.pareto(record, name)  # type: ignore[misc]
    made = {name: figure() for name, figure in wanted.items()}
    for i, found in enumerate(fared(record)[:DRAWN_DECISIONS]):
        made[f"decision-{i}"] = plots.decision_figure(record, found)
    return {name: figure for name, figure in made.items() if figure is not None}


def _facts(record: RunRecord) -> dict[str, Any]:
    """What the template shows, worked out here so that the template only lays it out."""
    final = record.final or {}
    decided, drawing = fared(record), _drawing(record)
    won = record.winner
    counts = record.counts()
    goals = record.objectives.goals
    own_metrics = list(
        dict.fromkeys(k for t in record.ranked[:MOST_ROWS] if t.measurement for k in t.measurement.metrics)
    )
    metrics = [g.metric for g in goals if g.metric in own_metrics]
    metrics += [m for m in own_metrics if m not in metrics][: max(0, 2 - len(metrics))]
    return {
        "record": record,
        "final": final,
        "sentence": outcome.sentence(record),
        "pictures": final.get("pictures"),
        "tiles": _tiles(record),
        "held": outcome.ceilings(record),
        "drawing": drawing,
        "broad": int((re.findall(r' width="(\d+)"', drawing) or [0])[0]) > BESIDE,
        "won": won,
        "counts": counts,
        "goal": record.goal,
        "leaders": record.ranked[:MOST_ROWS],
        "shown_rows": SHOWN_ROWS,
        "metrics": metrics,
        "costs": record.cost_names(),
        "value": value,
        "trained": trained,
        "decided": decided[:LISTED_DECISIONS],
        "undecided": max(0, len(decided) - LISTED_DECISIONS),
        "drawn_decisions": DRAWN_DECISIONS,
        "lineage": outcome.lineage(record),
        "supernet": supernet.summary(record),
        "growth": _growth(record),
        "failures": outcome.failures(record),
        "infeasible": outcome.failures(record, "infeasible"),
        "survey": survey_rows(record.survey),
        "settings": _settings(record),
        "candidates": _candidates(record),
        "files": outcome.exported(final),
        "references": outcome.references(record),
        "tests": [{"name": k.replace("_", " "), **v} for k, v in outcome.told(record).items()],
        "groups": groups.by_group(record),
        "versions": record.versions or {},
    }


def _tiles(record: RunRecord) -> list[tuple[str, str, str]]:
    """The key figures: (what, figure, a word on it)."""
    test, won, tiles = outcome.test_of(record), record.winner, []
    if not record.trials and record.meta.get("oneshot"):
        return supernet.tiles(record)
    if test is not None:
        low, high = test.get("low"), test.get("high")
        note = f"{wording.metric(low)} to {wording.metric(high)}" if low is not None and high is not None else ""
        tiles.append((f"test {test['metric'].replace('_', ' ')}", wording.metric(test["mean"]), note))
    if won is not None:
        for goal in record.objectives.goals:
            if won.measurement and goal.metric in won.measurement.metrics:
                reached = wording.metric(value(won, goal.metric))
                tiles.append((f"validation {goal.metric.replace('_', ' ')}", reached, f"trial {won.number}"))
    limits = {c.cost: c.limit for c in record.objectives.ceilings}
    for name, found in list(outcome.final_costs(record).items())[:5]:
        note = f"at most {wording.cost(name, limits[name])}" if name in limits else ""
        tiles.append((wording.cost_name(name), wording.cost(name, found), note))
    counts = record.counts()
    note = ", ".join(f"{counts[s]:,} {s}" for s in ("failed", "infeasible") if counts[s])
    tiles.append(("trials", f"{len(record.trials):,}", note))
    tiles.append(("search time", wording.duration(record.seconds), ""))
    return tiles


def _drawing(record: RunRecord) -> Markup:
    fits = record.graph is not None and len(record.graph) <= MOST_DRAWN_NODES
    return Markup(draw(record.graph)) if fits and record.graph is not None else Markup("")


def _growth(record: RunRecord) -> dict[str, Any] | None:
    """The drawing of a supernet that becomes a network, and what its slider needs."""
    grown = growth_of(record.meta.get("oneshot") or {})
    if grown is None:
        return None
    frames = [{"name": name, "shares": [[round(p, 4) for p in row] for row in shares]} for name, shares in grown.frames]
    text = json.dumps(frames, separators=(",", ":")).replace("<", "\\u003c")
    return {"svg": Markup(draw_growth(grown)), "frames": Markup(text), "last": len(frames) - 1, "grown": grown}


def _settings(record: RunRecord) -> list[tuple[str, str]]:
    """The run's settings as the store keeps them, flat enough to read."""
    rows = [("goals", ", ".join(f"{g.direction} {g.metric}" for g in record.objectives.goals))]
    if record.objectives.ceilings:
        limits = (f"{wording.cost_name(c.cost)} ≤ {wording.cost(c.cost, c.limit)}" for c in record.objectives.ceilings)
        rows.append(("ceilings", ", ".join(limits)))
    for name, found in record.meta.items():
        if name in {"objectives", "versions", "command", "survey", "prepared_s"} or found in (None, "", {}, []):
            continue
        if isinstance(found, dict):
            inner = {k: v for k, v in found.items() if isinstance(v, (str, int, float, bool)) and "\n" not in str(v)}
            text = ", ".join(f"{k.replace('_', ' ')} {_brief(v)}" for k, v in inner.items())
        else:
            text = wording.when(found) if name == "created" else wording.setting(found)
        if text:
            rows.append((name.replace("_", " "), text if len(text) < 400 else text[:399] + "…"))
    final = record.final or {}
    if final.get("plan"):
        rows.append(("final choice", ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in final["plan"].items())))
    if final.get("test_opened", 1) > 1:
        rows.append(("test part", f"opened {final['test_opened']} times by this run: its figures are no longer blind"))
    if final.get("seeds"):
        rows.append(("final seeds", ", ".join(map(str, final["seeds"]))))
    return rows


def _brief(found: Any) -> str:
    """A setting; of a long fingerprint only its beginning."""
    text = wording.setting(found)
    return text[:12] + "…" if re.fullmatch(r"[0-9a-f]{24,}", text) else text


def _candidates(record: RunRecord) -> dict[str, Any] | None:
    """The final choice's table: candidates by seeds, for the first goal that is a validation metric."""
    final = record.final or {}
    rows = [c for c in final.get("candidates") or () if c.get("validation")]
    if not rows:
        return None
    names = [g.metric for g in record.objectives.goals if g.metric in rows[0]["validation"]]
    name = names[0] if names else next(iter(rows[0]["validation"]))
    columns = max(len(c["validation"].get(name, ())) for c in rows)
    made = []
    for row in rows:
        scores = [s for s in row["validation"].get(name, ()) if s is not None]
        mean = sum(scores) / len(scores) if scores else None
        made.append({**row, "scores": row["validation"].get(name, ()), "mean": mean})
    return {"metric": name.replace("_", " "), "columns": columns, "rows": made}


def _label(name: str) -> str:
    """What a plot shows, for readers that hear the page."""
    kind, _, rest = name.partition("-")
    return {
        "anytime": f"Best validation value so far by {rest}",
        "learning": "Learning curves",
        "reliability": "Accuracy against confidence on test",
        "groups": "The main metric on test, by group",
        "supernet": f"The supernet that the search began with: {rest}",
        "pareto": f"Goal against {wording.cost_name(rest)}",
    }.get(kind, "How the options of a decision fared")


def _json(figure: go.Figure) -> str:
    """A figure as JSON that is safe inside a script element."""
    text = figure.to_json(remove_uids=True) or "{}"
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
