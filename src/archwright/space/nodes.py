"""The five nodes: the open places of a search space.

A space is any nested Python value (calls, lists, tuples, dicts, plain values) in which some places are
left open by one of these. *Identity is sharing*: a node object is one decision, so the same object used
in two places always takes the same value in both; `repeat` opens a fresh copy for each of its times.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import math
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from archwright.errors import SpaceError

__all__ = [
    "Call",
    "Choice",
    "Integer",
    "Node",
    "Real",
    "Repeat",
    "Searchable",
    "Subset",
    "choice",
    "integer",
    "is_open",
    "made_by",
    "real",
    "remember",
    "repeat",
    "searchable",
    "subset",
]

REAL_LEVELS = 2**16
"""A real decision is resolved to this many levels, so that every architecture has an exact integer code."""

MOST_SUBSETS = 2**16

UNSAID: Any = object()
"""No default; None may be one."""


class Node:
    """An open place of a space. Compared and hashed by identity: the same object is the same decision."""

    name: str | None = None


class Decided(Node):
    """A node that is one decision with `size` codes, 0 to size - 1, each standing for a value."""

    size: int
    ordered: bool
    tied: bool
    default: int | None = None
    """The code to begin with, where one was named."""

    def value(self, code: int) -> Any:
        """What the code stands for."""
        raise NotImplementedError

    def _begins_with(self, value: Any) -> int | None:
        """The code of the default, which is one of the values; None where none was given."""
        if value is UNSAID:
            return None
        for code in range(self.size):
            own = self.value(code)
            if own is value or (type(own) is type(value) and not isinstance(own, Node) and own == value):
                return code
        raise SpaceError(f"{self!r} cannot begin with default={value!r}: it is none of the values")


class Choice(Decided):
    """One of several options; an option may itself hold open nodes. Made by `choice`."""

    ordered = False

    def __init__(self, options: Sequence[Any], name: str | None = None, tied: bool = False, default: Any = UNSAID):
        if not options:
            raise SpaceError(f"choice(name={name!r}) has no options: give at least one")
        self.options = tuple(options)
        self.size = len(self.options)
        self.name = name
        self.tied = tied
        self.default = self._begins_with(default)

    def value(self, code: int) -> Any:
        return self.options[code]

    def __repr__(self) -> str:
        return f"choice({', '.join(map(repr, self.options))})"


class Integer(Decided):
    """An integer in lo..hi by step; distance means something. Made by `integer`."""

    ordered = True

    def __init__(
        self, lo: int, hi: int, step: int = 1, name: str | None = None, tied: bool = False, default: Any = UNSAID
    ):
        if step < 1 or hi < lo:
            raise SpaceError(f"integer({lo}, {hi}, step={step}) is empty: lo must be at most hi, and step at least 1")
        self.lo, self.hi, self.step = lo, hi, step
        self.size = (hi - lo) // step + 1
        self.name = name
        self.tied = tied
        self.default = self._begins_with(default)

    def value(self, code: int) -> int:
        return self.lo + code * self.step

    def __repr__(self) -> str:
        return f"integer({self.lo}, {self.hi}" + (f", step={self.step})" if self.step != 1 else ")")


class Real(Decided):
    """A real number in lo..hi, evenly spread over it or over its logarithm. Made by `real`."""

    ordered = True
    size = REAL_LEVELS

    def __init__(
        self,
        lo: float,
        hi: float,
        log: bool = False,
        name: str | None = None,
        tied: bool = False,
        default: float | None = None,
    ):
        if not (math.isfinite(lo) and math.isfinite(hi) and lo < hi) or (log and lo <= 0):
            raise SpaceError(
                f"real({lo}, {hi}, log={log}) is empty: lo must be below hi, both finite, and above 0 where log=True"
            )
        self.lo, self.hi, self.log = float(lo), float(hi), log
        self.name = name
        self.tied = tied
        if default is not None:
            if not lo <= default <= hi:
                raise SpaceError(f"{self!r} cannot begin with default={default!r}: it is outside")
            self.default = self.code(default)

    def value(self, code: int) -> float:
        t = code / (self.size - 1)
        if self.log:
            return min(self.hi, self.lo * (self.hi / self.lo) ** t)
        return min(self.hi, self.lo + (self.hi - self.lo) * t)

    def code(self, value: float) -> int:
        """The code of the level nearest to `value`."""
        t = (
            math.log(value / self.lo) / math.log(self.hi / self.lo)
            if self.log
            else (value - self.lo) / (self.hi - self.lo)
        )
        return round(t * (self.size - 1))

    def __repr__(self) -> str:
        return f"real({self.lo:g}, {self.hi:g}" + (", log=True)" if self.log else ")")


class Subset(Decided):
    """Some of several options, in their order, e.g. which inputs a node reads. Made by `subset`."""

    ordered = False

    def __init__(
        self,
        options: Sequence[Any],
        size: int | tuple[int, int],
        name: str | None = None,
        tied: bool = False,
        default: Any = UNSAID,
    ):
        lo, hi = size if isinstance(size, tuple) else (size, size)
        self.options = tuple(options)
        if not 0 <= lo <= hi <= len(self.options):
            raise SpaceError(
                f"subset of {len(self.options)} options cannot have size {size}: allowed is 0..{len(self.options)}"
            )
        self.size = sum(math.comb(len(self.options), k) for k in range(lo, hi + 1))
        if self.size > MOST_SUBSETS:
            raise SpaceError(
                f"subset of {len(self.options)} options with size {size} has {self.size:,} outcomes, more than "
                f"{MOST_SUBSETS:,}: use a choice(True, False) for each option instead"
            )
        self.members = tuple(m for k in range(lo, hi + 1) for m in itertools.combinations(range(len(self.options)), k))
        self.name = name
        self.tied = tied
        self.default = self._begins_with(default)

    def value(self, code: int) -> list[Any]:
        return [self.options[i] for i in self.members[code]]

    def __repr__(self) -> str:
        return f"subset({list(self.options)!r}, {len(self.members[0])}..{len(self.members[-1])})"


class Repeat(Node):
    """`times` copies of `body`, spliced into the call or list that holds it. Made by `repeat`."""

    def __init__(self, body: Any, times: int | Integer | Choice, tied: bool = False, name: str | None = None):
        counts = [times] if isinstance(times, int) else [times.value(c) for c in range(times.size)]
        if not all(isinstance(t, int) and not isinstance(t, bool) and t >= 0 for t in counts):
            raise SpaceError(f"repeat(times={times!r}): times must be whole numbers, 0 or more")
        self.body, self.times, self.tied, self.name = body, times, tied, name
        self.most = max(counts)

    def __repr__(self) -> str:
        return f"repeat({self.body!r}, {self.times!r}{', tied=True' if self.tied else ''})"


class Call(Node):
    """A call that waits until its arguments are decided. Made by calling what `searchable` returns."""

    def __init__(self, function: Searchable, args: tuple[Any, ...], kwargs: dict[str, Any]):
        self.function, self.args, self.kwargs = function, args, kwargs
        self.name = None

    def arguments(self) -> Iterator[tuple[str, Any]]:
        """Each argument with the name of its parameter, or its position where it has none."""
        names = self.function.parameters
        for i, value in enumerate(self.args):
            yield (names[i] if i < len(names) else str(i)), value
        yield from self.kwargs.items()

    def __repr__(self) -> str:
        inside = [*map(repr, self.args), *(f"{k}={v!r}" for k, v in self.kwargs.items())]
        return f"{self.function.__name__}({', '.join(inside)})"


def choice(*options: Any, name: str | None = None, tied: bool = False, default: Any = UNSAID) -> Choice:
    """One of the options.

    Args:
        options: Any values; an option may hold open nodes, which count only while it is chosen.
        name: What the decision is called in architectures; by default where it stands.
        tied: Stay one decision even across the copies of a `repeat`.
        default: The option to begin with; see `Space.default`.

    >>> choice("relu", "silu", name="activation")
    choice('relu', 'silu')
    """
    return Choice(options, name, tied, default)


def integer(
    lo: int, hi: int, *, step: int = 1, name: str | None = None, tied: bool = False, default: Any = UNSAID
) -> Integer:
    """An integer in lo..hi (both included), by `step`; `default` is where to begin, see `Space.default`."""
    return Integer(lo, hi, step, name, tied, default)


def real(
    lo: float,
    hi: float,
    *,
    log: bool = False,
    name: str | None = None,
    tied: bool = False,
    default: float | None = None,
) -> Real:
    """A real number in lo..hi; with `log`, spread evenly over its logarithm.

    It is resolved to 65,536 levels, so that equal architectures are exactly equal. `default` is where to begin, see
    `Space.default`.
    """
    return Real(lo, hi, log, name, tied, default)


def repeat(
    body: Any,
    times: int | tuple[int, int] | Integer | Choice,
    *,
    tied: bool = False,
    name: str | None = None,
    default: Any = UNSAID,
) -> Repeat:
    """`times` independent copies of `body`, spliced into what holds it.

    Args:
        body: What to repeat; each copy decides its open nodes anew.
        times: A number, a range ``(lo, hi)``, or an open `integer` or `choice` of numbers: variable depth.
        tied: Let all copies decide alike (their weights stay their own).
        name: What the group is called in architectures: ``name/times``, ``name/0/width``; by default where it stands.
        default: How many to begin with, where `times` is a range; see `Space.default`.
    """
    if isinstance(times, tuple):
        return Repeat(body, Integer(*times, default=default), tied, name)
    if default is not UNSAID:
        raise SpaceError(f"repeat(times={times!r}, default={default!r}): a default is for a range of times (lo, hi)")
    return Repeat(body, times, tied, name)


def subset(
    options: Sequence[Any],
    size: int | tuple[int, int],
    *,
    name: str | None = None,
    tied: bool = False,
    default: Any = UNSAID,
) -> Subset:
    """A list of `size` of the options, in their order; `size` may be a range ``(lo, hi)``.

    `default` is the list to begin with; see `Space.default`.
    """
    return Subset(options, size, name, tied, default)


_made_by: weakref.WeakKeyDictionary[Any, Call] = weakref.WeakKeyDictionary()


def made_by(instance: Any) -> Call | None:
    """The searchable call that made this object at once, if one did: a space then knows what it computes."""
    try:
        return _made_by.get(instance)
    except TypeError:  # not hashable, or not weakly referable
        return None


def remember(made: Any, call: Call) -> None:
    """Note which searchable call made an object; plain values (numbers, tuples) speak for themselves."""
    with contextlib.suppress(TypeError):
        _made_by[made] = call


class Searchable:
    """What `searchable` returns: calling it waits when an argument is open, and runs at once when none is."""

    def __init__(self, function: Callable[..., Any], flow: Callable[..., Any] | None = None, name: str | None = None):
        functools.update_wrapper(self, function, updated=())
        self.__name__: str = name or str(getattr(function, "__name__", type(function).__name__))
        self.function = function
        self.flow = flow

    @functools.cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of the positional parameters; a ``*args`` ends them, for its places are numbered."""
        try:
            found = inspect.signature(self.function).parameters.values()
        except (TypeError, ValueError):
            return ()
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        return tuple(p.name for p in found if p.kind in kinds)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        call = Call(self, args, kwargs)
        if is_open(args) or is_open(kwargs):
            return call
        made = self.function(*args, **kwargs)
        remember(made, call)
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return Searchable, (self.function, self.flow, self.__name__)

    def __repr__(self) -> str:
        return f"searchable({getattr(self.function, '__qualname__', self.function)!s})"


def searchable(
    function: Callable[..., Any], *, flow: Callable[..., Any] | None = None, name: str | None = None
) -> Searchable:
    """Let `function` (a function, or a class such as ``torch.nn.Linear``) take open arguments.

    Args:
        function: Called with decided arguments whenever an architecture is built.
        flow: For layers that only connect others (sequences, residuals, cells): how data flows through the
            call, so that architectures that compute the same function are recognised. A function
            ``flow(flow, x, *args, **kwargs)`` that gets the arguments still open; see `archwright.space.Flow`.
            Without it, the call is one operation, told apart by its arguments.
        name: What it is called in architectures; the function's own name by default.

    >>> scale = searchable(lambda a, b: a * b)
    >>> scale(2, 3)
    6
    >>> scale(2, choice(3, 4)).kwargs
    {}
    """
    return function if isinstance(function, Searchable) else Searchable(function, flow, name)


def is_open(value: Any) -> bool:
    """Whether a node waits anywhere inside `value`."""
    if isinstance(value, Node):
        return True
    if isinstance(value, Mapping):
        return any(map(is_open, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(is_open, value))
    return False
