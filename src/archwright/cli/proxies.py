"""``archwright proxies``."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archwright.cli import console, learning, names, options, places
from archwright.cli.invocation import examples
from archwright.errors import EvaluationError

if TYPE_CHECKING:
    from archwright.evaluator.zerocost import Judgement, ZeroCost
    from archwright.space import Architecture

__all__ = ["COMMANDS"]

EXAMPLES = examples(
    {
        "archwright proxies runs/digits": "do zero-cost proxies rank the networks of this search as training did?",
        "archwright proxies runs/digits --proxy naswot --proxy params": "only these two",
        "archwright proxies runs/digits -n 50 --json": "from fifty of its networks, for a program",
    }
)
STYLES = {"kept": "green", "dropped": "red", "undecided": "yellow"}


def proxies(
    where: options.Out,
    run: options.Run = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(
            "--proxy",
            metavar="NAME",
            help=f"Only this one; repeatable. Known: {', '.join(names.PROXIES)}.",
            autocompletion=names.complete_proxy,
        ),
    ] = None,
    n: Annotated[
        int, typer.Option("-n", metavar="N", min=2, help="Of more trained networks, so many are drawn at random.")
    ] = 200,
    batch_size: Annotated[int, typer.Option(metavar="N", min=2, help="Inputs that a proxy looks at.")] = 16,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the initial weights, the batch, and what is drawn.")] = 0,
    data: options.MovedData = None,
    as_json: options.AsJson = False,
) -> None:
    """Which zero-cost proxies say something about a search's networks: their rank correlation to its trainings."""
    place = places.find(where)
    with console.Waiting() as waiting:
        waiting.on("reading the run")
        from archwright.cli.stored import objectives_of, open_run
        from archwright.evaluator.zerocost import ZeroCost, judge
        from archwright.evaluator.zerocost.correlation import LEAST, results_of
        from archwright.run.settings import check_same_space, check_same_task

        with open_run(place, run) as (store, found):
            task, space = learning.same_problem(found, data)
            check_same_space(found.meta["space"], space)
            check_same_task(found.meta["task"], task)
            trials = [record.trial for record in store.trials(found.id)]
            goal = objectives_of(found).goals[0]
        results = results_of(trials)
        if len(results) < 2:
            raise EvaluationError(
                f"run {found.name!r} has {len(results)} trained architectures: a rank correlation needs 2, and "
                f"{LEAST} to decide"
            )
        looker = ZeroCost(space, task, proxy or tuple(names.PROXIES), batch_size=batch_size, seed=seed)
        chosen = _drawn(list(results), n, seed)
        scores, ms, reasons = _look(looker, chosen, waiting)
        judged = judge(scores, [results[a] for a in chosen], seed=seed)
    if as_json:
        rows = [{**j.to_json(), "ms": ms[j.proxy], "not_computed": reasons.get(j.proxy, {})} for j in judged]
        console.emit({"run": found.name, "goal": str(goal), "architectures": len(chosen), "proxies": rows})
        return
    shown = console.out()
    shown.print(f"Rank correlation to '{goal}', over {len(chosen)} trained architectures of run {found.name!r}\n")
    shown.print(_table(judged, ms))
    for name, why in reasons.items():
        for reason, times in why.items():
            console.note(f"{reason} ({times} of {len(chosen)})" if name in reason else f"{name}: {reason}")
    if len(chosen) < LEAST:
        console.note(f"{LEAST} trained architectures decide; until then every proxy has the benefit of the doubt")


def _drawn(trained: list[Architecture], n: int, seed: int) -> list[Architecture]:
    if len(trained) <= n:
        return trained
    import numpy as np

    picked = np.random.default_rng(seed).choice(len(trained), n, replace=False)
    return [trained[i] for i in sorted(picked)]


def _look(
    looker: ZeroCost, chosen: list[Architecture], waiting: console.Waiting
) -> tuple[list[dict[str, float]], dict[str, float], dict[str, dict[str, int]]]:
    """Scores, median milliseconds by proxy, and how often which reason kept a proxy from being computed."""
    scores: list[dict[str, float]] = []
    times: dict[str, list[float]] = {name: [] for name in looker.proxies}
    reasons: dict[str, dict[str, int]] = {}
    for i, architecture in enumerate(chosen, 1):
        waiting.on(f"looking at network {i} of {len(chosen)}")
        found = looker.look(architecture)
        scores.append({name: found.values.get(name, float("nan")) for name in looker.proxies})
        for name, took in found.ms.items():
            times[name].append(took)
        for name, why in found.missing.items():
            counted = reasons.setdefault(name, {})
            counted[why] = counted.get(why, 0) + 1
    return scores, {name: statistics.median(took) for name, took in times.items()}, reasons


def _table(judged: list[Judgement], ms: dict[str, float]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("proxy", no_wrap=True)
    for title in ("Kendall's tau", "95% interval", "networks", "ms each"):
        table.add_column(title, justify="right")
    table.add_column("")
    for one in sorted(judged, key=lambda j: -j.correlation.tau if j.correlation.tau == j.correlation.tau else 2):
        c = one.correlation
        known = c.tau == c.tau
        table.add_row(
            one.proxy,
            f"{c.tau:+.2f}" if known else "none",
            f"{c.low:+.2f} to {c.high:+.2f}" if known else "",
            str(c.n),
            f"{ms[one.proxy]:.1f}",
            Text(one.verdict, style=STYLES[one.verdict]),
        )
    return table


COMMANDS: list[tuple[Any, str, str]] = [(proxies, "Look", EXAMPLES)]
