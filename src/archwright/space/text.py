"""Spaces as text: for people, for fingerprints, and for telling two of them apart."""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from archwright.space.layout import Decision, plain, stable_text
from archwright.space.nodes import Call, Node, Repeat, made_by

__all__ = ["allowed_values", "outline", "rule_text", "when"]


def when(d: Decision, decisions: tuple[Decision, ...]) -> str:
    """When a decision is live, in words; empty where it always is."""
    cases = []
    for parent, codes in d.conditions:
        p = decisions[parent]
        shown = " or ".join(str(p.value(c)) for c in sorted(codes)[:4]) + (" ..." if len(codes) > 4 else "")
        cases.append(f"{p.name} is {shown}")
    return f"when {', or '.join(cases)}" if cases else ""


def allowed_values(d: Decision) -> str:
    """What a decision may be."""
    if d.kind in ("integer", "real"):
        return repr(d.node)
    if d.kind == "subset":
        return f"{d.node!r} ({d.size} outcomes)"
    return " | ".join(str(v) for v in d.values)


def rule_text(rule: Callable[..., bool]) -> str:
    """A rule's source, that of a lambda alone and not of the line it stands on; its name where there is no source."""
    try:
        source = textwrap.dedent(inspect.getsource(rule))
    except (OSError, TypeError):
        return stable_text(rule)
    try:
        lambdas = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Lambda)]
    except SyntaxError:  # the line is part of a longer expression
        lambdas = []
    if getattr(rule, "__name__", "") == "<lambda>" and len(lambdas) == 1:
        return ast.unparse(lambdas[0])
    return " ".join(source.split())


def outline(x: Any, indent: int = 0) -> Iterable[str]:
    """The value as an indented outline: what is fixed as well as what is open."""
    pad = "  " * indent
    call = x if isinstance(x, Call) else None if isinstance(x, Node) else made_by(x)
    if call is not None:
        yield f"{pad}{stable_text(call.function.function)}"
        for name, value in call.arguments():
            yield from _named(name, value, indent + 1)
    elif isinstance(x, Repeat):
        yield f"{pad}repeat{' tied' if x.tied else ''} {x.times!r}"
        yield from outline(x.body, indent + 1)
    elif isinstance(x, Node):
        options = getattr(x, "options", None)
        if options is None or all(map(plain, options)):
            yield f"{pad}{x!r}"
        else:
            yield f"{pad}{type(x).__name__.lower()} of"
            yield from itertools.chain.from_iterable(outline(o, indent + 1) for o in options)
    elif isinstance(x, Mapping):
        for name, value in x.items():
            yield from _named(str(name), value, indent)
    elif isinstance(x, (list, tuple)):
        for i, value in enumerate(x):
            yield from _named(str(i), value, indent)
    else:
        yield f"{pad}{stable_text(x)}"


def _named(name: str, value: Any, indent: int) -> Iterable[str]:
    lines = list(outline(value, indent + 1))
    if len(lines) == 1:
        yield f"{'  ' * indent}{name}: {lines[0].strip()}"
    else:
        yield f"{'  ' * indent}{name}:"
        yield from lines
