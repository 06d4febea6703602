"""The command line as a whole: its commands, and what holds for all of them."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from archwright.cli import compare, export, lists, measure, predict, proxies, search, show, supernet, tasks
from archwright.cli.guard import guarded
from archwright.cli.invocation import remember

__all__ = ["app"]


class Commands(TyperGroup):
    """The group of all commands: remembers what was typed, and ends every error well."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep the arguments as they were typed: a run stores the command that repeats it."""
        remember(ctx, args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; see `guarded`."""
        with guarded(debug=bool(ctx.params.get("debug"))):
            return super().invoke(ctx)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Begin with [bold cyan]archwright search digits --budget 2m[/], then [bold cyan]archwright show[/].",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from archwright import __version__

        print(f"archwright {__version__}")
        raise typer.Exit()


@app.callback()
def archwright(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks, also with ARCHWRIGHT_DEBUG=1 in the environment.")
    ] = False,
) -> None:
    """Neural architecture search for PyTorch: data and a budget in, a trained network and the evidence for it out."""


_supernet = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False)
app.add_typer(
    _supernet,
    name="supernet",
    rich_help_panel="Search",
    help="Train one network that holds every architecture of a space; then search it for many budgets.",
)
for _function, _panel, _examples in supernet.COMMANDS:
    _supernet.command(rich_help_panel=_panel, epilog=_examples)(_function)

for _module in (search, show, export, predict, measure, compare, proxies, lists, tasks):
    for _function, _panel, _examples in _module.COMMANDS:
        app.command(rich_help_panel=_panel, epilog=_examples)(_function)
