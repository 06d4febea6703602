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
        "archwright spaces convnet --supernet --data digits": "what shares weights in a supernet, what not, and why",
    }
)
STRATEGIES_EXAMPLES = examples({"archwright strategies": "what each is for, and when not to use it"})


def spaces(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Only this one.", autocompletion=names.complete_space, show_default=False),
    ] = None,
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
        if name is not None and describe is not None and name != describe:
            raise SpaceError(f"one space at a time: got {name!r} and --describe {describe!r}")
        wanted = describe or name
        if wanted is not None and wanted not in names.SPACES:
            raise SpaceError(f"there is no space called {wanted!r}. {did_you_mean(wanted, names.SPACES)}")
        if wanted is not None and task is not None:
            task.space(wanted)  # says so where it does not fit
        chosen = [wanted] if wanted is not None else list(task.spaces if task is not None else names.SPACES)
        rows, texts = [], []
        if supernet:
            wanted = wanted or (task.default_space if task is not None else next(iter(names.SPACES)))
            waiting.on(f"making a supernet of {wanted}")
            _show_sharing(wanted, task, as_json, waiting)
            return
        for each in chosen:
            entry = names.SPACES[each]
            made = task.space(each) if task is not None else _example(entry)
            shape = task.input_shape if task is not None else entry.example_shape
            texts.append(made.describe())
            rows.append(
                {
                    "name": each,
                    "reads": entry.reads,
                    "purpose": entry.purpose,
                    "default": task is not None and task.default_space == each,
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
    from archwright.report.wording import cost

    table = console.columns("place", "layers", "shares", "parameters", *(["why not"] if found.separate else []))
    table.columns[3].justify = "right"
    for row in found.rows:
        reason = [row.reason] if found.separate else []
        table.add_row(row.place, _counted(row.layers), row.how, f"{row.params:,}", *reason)
    shown = console.out()
    shown.print(table)
    times = found.params / max(1, found.largest_params)
    shown.print(
        f"\nsupernet of {name}, inputs of {'x'.join(map(str, shape))}: {found.params:,} parameters, "
        f"{cost('bytes', found.bytes)}; its largest single network: {found.largest_params:,} parameters, "
        f"{cost('bytes', found.largest_bytes)}, so it is {times:.2f} times as large. Options of a choice "
        "between modules stand side by side in it; what is sliced is cut from the largest.",
        soft_wrap=not shown.is_terminal,
    )


def _counted(layers: str) -> str:
    """Layers by kind.

    >>> _counted("Conv2d, BatchNorm2d, Conv2d")
    '2 Conv2d, BatchNorm2d'
    """
    kinds = layers.split(", ")
    counts = {kind: kinds.count(kind) for kind in kinds}
    return ", ".join(kind if n == 1 else f"{n} {kind}" for kind, n in counts.items())


def _example(entry: names.SpaceName) -> Any:
    from archwright.nn import spaces as made

    return getattr(made, entry.name)(entry.example_shape, entry.example_outputs)


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
        cost = f"one supernet: about {algorithm.trainings:g} trainings"
        then = f"then {DEFAULT_STRATEGY}, or {algorithm.name}/NAME"
        table.add_row("", Text(f"{cost}; {then}; {algorithm.paper}", style="dim"))
    shown.print(table)
    shown.print()
    shown.print(
        "ms: about what asking and telling cost, after 100 / after 1,000 trials on the default space of images."
    )
    shown.print(
        "trainings: of one network for as many epochs as the supernet, measured on small cells of five operations; "
        "measuring the candidates that are read out comes on top."
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
