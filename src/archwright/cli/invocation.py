"""What was typed, as a line that can be typed again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["command_line", "examples", "remember"]

KEY = "archwright.arguments"


def remember(ctx: Any, arguments: Sequence[str]) -> None:
    """Keep the arguments in the context, where the command finds them."""
    ctx.meta[KEY] = tuple(arguments)


def command_line(ctx: Any, also: Mapping[str, Any] | None = None) -> str:
    """The line that was typed.

    Args:
        ctx: The command's context.
        also: Options to add unless they were typed: defaults that are not the same on every machine.
    """
    typed = [*ctx.meta.get(KEY, ())]
    for option, value in (also or {}).items():
        if not any(word == option or word.startswith(f"{option}=") for word in typed):
            typed += [option, str(value)]
    return shlex.join(["archwright", *typed])


def examples(lines: Mapping[str, str]) -> str:
    """The examples at the end of a help page: commands, each with what it does above it."""
    shown = "\n\n".join(f"[dim]# {purpose}[/]\n[cyan]{command}[/]" for command, purpose in lines.items())
    return f"[bold]Examples[/]\n\n{shown}"
