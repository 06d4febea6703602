"""What is kept of a run so that it can be resumed, and checked against what it is resumed with."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from archwright.errors import ResumeError
from archwright.space import Space
from archwright.strategy import Known, Strategy

if TYPE_CHECKING:
    from archwright.task import Task

__all__ = [
    "check_same_space",
    "check_same_task",
    "describe_space",
    "describe_strategy",
    "describe_task",
    "make_strategy",
]

NOT_PLAIN = ("objectives", "costs")
"""What a search tells a strategy (`archwright.strategy.Known`) that is no plain value: it is told again at a resume."""


def describe_space(space: Space) -> dict[str, Any]:
    """A space as JSON: its fingerprint, and the text that shows what changed should it change."""
    return {
        "fingerprint": space.fingerprint,
        "decisions": len(space.decisions),
        "text": space.text,
        "description": space.describe(),
    }


def describe_task(task: Task | None) -> dict[str, Any] | None:
    """A task as JSON: its fingerprint and its measured description."""
    return None if task is None else {"fingerprint": task.fingerprint, **task.describe()}


def describe_strategy(strategy: Strategy) -> dict[str, Any]:
    """A strategy as JSON: where its class is, and the arguments that it was made with.

    The constructor is the configuration: arguments are stored under their own names, so they can be read back.
    Strategies among them are described alike, under ``parts``; functions by where they are, under ``functions``; and
    of what only a search knows (`archwright.strategy.Known`), ``told`` says whether it was given.
    """
    kind = type(strategy)
    arguments: dict[str, Any] = {}
    parts: dict[str, Any] = {}
    functions: dict[str, str] = {}
    told: list[str] = []
    space = None
    for name in list(inspect.signature(kind.__init__).parameters)[1:]:
        value = getattr(strategy, name, None)
        if isinstance(value, Space):
            space = name
        elif isinstance(value, Strategy):
            parts[name] = describe_strategy(value)
        elif isinstance(value, (list, tuple)) and value and all(isinstance(v, Strategy) for v in value):
            parts[name] = [describe_strategy(v) for v in value]
        elif name in NOT_PLAIN:
            if value is not None:
                told.append(name)
        elif name == "examples":
            arguments[name] = [dict(architecture) for architecture in value or ()]
        elif inspect.isfunction(value) and _importable(value):
            functions[name] = f"{value.__module__}:{value.__qualname__}"
        else:
            try:
                json.dumps(value)
            except TypeError:
                continue  # a part that is no plain value: resuming then needs the strategy again
            arguments[name] = value
    described = {"name": kind.__name__, "class": f"{kind.__module__}:{kind.__qualname__}", "arguments": arguments}
    more = {"space": space, "parts": parts, "functions": functions, "told": told}
    return described | {name: value for name, value in more.items() if value}


def make_strategy(described: Mapping[str, Any], space: Space, known: Known | None = None) -> Strategy:
    """The strategy that `describe_strategy` described, made anew.

    Args:
        described: What a run keeps of it.
        space: What it searches.
        known: What the search knows; given again to those that had been given it.

    Raises:
        ResumeError: It cannot be: it is defined in a script, or needs parts that are no plain values.
    """
    arguments = dict(described["arguments"])
    for name, part in described.get("parts", {}).items():
        several = isinstance(part, list)
        arguments[name] = (
            [make_strategy(p, space, known) for p in part] if several else make_strategy(part, space, known)
        )
    for name in described.get("told", ()):
        value = getattr(known, name, None)
        if value is not None:
            arguments[name] = value
    try:
        if "examples" in arguments:
            arguments["examples"] = [space.architecture(values) for values in arguments["examples"]]
        for name, where in described.get("functions", {}).items():
            arguments[name] = _found(where)
        kind: Callable[..., Strategy] = _found(described["class"])
        if described.get("space"):
            return kind(**{described["space"]: space}, **arguments)
        return kind(**arguments) if described.get("parts") else kind(space, **arguments)
    except (ImportError, AttributeError, TypeError) as error:
        raise ResumeError(
            f"the strategy {described['name']} of this run cannot be made again ({error}): "
            "give it to resume(strategy=...)"
        ) from error


def _importable(function: Callable[..., Any]) -> bool:
    return function.__module__ != "__main__" and function.__qualname__.isidentifier()


def _found(where: str) -> Any:
    module, _, name = where.partition(":")
    return getattr(importlib.import_module(module), name)


def check_same_space(stored: Mapping[str, Any], space: Space) -> None:
    """Raise `ResumeError` with the difference unless the space is the one that the run began with."""
    if stored.get("fingerprint") == space.fingerprint:
        return
    raise ResumeError(
        "the space has changed since this run began, so its trials say nothing about it (- then, + now):\n"
        f"{space.difference(stored.get('text', ''))}\nResume with the space of then, or start a new run"
    )


def check_same_task(stored: Mapping[str, Any] | None, task: Task | None) -> None:
    """Raise `ResumeError` with the difference unless the data are the ones that the run began with."""
    now = describe_task(task)
    if (stored or {}).get("fingerprint") == (now or {}).get("fingerprint"):
        return
    before, after = stored or {}, now or {}
    changed = [
        f"  {key}: {before.get(key)!r} then, {after.get(key)!r} now"
        for key in dict.fromkeys((*before, *after))
        if key != "fingerprint" and json.dumps(before.get(key), default=str) != json.dumps(after.get(key), default=str)
    ]
    raise ResumeError(
        "the data have changed since this run began, so old and new trials cannot be compared:\n"
        + ("\n".join(changed) or "  the same description, but other values")
        + "\nResume with the data of then, or start a new run"
    )
