"""From an architecture's codes back to a value: every decision taken, every waiting call run."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from archwright.errors import ArchwrightError, EvaluationError
from archwright.space.layout import Layout, Scope, inner_scope, plain
from archwright.space.nodes import Call, Choice, Decided, Repeat, Subset

__all__ = ["build"]


def build(root: Any, layout: Layout, codes: Sequence[int]) -> Any:
    """The value of `root` under `codes` (one code a decision, -1 where it is not live).

    Objects in the space that are not plain (modules above all) are templates: each place gets its own deep
    copy, so that nothing built shares state with the space or with another build.
    """

    def value(x: Any, scope: Scope) -> Any:
        if plain(x):
            return x
        if isinstance(x, Choice):
            return value(x.options[codes[layout.index(x, scope)]], scope)
        if isinstance(x, Subset):
            members = x.members[codes[layout.index(x, scope)]]
            return [value(x.options[m], scope) for m in members]
        if isinstance(x, Decided):
            return x.value(codes[layout.index(x, scope)])
        if isinstance(x, Repeat):
            return list(copies(x, scope))
        if isinstance(x, Call):
            return run(x, scope)
        if isinstance(x, Mapping):
            return {k: value(v, scope) for k, v in x.items()}
        if isinstance(x, (list, tuple)):
            made = [part for v in x for part in parts(v, scope)]
            return type(x)(*made) if hasattr(x, "_fields") else type(x)(made)
        return copy.deepcopy(x)

    def copies(x: Repeat, scope: Scope) -> Iterator[Any]:
        times = x.times if isinstance(x.times, int) else x.times.value(codes[layout.index(x.times, scope)])
        for i in range(times):
            yield from parts(x.body, inner_scope(scope, x, i))

    def parts(x: Any, scope: Scope) -> Iterator[Any]:
        """The value, or the copies of a repeat, also of one that a choice leads to."""
        while isinstance(x, Choice):
            x = x.options[codes[layout.index(x, scope)]]
        if isinstance(x, Repeat):
            yield from copies(x, scope)
        else:
            yield value(x, scope)

    def run(x: Call, scope: Scope) -> Any:
        args = [part for a in x.args for part in parts(a, scope)]
        kwargs = {k: value(v, scope) for k, v in x.kwargs.items()}
        try:
            return x.function.function(*args, **kwargs)
        except ArchwrightError:
            raise
        except Exception as error:
            shown = ", ".join([*(_short(a) for a in args), *(f"{k}={_short(v)}" for k, v in kwargs.items())])
            raise EvaluationError(
                f"{x.function.__name__}({shown}) could not be built: {type(error).__name__}: {error}"
            ) from error

    return value(root, ())


def _short(value: Any) -> str:
    text = repr(value) if plain(value) else type(value).__name__
    return text if len(text) <= 40 else text[:37] + "..."
