"""Where the command line writes: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status
    from rich.table import Table

__all__ = ["Waiting", "columns", "complain", "emit", "err", "hint", "note", "out"]


def out() -> Console:
    """Standard output, for results."""
    from rich.console import Console

    return Console(highlight=False)


def err() -> Console:
    """Standard error, for progress and complaints."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def emit(document: Any) -> None:
    """Write one JSON document to standard output. Numbers that JSON has no word for become null."""
    print(json.dumps(_plain(document), indent=2, ensure_ascii=False, allow_nan=False))


def complain(message: str) -> None:
    """An error, for people: the message alone."""
    _say("error: ", "bold red", message)


def note(message: str) -> None:
    """Something worth knowing that is no error."""
    _say("note: ", "bold yellow", message)


def hint(console: Console, commands: Mapping[str, str]) -> None:
    """What to do next: commands, each with what it is for. They are written on one line, so that they can be copied."""
    from rich.text import Text

    width = max(map(len, commands), default=0)
    for command, purpose in commands.items():
        text = Text.assemble("  ", (f"{command:<{width}}", "cyan"), "  ", (purpose, "dim"))
        console.print(text, soft_wrap=True)


def columns(*titles: str) -> Table:
    """An empty table for people: the first column stays whole, the others fold."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for i, title in enumerate(titles):
        table.add_column(title, no_wrap=i == 0, overflow="fold")
    return table


def _say(label: str, style: str, message: str) -> None:
    from rich.text import Text

    console = err()
    # Where nobody watches, lines stay whole, so that logs can be searched.
    console.print(Text.assemble((label, style), message), soft_wrap=not console.is_terminal)


class Waiting:
    """A spinner on standard error while something takes its time; nothing where nobody watches.

    Args:
        quiet: Never show it.
    """

    def __init__(self, quiet: bool = False):
        console = err()
        self._status: Status | None = None
        if console.is_terminal and not quiet:
            self._status = console.status("")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def on(self, what: str) -> None:
        """Say what is being waited for."""
        if self._status is not None:
            self._status.update(f"[dim]{what}[/]")
            self._status.start()

    def stop(self) -> None:
        """Take the spinner away."""
        if self._status is not None:
            self._status.stop()


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return _plain(value.tolist())
    return value
