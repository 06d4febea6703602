"""``archwright spaces`` and ``strategies``: what there is to choose from."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated, Any

import typer

from archwright.cli import console, learning, names, options
from archwright.cli.invocation import examples
from archwright.cli.oneshot import FAMILY, ONESHOT
from archwright.cli.strategy import DEFAULT_STRATEGY, STRATEGIES
from archwright.errors import SpaceError, did_you_mean

__all__ = ["COMMANDS"]

SPACES_EXAMPLES = examples(
    {
        "archwright spaces": "every space, with what its networks read",
        "archwright spaces --data digits": "the spaces for these data, and how large each is",
        "archwright spaces --data digits --describe convnet": "every decision of one space",
        "archwright spaces --data digits --supernet": "what would share weights in a supernet, and what would not",
    }
)
STRATEGIES_EXAMPLES = examples({"archwright strategies": "what each is for, and when not to use it"})


def spaces(
    data: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="Only the spaces for these data.", autocompletion=names.complete_data),
    ] = None,
    describe: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Every decision of one space.", autocompletion=names.complete_space),
    ] = None,
    supernet: Annotated[
        bool, typer.Option("--supernet", help="What shares weights in a supernet of one space, what not, and why.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """The spaces that can be searched, and what is in them."""
    with console.Waiting() as waiting:
        waiting.on("loading")
        task = learning.load_task(data, {}) if data is not None else None
        if describe is not None and describe not in names.SPACES:
            raise SpaceError(f"there is no space called {describe!r}. {did_you_mean(describe, names.SPACES)}")
        if describe is not None and task is not None:
            task.space(describe)  # says so where it does not fit
        chosen = [describe] if describe is not None else list(task.spaces if task is not None else names.SPACES)
        rows, texts = [], []
        if supernet:
            name = describe or (task.default_space if task is not None else next(iter(names.SPACES)))
            waiting.on(f"making a supernet of {name}")
            _show_sharing(name, task, as_json, waiting)
            return
        for name in chosen:
            entry = names.SPACES[name]
            made = task.space(name) if task is not None else _example(entry)
            shape = task.input_shape if task is not None else entry.example_shape
            texts.append(made.describe())
            rows.append(
                {
                    "name": name,
                    "reads": entry.reads,
                    "purpose": entry.purpose,
                    "default": task is not None and task.default_space == name,
                    "input_shape": list(shape),
                    "decisions": len(made.decisions),
                    "size": made.size,
                    **({"description": texts[-1]} if describe is not None else {}),
                }
            )
    if as_json:
        console.emit({"spaces": rows})
        return
    shown = console.out()
    shown.print(_listed([_space_lines(row) for row in rows]))
    if describe is not None:
        from rich.text import Text

        shown.print()
        shown.print(Text(texts[0]), soft_wrap=not shown.is_terminal)


def _show_sharing(name: str, task: Any, as_json: bool, waiting: console.Waiting) -> None:
    """What shares weights in the supernet of a space."""
    from dataclasses import asdict

    from archwright.supernet import Supernet

    entry = names.SPACES[name]
    shape = task.input_shape if task is not None else entry.example_shape
    found = Supernet(task.space(name) if task is not None else _example(entry), shape).sharing()
    waiting.stop()
    if as_json:
        console.emit({"space": name, "input_shape": list(shape), **asdict(found)})
        return
    from rich.text import Text

    console.out().print(Text(str(found)), soft_wrap=True)


def _example(entry: names.SpaceName) -> Any:
    from archwright.nn import spaces as made

    return getattr(made, entry.name)(entry.example_shape, 10)


def _space_lines(row: dict[str, Any]) -> tuple[str, dict[str, str]]:
    from archwright.cli.telling import large

    shape = "x".join(map(str, row["input_shape"]))
    size = f"{row['decisions']} decisions, {large(row['size'])} architectures for inputs of {shape}"
    return row["name"] + (" (default)" if row["default"] else ""), {
        "": row["purpose"],
        "for": row["reads"],
        "size": size,
    }


def strategies(
    as_json: options.AsJson = False,
) -> None:
    """The strategies that decide what to try next."""
    entries = list(STRATEGIES.values())
    if as_json:
        fields = ("name", "family", "purpose", "weakness", "paper", "cost_ms", "extra", "around", "settings")
        one = [
            {"family": "one-shot", **{k: v for k, v in vars(e).items() if k != "settings"}} for e in ONESHOT.values()
        ]
        console.emit({"strategies": [{field: getattr(e, field) for field in fields} for e in entries], "oneshot": one})
        return
    from rich.text import Text

    shown = console.out()
    wide = max(len(e.name) for e in entries)
    for family, members in groupby(entries, key=lambda e: e.family):
        shown.print(Text(family.capitalize(), style="bold"))
        table = _table_of_names(wide)
        for entry in members:
            around = f"; around {entry.around}, or {entry.name}/NAME" if entry.around else ""
            needs = f"; needs archwright[{entry.extra}]" if entry.extra else ""
            table.add_row(entry.name, entry.purpose)
            table.add_row("", f"not for {entry.weakness}")
            table.add_row("", Text(f"{entry.cost} ms{around}{needs}; {entry.paper}", style="dim"))
        shown.print(table)
        shown.print()
    shown.print(Text(FAMILY.capitalize(), style="bold"))
    table = _table_of_names(wide)
    for algorithm in ONESHOT.values():
        table.add_row(algorithm.name, algorithm.purpose)
        table.add_row("", f"not for {algorithm.weakness}")
        table.add_row("", Text(f"then {DEFAULT_STRATEGY}, or {algorithm.name}/NAME; {algorithm.paper}", style="dim"))
    shown.print(table)
    shown.print()
    shown.print(
        "ms: about what asking and telling cost, after 100 / after 1,000 trials on the default space of images."
    )
    shown.print("More, and which one to take: the page docs/strategies.md.")


def _table_of_names(wide: int) -> Any:
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="cyan", no_wrap=True, min_width=wide)
    table.add_column(overflow="fold")
    return table


def _listed(entries: list[tuple[str, dict[str, str]]]) -> Any:
    """Names, and below each some lines with a word before them."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for i, (name, lines) in enumerate(entries):
        if i:
            table.add_row("", "")
        for word, said in lines.items():
            table.add_row(word if word else Text(name, style="bold not dim"), said)
    return table


COMMANDS: list[tuple[Any, str, str]] = [
    (spaces, "Choose", SPACES_EXAMPLES),
    (strategies, "Choose", STRATEGIES_EXAMPLES),
]
