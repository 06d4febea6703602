"""What is kept of a run so that it can be resumed, and checked against what it is resumed with."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from archwright.errors import ResumeError
from archwright.space import Space
from archwright.strategy import Strategy

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
    """
    kind = type(strategy)
    arguments = {}
    for name in list(inspect.signature(kind.__init__).parameters)[1:]:
        value = getattr(strategy, name, None)
        if isinstance(value, Space):
            continue
        try:
            json.dumps(value)
        except TypeError:
            continue  # a part that is no plain value: resuming then needs the strategy again
        arguments[name] = value
    return {"name": kind.__name__, "class": f"{kind.__module__}:{kind.__qualname__}", "arguments": arguments}


def make_strategy(described: Mapping[str, Any], space: Space) -> Strategy:
    """The strategy that `describe_strategy` described, made anew.

    Raises:
        ResumeError: It cannot be: it is defined in a script, or needs parts that are no plain values.
    """
    module, _, name = described["class"].partition(":")
    try:
        kind: Callable[..., Strategy] = getattr(importlib.import_module(module), name)
        return kind(space, **described["arguments"])
    except (ImportError, AttributeError, TypeError) as error:
        raise ResumeError(
            f"the strategy {described['name']} of this run cannot be made again ({error}): "
            "give it to resume(strategy=...)"
        ) from error


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
