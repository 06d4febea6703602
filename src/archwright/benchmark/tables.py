"""A comparison in words: a sentence, notes, tables as text, and Markdown."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from archwright.benchmark import figures
from archwright.benchmark.comparison import ALPHA, Comparison, Duel, Ranking
from archwright.report import wording

__all__ = [
    "FEWEST_BENCHMARKS", "control_table", "gap", "markdown", "notes", "p_value", "pairs_table", "ranked", "reached",
    "sentence", "sortable", "summary_table", "title",
]  # fmt: skip

FEWEST_BENCHMARKS = 3
"""Benchmarks from which on they are ranked as a whole: over two, no test can tell anything apart."""


def sentence(comparison: Comparison) -> str:
    """What came of it, in a sentence or two."""
    spent = comparison.said(comparison.amount)
    if len(comparison.benchmarks) == 1:
        (name,) = comparison.benchmarks
        ranking = comparison.ranking(name)
        gaps = {s: comparison.gaps(name, s, [comparison.amount]).mean() for s in comparison.strategies}
        order = sorted(gaps, key=lambda s: gaps[s])
        said = ", then ".join(f"{s} ({gap(gaps[s])})" for s in order[1:4])
        what = figures.gap_name(comparison, name)
        text = f"On {name}, {order[0]} has the least mean {what} after {spent}: {gap(gaps[order[0]])}"
        text += f"; {said}." if said else "."
    else:
        ranking = comparison.ranking()
        ranks = dict(zip(comparison.strategies, ranking.test.mean_ranks, strict=True))
        order = sorted(ranks, key=lambda s: ranks[s])
        text = f"Over {len(comparison.benchmarks)} benchmarks, {order[0]} has the best mean rank after {spent}: "
        text += f"{ranks[order[0]]:.2f}; " + ", then ".join(f"{s} ({ranks[s]:.2f})" for s in order[1:4]) + "."
    first = comparison.strategies.index(order[0])
    same = next((c for c in ranking.cliques if first in c), ())
    names = [comparison.strategies[i] for i in same if i != first]
    if len(order) > 1:
        text += f" Ranks do not tell it from {', '.join(names)}." if names else " Ranks tell it from all others."
    return text


def gap(value: float) -> str:
    """A gap in at most four decimals.

    >>> gap(0.0), gap(0.01234), gap(float("inf"))
    ('0', '0.0123', '–')
    """
    if not math.isfinite(value):
        return "–"
    return "0" if value == 0 else f"{value:.4f}" if value < 0.1 else f"{value:.3f}"


def reached(value: float, comparison: Comparison) -> str:
    """What had been spent at the optimum; above the budget where it was not reached."""
    if not math.isfinite(value):
        return f"> {_plain(comparison.amount)}"
    return _plain(value)


def p_value(p: float) -> str:
    """A p-value in three digits; very small ones as a bound.

    >>> p_value(0.04321), p_value(1e-7)
    ('0.043', '< 0.001')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def sortable(cell: str) -> float:
    """The number that a cell is sorted by; one that is only bounded from below comes last.

    >>> sortable("1,234"), sortable("< 0.001 ▲ (30/0/0)"), sortable("> 150"), sortable("–")
    (1234.0, 0.0005, 1e+300, 1e+300)
    """
    found = re.search(r"[-+]?\d[\d,]*(\.\d+)?", cell)
    if cell.startswith(">") or found is None:
        return 1e300
    return float(found[0].replace(",", "")) * (0.5 if cell.startswith("<") else 1)


def _plain(value: float) -> str:
    return f"{value:,.0f}" if abs(value - round(value)) < 0.05 else f"{value:,.1f}"


def notes(comparison: Comparison) -> list[str]:
    """What a reader should know before believing the figures."""
    found = []
    for name, benchmark in comparison.benchmarks.items():
        unknown = not benchmark.front if comparison.several_goals(name) else benchmark.best is None
        if unknown:
            found.append(f"The best answer of {name} is not known: gaps are to the best that any run here found.")
    rungs = {s for (_, s, _), run in comparison.runs.items() if any(t.proposal.epochs is not None for t in run.steps)}
    if rungs and comparison.unit == "queries":
        found.append(
            f"{', '.join(sorted(rungs))} trains for fewer epochs than a full training: a query of it is cheaper than "
            f"one of the others. Compare with a budget of epochs or of simulated time."
        )
    early: dict[str, int] = {}
    for (_, strategy, _), run in comparison.runs.items():
        early[strategy] = early.get(strategy, 0) + bool(run.ended)
    for strategy, count in early.items():
        if count:
            why = next(r.ended for (_, s, _), r in comparison.runs.items() if s == strategy and r.ended)
            found.append(f"{wording.plural(count, 'run')} of {strategy} ended before the budget: {why}.")
    return found


def markdown(comparison: Comparison) -> str:
    """The tables as Markdown."""
    lines = [f"# {title(comparison)}", "", sentence(comparison), "", *(f"- {note}" for note in notes(comparison)), ""]
    rows = comparison.summary()
    for name, benchmark in comparison.benchmarks.items():
        head, body = summary_table(comparison, [r for r in rows if r["benchmark"] == name])
        lines += [f"## {name}", "", *([benchmark.title, ""] if benchmark.title else []), *_table(head, body), ""]
        ranking = comparison.ranking(name)
        lines += [f"{ranked(comparison, ranking)}", ""]
        head, body = control_table(comparison, name)
        if body:
            lines += [f"Against {comparison.control}, Wilcoxon's p after Holm (wins/ties/losses):", ""]
            lines += [*_table(head, body), ""]
        head, body = pairs_table(comparison, name)
        if len(comparison.strategies) > 2:
            lines += [f"All pairs after {comparison.said(comparison.amount)}:", "", *_table(head, body), ""]
    if len(comparison.benchmarks) >= FEWEST_BENCHMARKS:
        lines += ["## All benchmarks", "", ranked(comparison, comparison.ranking()), ""]
    lines += ["## Strategies", "", *(f"- {s}: `{comparison.settings.get(s, '')}`" for s in comparison.strategies), ""]
    if comparison.command:
        lines += ["```sh", comparison.command, "```", ""]
    return "\n".join(lines)


def title(comparison: Comparison) -> str:
    """What was compared, in a few words."""
    budget = comparison.said(comparison.amount)
    workers = f", {comparison.parallel} at a time" if comparison.parallel > 1 else ""
    return f"{wording.plural(len(comparison.strategies), 'strategy').replace('strategys', 'strategies')}, {budget}" + (
        f"{workers}, {wording.plural(comparison.seeds, 'seed')}"
    )


def ranked(comparison: Comparison, ranking: Ranking) -> str:
    """Mean ranks and what tells them apart, in a sentence."""
    order = sorted(zip(ranking.test.mean_ranks, comparison.strategies, strict=True))
    means = ", ".join(f"{name} {rank:.2f}" for rank, name in order)
    same = ["{" + ", ".join(comparison.strategies[i] for i in clique) + "}" for clique in ranking.cliques]
    apart = f"not told apart: {' '.join(same)}" if same else "all told apart"
    return (
        f"Mean ranks over {ranking.test.blocks} {ranking.blocks}: {means}. Friedman p {p_value(ranking.test.p)}, "
        f"critical difference {ranking.difference:.2f} at {ALPHA:g}: {apart}."
    )


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    rule = ["---", *("---:" for _ in head[1:])]
    return ["| " + " | ".join(map(str, row)) + " |" for row in (head, rule, *body)]


def summary_table(
    comparison: Comparison, rows: Sequence[Mapping[str, Any]], brief: bool = False
) -> tuple[list[str], list[list[str]]]:
    """The head and the rows of one benchmark's table, as text; columns in which all is zero are left out.

    Args:
        comparison: What it is of.
        rows: Of that benchmark, from `Comparison.summary`.
        brief: Few columns with short heads, for a terminal.
    """
    several = comparison.several_goals(rows[0]["benchmark"])
    what = "missing hypervolume" if several else "mean regret"
    points = comparison.checkpoints[-3:] if brief else comparison.checkpoints
    short = [_axis_word(comparison, p) for p in points]
    head = ["strategy", f"{what} after {short[0]}", *(f"after {s}" for s in short[1:])]
    if brief:
        head = ["", *(f"at {s}" for s in short)]
    if not several:
        head += ["to best" if brief else f"{comparison.unit} to the optimum: median", "p90", "solved"]
    benchmark = comparison.benchmarks[rows[0]["benchmark"]]
    reported = bool(benchmark.reported) and not several and not brief
    if reported:
        head.append(benchmark.reported.replace("_", " "))
    head += ["rank"] if brief else ["mean rank", "ask + tell (ms)", "failed", "infeasible", "repeated"]
    body = []
    for row in rows:
        line = [row["strategy"], *(gap(row["mean_gap"][p]) for p in points)]
        if not several:
            o = row["to_optimum"]
            line += [reached(o["median"], comparison), reached(o["p90"], comparison), f"{o['solved']:.0%}"]
        if reported:
            line.append(wording.metric(row["reported"]))
        line.append(f"{row['mean_rank']:.2f}")
        if not brief:
            line.append(f"{row['ask_ms'] + row['tell_ms']:.3g}")
            line += [_plain(row[status]) for status in ("failed", "infeasible", "repeated")]
        body.append(line)
    quiet = [i for i, name in enumerate(head) if name in ("failed", "infeasible", "repeated")]
    dropped = {i for i in quiet if all(line[i] == "0" for line in body)}
    return [h for i, h in enumerate(head) if i not in dropped], [
        [cell for i, cell in enumerate(line) if i not in dropped] for line in body
    ]


def _axis_word(comparison: Comparison, spent: float) -> str:
    return comparison.said(spent) if comparison.unit == "seconds" else f"{spent:,.0f}"


def control_table(comparison: Comparison, benchmark: str) -> tuple[list[str], list[list[str]]]:
    """The head and the rows of the tests against the control, a column a checkpoint."""
    columns = {p: comparison.duels(benchmark, p) for p in comparison.checkpoints}
    head = ["strategy", *(f"after {_axis_word(comparison, p)}" for p in columns)]
    names = [d.first for d in next(iter(columns.values()))]
    body = [[name, *(_verdict(duels[i]) for duels in columns.values())] for i, name in enumerate(names)]
    return head, body


def _verdict(duel: Duel) -> str:
    r = duel.result
    sign = "" if duel.corrected >= ALPHA else " ▲" if r.wins > r.losses else " ▼"
    return f"{p_value(duel.corrected)}{sign} ({r.wins}/{r.ties}/{r.losses})"


def pairs_table(comparison: Comparison, benchmark: str) -> tuple[list[str], list[list[str]]]:
    """The head and the rows of the tests of all pairs, at the end of the budget."""
    head = ["pair", "wins/ties/losses", "median difference", "p", "p after Holm"]
    body = []
    for d in comparison.duels(benchmark, control=False):
        r = d.result
        sign = "" if d.corrected >= ALPHA else " ▲" if r.wins > r.losses else " ▼"
        difference = f"{r.difference:+.4f}" if math.isfinite(r.difference) else "–"
        pair = f"{d.first} against {d.second}"
        body.append([pair, f"{r.wins}/{r.ties}/{r.losses}", difference, p_value(r.p), p_value(d.corrected) + sign])
    return head, body
