"""``archwright compare``."""

from __future__ import annotations

import functools
import importlib
import inspect
import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archwright.cli import console, names, options
from archwright.cli.guard import INTERRUPTED, interruptible
from archwright.cli.invocation import command_line, examples
from archwright.cli.strategy import STRATEGIES, find_strategy
from archwright.errors import ArchwrightError, did_you_mean

if TYPE_CHECKING:
    from archwright.benchmark.comparison import Comparison

__all__ = ["COMMANDS", "strategies_of"]

EXAMPLES = examples(
    {
        "archwright compare --benchmark nasbench201-cifar10": "evolution and local search beside random search: 30 "
        "seeds, 150 queries",
        "archwright compare --benchmark nasbench201-cifar10 --strategies local,large=evolution:population_size=30": "a "
        "strategy with settings and a name of your own",
        "archwright compare --benchmark mini,toy-epochs --strategies asha/random,hyperband --budget 600epochs "
        "--parallel 4": "a budget of epochs, on four simulated workers",
        "archwright compare --benchmark nasbench201-cifar10 --control evolution --out runs/compare": "test against "
        "evolution; what runs/compare holds already is not run again",
    }
)

OUT = "runs/compare"
DEFAULT = "gp,evolution,local"


def _complete_benchmark(incomplete: str) -> Iterator[str]:
    from archwright.benchmark import names as benchmarks

    before, comma, last = incomplete.rpartition(",")
    return (f"{before}{comma}{name}" for name in benchmarks() if name.startswith(last))


def _complete_strategies(incomplete: str) -> Iterator[tuple[str, str]]:
    before, comma, last = incomplete.rpartition(",")
    return ((f"{before}{comma}{name}", meaning) for name, meaning in names.complete_strategy(last))


def compare(
    ctx: typer.Context,
    benchmark: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAMES", help="What to compare on; repeatable, or several with commas.",
            autocompletion=_complete_benchmark,
        ),
    ] = None,
    strategies: Annotated[
        str,
        typer.Option(
            metavar="NAMES", help="With commas: NAME, or LABEL=NAME:SETTING=VALUE. Random search is always there.",
            autocompletion=_complete_strategies,
        ),
    ] = DEFAULT,
    seeds: Annotated[int, typer.Option(metavar="N", help="Runs of each: run i of all meets the same luck.")] = 30,
    budget: Annotated[
        str, typer.Option(metavar="BUDGET", help="Of a run: queries (150), simulated time (10000s), or '600 epochs'.")
    ] = "150",
    parallel: Annotated[int, typer.Option(metavar="N", help="Simulated workers: trainings at a time.")] = 1,
    control: Annotated[
        str | None, typer.Option(metavar="NAME", help="What the others are tested against. Default: random search.")
    ] = None,
    tables: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Where the benchmarks' tables are. Default: $ARCHWRIGHT_DATA.")
    ] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Processes. Default: all usable CPUs.")] = None,
    out: Annotated[str, typer.Option(metavar="FOLDER", help="Where runs are kept, and the page is written.")] = OUT,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:  # fmt: skip
    """Compare strategies on benchmarks: many seeds, equal budgets, tests, and one page.

    Runs that the folder holds already are not run again: the same command goes on after Ctrl-C, and a larger budget or
    more seeds add to them.
    """
    chosen = strategies_of(strategies)
    on = [name.strip() for text in benchmark or () for name in text.split(",") if name.strip()]
    with interruptible(), console.Waiting(quiet) as waiting:
        waiting.on("starting")
        from archwright import benchmark as benchmarks
        from archwright.benchmark.compare import compare as run
        from archwright.benchmark.page import save

        if not on:
            raise ArchwrightError(f"compare on what? Give --benchmark, one of: {', '.join(benchmarks.names())}")
        waiting.stop()
        try:
            comparison = run(
                chosen,
                on,
                seeds=seeds,
                budget=budget,
                parallel=parallel,
                control=control,
                workers=workers,
                out=out,
                tables=tables,
                progress=not quiet,
                command=command_line(ctx),
            )
        except KeyboardInterrupt:
            console.note(f"every run that has ended is kept in {out}: the same command goes on")
            raise typer.Exit(INTERRUPTED) from None
        waiting.on("writing the page")
        written = save(comparison, out)
    if as_json:
        from archwright.benchmark.page import document

        console.emit({**document(comparison), "files": {name: str(path) for name, path in written.items()}})
    else:
        _show(comparison)
        console.out().print()
        for path in written.values():
            console.out().print(f"  [cyan]{path}[/]", soft_wrap=True)


def strategies_of(text: str) -> dict[str, Callable[..., Any]]:
    """Factories by label, from what was written: ``random,large=evolution:population_size=30``.

    Raises:
        ArchwrightError: A name, a setting or a value that makes no sense; it says which, and the nearest.
    """
    found: dict[str, Callable[..., Any]] = {}
    for written in filter(None, (part.strip() for part in text.split(","))):
        first, *settings = written.split(":")
        label, equals, name = first.partition("=")
        label, name = (label, name) if equals else (written, first)
        entry = find_strategy(name)
        if label in found:
            raise ArchwrightError(f"two strategies are called {label!r}: write LABEL={name} to tell them apart")
        module, _, kind = entry.where.partition(":")
        known = list(inspect.signature(getattr(importlib.import_module(module), kind)).parameters)[1:]
        given = {}
        for setting in settings:
            key, equals, value = setting.partition("=")
            if key not in known:
                raise ArchwrightError(f"strategy {name!r} has no setting {key!r}. {did_you_mean(key, known)}")
            if not equals:
                raise ArchwrightError(f"setting {key!r} of strategy {name!r} has no value: write {name}:{key}=VALUE")
            given[key] = _value(value)
        found[label] = functools.partial(entry.make, **given)
    if not found:
        raise ArchwrightError(f"there is no strategy to compare. {did_you_mean('', STRATEGIES)}")
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _show(comparison: Comparison) -> None:
    from rich.table import Table
    from rich.text import Text

    from archwright.benchmark.tables import notes, sentence, summary_table

    shown = console.out()
    shown.print(Text(sentence(comparison), style="bold"))
    for note in notes(comparison):
        console.note(note)
    rows: Sequence[Any] = comparison.summary()
    for name in comparison.benchmarks:
        head, body = summary_table(comparison, [row for row in rows if row["benchmark"] == name], brief=True)
        table = Table(title=name, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
        for i, title in enumerate(head):
            table.add_column(title, justify="right" if i else "left", header_style="dim", no_wrap=True)
        for line in body:
            table.add_row(*line)
        shown.print()
        shown.print(table)


COMMANDS: list[tuple[Any, str, str]] = [(compare, "Look", EXAMPLES)]
