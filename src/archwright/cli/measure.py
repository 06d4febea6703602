"""``archwright measure``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archwright.cli import console, learning, names, options
from archwright.cli.invocation import examples
from archwright.errors import ExportError, OutOfSpaceError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from archwright.cost import Latency
    from archwright.space import Architecture, Space

__all__ = ["COMMANDS"]

EXAMPLES = examples(
    {
        "archwright measure runs/digits": "what the network of a search costs here",
        "archwright measure runs/digits --batch 32 --threads 2": "latency of a batch of 32 on two threads",
        "archwright measure --data digits": "a network of the data's default space, taken at random",
        "archwright measure --data digits --space mobile --architecture @a.json": "any network of a space, not "
        "trained yet; @ reads a file",
    }
)


def measure(
    where: options.AnyOut = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="Instead of OUT: data whose inputs the network reads.",
            autocompletion=names.complete_data,
        ),
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="With --data: the space. Default: the data's own.",
            autocompletion=names.complete_space,
        ),
    ] = None,
    architecture: Annotated[
        str | None,
        typer.Option(
            metavar="JSON",
            help="With --data: its decisions, or @FILE; 'archwright show OUT --trial N --json' writes those of a "
            "trial. Default: a random one.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the random one.")] = 0,
    batch: Annotated[int, typer.Option(metavar="N", help="Inputs at once, for latency.")] = 1,
    threads: Annotated[int, typer.Option(metavar="N", help="Threads, for latency.")] = 1,
    repeats: Annotated[int, typer.Option(metavar="N", help="Timed runs, at least 30.")] = 100,
    as_json: options.AsJson = False,
) -> None:
    """What a network costs: parameters, multiply-adds, size, memory, and latency measured on this machine."""
    if (where is None) == (data is None):
        raise ExportError("measure what? Give the folder of a search, or --data with --space and --architecture")
    with console.Waiting() as waiting:
        waiting.on("making the network")
        import torch

        from archwright import cost

        if where is not None:
            from archwright.cli.network import exported_network

            network, card = exported_network(Path(where).expanduser())
            shape, values, dtype = card.input_shape, card.architecture, getattr(torch, card.input_dtype)
        else:
            assert data is not None
            network, shape, values, dtype = _untrained(data, space, architecture, seed)
        waiting.on("measuring")
        costs = cost.measure(network, shape, dtype=dtype)
        latency = cost.latency(network, shape, batch=batch, threads=threads, repeats=repeats, dtype=dtype)
    if as_json:
        decisions = dict(values) if values is not None else None
        console.emit({"architecture": decisions, "costs": costs, "latency": latency.to_json()})
    else:
        _show(costs, latency, values if where is None and architecture is None else None)


def _untrained(
    data: str, space: str | None, text: str | None, seed: int
) -> tuple[nn.Module, tuple[int, ...], Architecture, torch.dtype]:
    import numpy as np

    task = learning.load_task(data, {})
    searched = task.space(space)
    chosen = searched.sample(np.random.default_rng(seed)) if text is None else _read(text, searched)
    return searched.build(chosen), task.input_shape, chosen, task.input_dtype


def _read(text: str, space: Space) -> Architecture:
    """An architecture as JSON; also a whole trial as ``show --json`` writes it."""
    import json

    from archwright.space import Architecture

    if text.startswith("@"):
        try:
            text = Path(text[1:]).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise OutOfSpaceError(f"--architecture: {text[1:]} cannot be read ({why})") from None
    try:
        values = json.loads(text)
    except ValueError as error:
        raise OutOfSpaceError(f"--architecture is no JSON ({error}): give an object of decisions, or @FILE") from None
    if isinstance(values, dict) and isinstance(values.get("architecture"), dict):
        values = values["architecture"]
    if not isinstance(values, dict):
        raise OutOfSpaceError(f"--architecture is a JSON {type(values).__name__}: give an object of decisions")
    found = Architecture(values)
    space.check(found)
    return found


def _show(costs: dict[str, float], latency: Latency, architecture: Any) -> None:
    from rich.table import Table
    from rich.text import Text

    from archwright.report.wording import cost, cost_name

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(justify="right")
    table.add_column(style="dim")
    for name, found in costs.items():
        table.add_row(cost_name(name), cost(name, found), "")
    between = f"{cost('latency_ms', latency.low_ms)} to {cost('latency_ms', latency.high_ms)}"
    table.add_row("latency", cost("latency_ms", latency.median_ms), f"95% interval {between}, {latency.repeats} runs")
    shown = console.out()
    shown.print(table)
    if latency.drifted:
        console.note(
            f"the machine was not steady: a reference network changed its speed by {latency.drift:+.0%} meanwhile. "
            f"Measure again when it is less busy"
        )
    shown.print()
    shown.print(Text("Conditions", style="bold"))
    conditions = Table.grid(padding=(0, 2))
    conditions.add_column(style="dim")
    conditions.add_column()
    for name, value in latency.conditions.items():
        label = "reference network" if name == "reference_ms" else name.replace("_", " ")
        text = cost("latency_ms", value) if name.endswith("_ms") else value
        conditions.add_row(label, "x".join(map(str, text)) if isinstance(text, list) else str(text))
    shown.print(conditions)
    if architecture is not None:
        shown.print()
        shown.print(Text("Architecture, for --architecture", style="bold"))
        shown.print(Text(architecture.to_json()), soft_wrap=True)


COMMANDS: list[tuple[Any, str, str]] = [(measure, "Look", EXAMPLES)]
