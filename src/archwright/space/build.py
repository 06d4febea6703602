"""From an architecture's codes back to a value: every decision taken, every waiting call run."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from archwright.errors import ArchwrightError, EvaluationError
from archwright.space.layout import Layout, Scope, inner_scope, plain
from archwright.space.nodes import Call, Choice, Decided, Repeat, Subset

__all__ = ["Path", "Visitor", "build"]

Path = tuple[Any, ...]
"""From the root of a space to one of its parts; see `Visitor`."""


class Visitor(Protocol):
    """Looks on while a value is built, and may have its say. A path leads from the root to a place:

    the number of an argument or an element, the name of an argument, ``("option", code)`` of a choice or a subset,
    ``("copy", number)`` of a repeat.
    """

    def instead(self, path: Path) -> Any:
        """What stands at this place instead of what would be built there; None: build it."""
        ...

    def made(self, path: Path, value: Any) -> None:
        """What a call at this place made, or the copy of a template."""
        ...


def build(
    root: Any,
    layout: Layout,
    codes: Sequence[int],
    *,
    scope: Scope = (),
    path: Path = (),
    visitor: Visitor | None = None,
) -> Any:
    """The value of `root` under `codes` (one code a decision, -1 where it is not live).

    Objects in the space that are not plain (modules above all) are templates: each place gets its own deep
    copy, so that nothing built shares state with the space or with another build.

    Args:
        root: A value of the space, or a part of it.
        layout: Which node is which decision.
        codes: One code a decision.
        scope: Inside which copies of repeats `root` stands.
        path: Where `root` stands. Paths are followed only with a visitor.
        visitor: Is asked before each part is built, and told of what was made.
    """

    def value(x: Any, scope: Scope, path: Path) -> Any:
        if plain(x):
            return x
        if visitor is not None and (given := visitor.instead(path)) is not None:
            return given
        if isinstance(x, Choice):
            code = codes[layout.index(x, scope)]
            return value(x.options[code], scope, (*path, ("option", code)) if visitor else path)
        if isinstance(x, Subset):
            members = x.members[codes[layout.index(x, scope)]]
            return [value(x.options[m], scope, (*path, ("option", m)) if visitor else path) for m in members]
        if isinstance(x, Decided):
            return x.value(codes[layout.index(x, scope)])
        if isinstance(x, Repeat):
            return list(copies(x, scope, path))
        if isinstance(x, Call):
            made = run(x, scope, path)
        elif isinstance(x, Mapping):
            return {k: value(v, scope, (*path, k) if visitor else path) for k, v in x.items()}
        elif isinstance(x, (list, tuple)):
            items = [part for i, v in enumerate(x) for part in parts(v, scope, (*path, i) if visitor else path)]
            return type(x)(*items) if hasattr(x, "_fields") else type(x)(items)
        else:
            made = copy.deepcopy(x)
        if visitor is not None:
            visitor.made(path, made)
        return made

    def copies(x: Repeat, scope: Scope, path: Path) -> Iterator[Any]:
        times = x.times if isinstance(x.times, int) else x.times.value(codes[layout.index(x.times, scope)])
        for i in range(times):
            yield from parts(x.body, inner_scope(scope, x, i), (*path, ("copy", i)) if visitor else path)

    def parts(x: Any, scope: Scope, path: Path) -> Iterator[Any]:
        """The value, or the copies of a repeat, also of one that a choice leads to."""
        if visitor is not None and (given := visitor.instead(path)) is not None:
            yield given
            return
        while isinstance(x, Choice):
            code = codes[layout.index(x, scope)]
            x, path = x.options[code], (*path, ("option", code)) if visitor else path
        if isinstance(x, Repeat):
            yield from copies(x, scope, path)
        else:
            yield value(x, scope, path)

    def run(x: Call, scope: Scope, path: Path) -> Any:
        args = [part for i, a in enumerate(x.args) for part in parts(a, scope, (*path, i) if visitor else path)]
        kwargs = {k: value(v, scope, (*path, k) if visitor else path) for k, v in x.kwargs.items()}
        try:
            return x.function.function(*args, **kwargs)
        except ArchwrightError:
            raise
        except Exception as error:
            shown = ", ".join([*(_short(a) for a in args), *(f"{k}={_short(v)}" for k, v in kwargs.items())])
            raise EvaluationError(
                f"{x.function.__name__}({shown}) could not be built: {type(error).__name__}: {error}"
            ) from error

    return value(root, scope, path)


def _short(value: Any) -> str:
    text = repr(value) if plain(value) else type(value).__name__
    return text if len(text) <= 40 else text[:37] + "..."
