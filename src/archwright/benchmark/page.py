"""A comparison for people: one self-contained HTML page, Markdown, a table, and JSON."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from archwright.benchmark import figures, tables
from archwright.benchmark.comparison import Comparison, Duel, Ranking
from archwright.errors import ExportError
from archwright.report import wording

__all__ = ["FILES", "document", "page", "save"]

FILES = ("compare.html", "compare.md", "compare.csv", "compare.json")


def save(comparison: Comparison, folder: str | os.PathLike[str]) -> dict[str, Path]:
    """Write the page, the Markdown, the tidy table and the JSON into a folder; each whole or not at all.

    Raises:
        ExportError: The place cannot be written.
    """
    import json

    target = Path(folder)
    texts: dict[str, Callable[[], str]] = {
        "compare.html": lambda: page(comparison),
        "compare.md": lambda: tables.markdown(comparison),
        "compare.csv": lambda: comparison.table().to_csv(index=False),
        "compare.json": lambda: json.dumps(_finite(document(comparison)), indent=2, ensure_ascii=False),
    }
    written = {}
    for name, text in texts.items():
        path = target / name
        part = path.with_name(path.name + ".part")
        try:
            target.mkdir(parents=True, exist_ok=True)
            part.write_text(text(), encoding="utf-8")
            part.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink()
            raise ExportError(f"cannot write {path}: {error.strerror}. Choose another --out") from error
        written[name] = path
    return written


def document(comparison: Comparison) -> dict[str, Any]:
    """The figures as plain values, for programs; what was never reached is infinite."""
    rankings: dict[str, Ranking] = {name: comparison.ranking(name) for name in comparison.benchmarks}
    whole = {"all": comparison.ranking()} if len(rankings) >= tables.FEWEST_BENCHMARKS else {}
    return {
        "budget": {"amount": comparison.amount, "unit": comparison.unit},
        "seeds": comparison.seeds,
        "parallel": comparison.parallel,
        "control": comparison.control,
        "computed": comparison.computed,
        "strategies": dict(comparison.settings),
        "benchmarks": {
            name: {
                "title": b.title,
                "source": b.source,
                "best": comparison.best[name],
                "best_known": b.best is not None,
            }
            for name, b in comparison.benchmarks.items()
        },
        "summary": [{**row, **_as_text(row)} for row in comparison.summary()],
        "ranks": {
            name: {
                "blocks": f"{r.test.blocks} {r.blocks}",
                "mean_ranks": dict(zip(comparison.strategies, r.test.mean_ranks, strict=True)),
                "friedman_p": r.test.p,
                "critical_difference": r.difference,
                "not_told_apart": [[comparison.strategies[i] for i in clique] for clique in r.cliques],
            }
            for name, r in {**rankings, **whole}.items()
        },
        "tests": {
            name: {
                comparison.said(spent): [_duel(d) for d in comparison.duels(name, spent)]
                for spent in comparison.checkpoints
            }
            for name in comparison.benchmarks
        },
        "pairs": {name: [_duel(d) for d in comparison.duels(name, control=False)] for name in comparison.benchmarks},
    }


def _as_text(row: Mapping[str, Any]) -> dict[str, Any]:
    """JSON's keys are text."""
    return {name: {f"{k:g}": v for k, v in row[name].items()} for name in ("mean_gap", "median_gap")}


def _duel(duel: Duel) -> dict[str, Any]:
    r = duel.result
    return {
        "first": duel.first, "second": duel.second, "wins": r.wins, "ties": r.ties, "losses": r.losses,
        "median_difference": r.difference, "p": r.p, "p_holm": duel.corrected,
    }  # fmt: skip


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    return [_finite(v) for v in value] if isinstance(value, list) else value


def page(comparison: Comparison) -> str:
    """The comparison as the text of one HTML page that needs no network, about 5 MB: most of it is plotly's script."""
    import jinja2
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    loader = jinja2.ChoiceLoader(
        [jinja2.PackageLoader("archwright.benchmark"), jinja2.PackageLoader("archwright.report")]
    )
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )

    environment.filters["sortable"] = tables.sortable

    def text(name: str) -> Markup:
        return Markup(loader.get_source(environment, name)[0])

    rows = comparison.summary()
    parts = []
    for i, (name, benchmark) in enumerate(comparison.benchmarks.items()):
        several = comparison.several_goals(name)
        drawn = {f"mean-{i}": figures.anytime(comparison, name, "mean")}
        drawn[f"median-{i}"] = figures.anytime(comparison, name, "median")
        if not several:
            drawn[f"solved-{i}"] = figures.solved(comparison, name)
        ranking = comparison.ranking(name)
        parts.append(
            {
                "name": name,
                "title": benchmark.title,
                "source": benchmark.source,
                "goals": str(benchmark.objectives),
                "best": comparison.best[name],
                "known": benchmark.best is not None,
                "several": several,
                "gap": figures.gap_name(comparison, name),
                "summary": tables.summary_table(comparison, [r for r in rows if r["benchmark"] == name]),
                "figures": {id: Markup(_json(figure)) for id, figure in drawn.items()},
                "ranking": _diagram(comparison, ranking),
                "ranked": tables.ranked(comparison, ranking),
                "against": tables.control_table(comparison, name),
                "pairs": tables.pairs_table(comparison, name),
            }
        )
    whole = comparison.ranking() if len(comparison.benchmarks) >= tables.FEWEST_BENCHMARKS else None
    return environment.get_template("compare.html.jinja").render(
        comparison=comparison,
        title=tables.title(comparison),
        sentence=tables.sentence(comparison),
        tiles=_tiles(comparison),
        notes=tables.notes(comparison),
        parts=parts,
        whole=None if whole is None else (_diagram(comparison, whole), tables.ranked(comparison, whole)),
        budget=comparison.said(comparison.amount),
        metric=wording.metric,
        versions=_versions(),
        css=text("report.css"),
        js=text("report.js"),
        plotly=Markup(get_plotlyjs()),
    )


def _diagram(comparison: Comparison, ranking: Ranking) -> Any:
    from markupsafe import Markup

    return Markup(figures.critical_difference_diagram(ranking, comparison.strategies))


def _tiles(comparison: Comparison) -> list[tuple[str, str, str]]:
    trials = sum(len(comparison.within(run)) for run in comparison.runs.values())
    kept = len(comparison.runs) - comparison.computed
    workers = f"{comparison.parallel} at a time" if comparison.parallel > 1 else "one at a time"
    return [
        ("strategies", str(len(comparison.strategies)), f"against {comparison.control}"),
        ("benchmarks", str(len(comparison.benchmarks)), ""),
        ("seeds", str(comparison.seeds), "the same for all"),
        ("budget of a run", comparison.said(comparison.amount), workers),
        ("runs", f"{len(comparison.runs):,}", f"{kept:,} of them kept from before" if kept else ""),
        ("trials", f"{trials:,}", ""),
    ]


def _versions() -> dict[str, str]:
    names = ("archwright", "numpy", "scipy")
    return {"python": ".".join(map(str, sys.version_info[:3])), **{name: version(name) for name in names}}


def _json(figure: Any) -> str:
    """A figure as JSON that is safe inside a script element."""
    text = figure.to_json(remove_uids=True) or "{}"
    return str(text).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
