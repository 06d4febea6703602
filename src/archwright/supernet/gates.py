"""Gates: how much of each option of each decision there is. Read once a forward, and reached by places within it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from archwright.errors import EvaluationError, OutOfSpaceError, SpaceError
from archwright.space import Architecture, Decision, Space

__all__ = ["MOST_OPTIONS", "SOFT", "Gates", "active", "current", "read"]

SOFT = -2
"""Stands in the codes of a decision that is decided softly."""

MOST_OPTIONS = 64
"""Soft gates make no sense for decisions of more values."""

SUM_TOLERANCE = 1e-3


@dataclass
class Gates:
    """The state of one forward.

    Args:
        codes: A code a decision: -1 where it is not live, `SOFT` where it is soft.
        weights: For each soft decision its gates, one a code.
        support: For each soft decision the codes whose gate is not zero.
        survey: While the supernet is being made: what is asked of the places.
        quiet: Places run in evaluation mode, for a look at shapes.
        again: A second computation of what has been computed (checkpointing): statistics are left alone.
        there: Inside a network of tokens, (B, T), where there is no padding.
    """

    codes: list[int]
    weights: dict[int, Tensor] = field(default_factory=dict)
    support: dict[int, tuple[int, ...]] = field(default_factory=dict)
    survey: Any = None
    quiet: bool = False
    again: bool = False
    there: Tensor | None = None


_current: ContextVar[Gates | None] = ContextVar("gates", default=None)


def current() -> Gates:
    """The gates of the forward that is running."""
    gates = _current.get()
    if gates is None:
        raise EvaluationError(
            "a part of a supernet was called by itself, where no gates are: call the supernet with gates, or take a "
            "network out by supernet.subnet(architecture)"
        )
    return gates


@contextmanager
def active(gates: Gates) -> Iterator[None]:
    """Within it, places see these gates; afterwards those of before."""
    token = _current.set(gates)
    try:
        yield
    finally:
        _current.reset(token)


def read(space: Space, given: Architecture | Sequence[int | Tensor]) -> Gates:
    """Gates as they are given, checked.

    Raises:
        SpaceError: They are too many or too few, are negative or do not sum to 1, or lack a decision that is live.
    """
    if isinstance(given, Architecture):
        return Gates(space.codes([given])[0].tolist())
    decisions = space.decisions
    if len(given) != len(decisions):
        raise SpaceError(
            f"gates: got {len(given)}, but the space has {len(decisions)} decisions; give one entry a decision, in the "
            "order of space.decisions (-1 for one that is not live)"
        )
    gates = Gates([])
    for i, (d, entry) in enumerate(zip(decisions, given, strict=True)):
        if not _is_live(d, gates):
            gates.codes.append(-1)
        elif isinstance(entry, Tensor) and entry.dim() > 0:
            gates.support[i] = _support(d, entry)
            gates.weights[i] = entry
            gates.codes.append(SOFT)
        else:
            gates.codes.append(_code(d, entry))
    return gates


def _is_live(d: Decision, gates: Gates) -> bool:
    """Whether any of its conditions may hold; a soft parent holds with each of its codes that is not zero."""
    if not d.conditions:
        return True
    for parent, allowed in d.conditions:
        code = gates.codes[parent]
        if code in allowed or (code == SOFT and not allowed.isdisjoint(gates.support[parent])):
            return True
    return False


def _code(d: Decision, entry: Any) -> int:
    try:
        code = int(entry)
        whole = code == entry and not isinstance(entry, bool)
    except (TypeError, ValueError):
        whole = False
    if not whole:
        raise SpaceError(
            f"gates: decision {d.name!r} takes a code in 0..{d.size - 1}, or a tensor of {d.size} numbers; got "
            f"{entry!r}"
        )
    if code == -1:
        raise SpaceError(
            f"gates: decision {d.name!r} is live here, but its entry is -1; give a code in 0..{d.size - 1}, or a "
            f"tensor of {d.size} numbers"
        )
    if not 0 <= code < d.size:
        raise OutOfSpaceError(f"gates: decision {d.name!r} has no code {code}; allowed is 0..{d.size - 1}")
    return code


def _support(d: Decision, weights: Tensor) -> tuple[int, ...]:
    where = f"gates: decision {d.name!r}"
    if d.kind == "real" or d.size > MOST_OPTIONS:
        raise SpaceError(
            f"{where} has {d.size:,} values, too many for soft gates (at most {MOST_OPTIONS}); give a code instead"
        )
    if tuple(weights.shape) != (d.size,):
        raise SpaceError(f"{where} takes a tensor of {d.size} numbers; got one of shape {tuple(weights.shape)}")
    numbers = weights.detach().tolist()
    if not weights.is_floating_point() or not all(math.isfinite(n) for n in numbers):
        raise SpaceError(f"{where} takes finite floating-point numbers; got {numbers}")
    if min(numbers) < 0:
        raise SpaceError(f"{where} has a negative number: {numbers}; gates are 0 or more, as softmax gives them")
    if abs(sum(numbers) - 1) > SUM_TOLERANCE:
        raise SpaceError(f"{where} sums to {sum(numbers):.6g}, not 1: {numbers}")
    return tuple(code for code, n in enumerate(numbers) if n != 0)
