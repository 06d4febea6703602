"""How data flows through a space: the language in which connecting layers say what they compute.

A connecting layer (a sequence, a residual, a cell) has a *flow rule*, written once against `Flow`. Two
interpreters run it: one on a whole batch of architectures at once, to hash what each computes
(`archwright.space.canonical`), and one on a single architecture, to draw it (`archwright.space.graph`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["Flow"]


class Flow(ABC):
    """What a flow rule may say. Signals (`x` and all results) are opaque: pass them on, never look inside.

    Arguments of a rule may still hold open nodes, so a rule never branches on them in Python; `select` does.

    .. code-block:: python

        def residual_flow(flow, x, body):
            return flow.sum([x, flow.apply(body, x)])
    """

    @abstractmethod
    def op(self, label: Any, x: Any, *, zero: bool = False) -> Any:
        """One operation on `x`, told apart by `label`: any nested value, open nodes allowed.

        With `zero` it maps nothing to nothing (pooling, an activation), so a dead input makes it dead.
        """

    @abstractmethod
    def apply(self, module: Any, x: Any) -> Any:
        """What `module` (a searchable call, a choice of modules, a module) makes of `x`."""

    @abstractmethod
    def each(self, modules: Iterable[Any], x: Any) -> list[Any]:
        """Every module on the same `x`; repeats are spliced, and copies that are not there give `zero`."""

    @abstractmethod
    def chain(self, modules: Iterable[Any], x: Any) -> Any:
        """One module after the other; repeats are spliced, and copies that are not there are passed by."""

    @abstractmethod
    def sum(self, xs: Iterable[Any]) -> Any:
        """The sum, in which order does not matter and zeros vanish."""

    @abstractmethod
    def concat(self, xs: Iterable[Any]) -> Any:
        """The concatenation, in order; zeros vanish, and one input alone is that input."""

    @abstractmethod
    def zero(self) -> Any:
        """No signal."""

    @abstractmethod
    def select(self, value: Any, function: Callable[[Any], Any]) -> Any:
        """``function(decided value)``, where `value` may be an open choice, integer or subset."""
