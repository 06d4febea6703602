"""From a class, or any function of a space, to a strategy that knows what the search knows."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from archwright.objective import Objectives
from archwright.space import Architecture, Space
from archwright.strategy.strategy import Strategy

__all__ = ["Known", "make", "space_of"]


@dataclass(frozen=True)
class Known:
    """What a search knows before its first trial; a strategy is told what its constructor has an argument for.

    Args:
        objectives: The goals, in the order of the trials' scores, and the ceilings.
        max_epochs: How long a full training is.
        costs: The costs that goals and ceilings name, of an architecture that need not be trained for it; None where
            no cost is known without training. Raises an `archwright.errors.ArchwrightError` where it cannot be built.
        examples: Architectures to begin with: the space's default, and where there are ceilings others that meet them.
    """

    objectives: Objectives | None = None
    max_epochs: int | None = None
    costs: Callable[[Architecture], Mapping[str, float]] | None = None
    examples: Sequence[Architecture] = ()


NAMES = tuple(f.name for f in fields(Known))


def make(factory: Callable[..., Strategy], space: Space, known: Known, **settings: Any) -> Strategy:
    """Call ``factory(space, **settings)``, with what is `known` of the arguments that it declares."""
    declared = inspect.signature(factory).parameters
    told = {n: getattr(known, n) for n in NAMES if n in declared and n not in settings}
    # What is not known is left out, so that the strategy's own default or its own error decides.
    given = {n: v for n, v in told.items() if v is not None}
    return factory(space, **given, **settings)


def space_of(strategy: Strategy) -> Space:
    """The space that a strategy searches, for those that wrap it.

    Raises:
        TypeError: It is no strategy, or keeps its space under another name than ``space``.
    """
    space = getattr(strategy, "space", None)
    if not isinstance(strategy, Strategy) or not isinstance(space, Space):
        raise TypeError(
            f"a strategy that holds its space as .space is needed here, such as Random(space), got {strategy!r:.80}"
        )
    return space
