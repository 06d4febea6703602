"""Your own function as the evaluator: no base class, no framework to adopt."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from numbers import Real
from typing import TYPE_CHECKING, Any

from archwright.errors import EvaluationError
from archwright.evaluator.evaluator import Context, StopTrial
from archwright.trial import Measurement, Proposal

if TYPE_CHECKING:
    import torch

    from archwright.space import Architecture, Space

__all__ = ["Function"]

_OFFERED = ("model", "architecture", "epochs", "seed", "report")


class Function:
    """Measures by calling a function of yours with what its signature asks for, by name.

    ===================  =======================================================================================
    ``model``            what the space builds from the architecture (a network: its weights drawn from the seed)
    ``architecture``     the decisions, a mapping of names to values
    ``epochs``           how long to train, where the strategy says so, else None
    ``seed``             an int: make all randomness a function of it
    ``report``           call ``report(accuracy=0.9)`` or ``report({"accuracy": 0.9})`` after each epoch: it draws the
                         learning curve, and raises where the trial shall end (let it pass)
    ===================  =======================================================================================

    It returns a number, or a mapping of names to numbers. A function of one argument of another name gets the
    architecture, so that ``lambda a: a["x"] ** 2`` will do. The model is built only when it is asked for.

    Args:
        function: Called once a trial. In other processes it runs with a copy of all that it closes over.
        space: Where its architectures come from; needed only for ``model`` and `costs`.
        metric: What a bare number is called.
        input_shape: Shape of one input, without the batch. With it, ceilings on parameters, MACs and the like are
            checked before the function is called, and lazy layers get their sizes before the model is handed over.
        input_dtype: Of the inputs; int64 for networks that begin with an embedding, by default as the weights.

    >>> evaluate = Function(lambda architecture: 2 * architecture["x"], metric="loss")
    >>> from archwright.space import Architecture
    >>> dict(evaluate(Proposal(Architecture({"x": 4})), seed=0).metrics)
    {'loss': 8.0}
    """

    def __init__(
        self,
        function: Callable[..., Any],
        space: Space | None = None,
        *,
        metric: str = "score",
        input_shape: tuple[int, ...] | None = None,
        input_dtype: torch.dtype | None = None,
    ):
        if not callable(function):
            raise EvaluationError(f"Function needs something that can be called, got {function!r}")
        self.function = function
        self.space = space
        self.metric = metric
        self.input_shape = input_shape
        self.input_dtype = input_dtype
        self._wanted = _wanted(function)
        if "model" in self._wanted and space is None:
            raise EvaluationError(f"{_name(function)} asks for a model: give Function the space that builds it")

    def __call__(self, proposal: Proposal, seed: int, context: Context | None = None) -> Measurement:
        """Call the function for one proposal.

        Raises:
            EvaluationError: what it returned is neither a finite number nor a mapping of names to such.
        """
        context = Context() if context is None else context
        started = time.monotonic()
        curve = _Curve(self.metric, context, _name(self.function))
        stopped = ""
        with _randomness(seed) if "model" in self._wanted else nullcontext():
            offered = {
                "architecture": lambda: proposal.architecture,
                "epochs": lambda: proposal.epochs,
                "seed": lambda: seed,
                "report": lambda: curve.report,
                "model": lambda: self.build(proposal.architecture),
            }
            arguments = {parameter: offered[what]() for parameter, what in self._wanted.items()}
            positional = [arguments.pop(p) for p in list(arguments) if p.startswith("/")]
            try:
                returned = self.function(*positional, **arguments)
            except StopTrial as stop:
                if not curve.points:
                    raise EvaluationError(f"{_name(self.function)} was stopped before it reported a result") from None
                stopped = str(stop) or "stopped"
                returned = {k: v for k, v in curve.points[-1].items() if k != "epoch"}
        if isinstance(returned, Measurement):
            return returned
        return Measurement(
            metrics=_numbers(returned, self.metric, f"{_name(self.function)} returned"),
            curve=tuple(curve.points),
            seconds=time.monotonic() - started,
            epochs=len(curve.points),
            extra={"stopped": stopped} if stopped else {},
        )

    def build(self, architecture: Architecture) -> Any:
        """What the space builds; a lazy network gets its sizes where `input_shape` was given."""
        assert self.space is not None
        model = self.space.build(architecture)
        if self.input_shape is None:
            return model
        from archwright.nn import materialize

        return materialize(model, self.input_shape, **({"dtype": self.input_dtype} if self.input_dtype else {}))

    @property
    def costs(self) -> Callable[[Architecture, tuple[str, ...]], dict[str, float]]:
        """``costs(architecture, names)``: costs known without calling the function. There only with `input_shape`."""
        if self.space is None or self.input_shape is None:
            raise AttributeError("a Function knows costs only when it is given a space and an input_shape")
        return self._costs

    def _costs(self, architecture: Architecture, names: tuple[str, ...]) -> dict[str, float]:
        from archwright.evaluator.expense import expense

        assert self.space is not None
        assert self.input_shape is not None
        return expense(self.space.build(architecture), self.input_shape, names, self.input_dtype)

    def __repr__(self) -> str:
        return f"Function({_name(self.function)})"


class _Curve:
    """Collects what the function reports and passes it on."""

    def __init__(self, metric: str, context: Context, name: str):
        self.points: list[dict[str, float]] = []
        self._metric, self._context, self._name = metric, context, name

    def report(self, point: Any = None, **values: Any) -> None:
        """One point of the learning curve: a number, a mapping, keyword numbers. May raise `StopTrial`."""
        merged = {} if point is None else _numbers(point, self._metric, f"{self._name} reported", finite=False)
        merged.update(_numbers(values, self._metric, f"{self._name} reported", finite=False) if values else {})
        if not merged:
            raise EvaluationError(f"{self._name} reported nothing: call report(accuracy=0.9) or report({{...}})")
        self.points.append({"epoch": len(self.points) + 1, **merged})
        self._context.report(self.points[-1])
        if self._context.deadline is not None and time.monotonic() > self._context.deadline:
            raise StopTrial("deadline")


def _name(function: Any) -> str:
    return f"{getattr(function, '__qualname__', type(function).__name__)}()"


def _wanted(function: Callable[..., Any]) -> dict[str, str]:
    """Which parameter gets what. Keys that begin with ``/`` are passed by position."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some built-in functions have no signature
        return {"/0": "architecture"}
    wanted: dict[str, str] = {}
    strangers = []
    for p in parameters:
        if p.kind is p.VAR_KEYWORD:
            named = {q.name for q in parameters}
            wanted.update({what: what for what in _OFFERED if what not in named})
        elif p.kind is p.VAR_POSITIONAL:
            continue
        elif p.name in _OFFERED:
            wanted["/" + p.name if p.kind is p.POSITIONAL_ONLY else p.name] = p.name
        elif p.default is p.empty:
            strangers.append(p)
    if len(strangers) == 1 and not wanted and strangers[0].kind is not inspect.Parameter.KEYWORD_ONLY:
        return {"/0": "architecture"}
    if strangers:
        names = ", ".join(p.name for p in strangers)
        raise EvaluationError(
            f"{_name(function)} needs {names}, which an evaluator cannot give. Allowed: {', '.join(_OFFERED)}; "
            f"give other arguments a default, or bind them with functools.partial"
        )
    return wanted


def _numbers(value: Any, metric: str, where: str, finite: bool = True) -> dict[str, float]:
    if isinstance(value, Mapping):
        if not value:
            raise EvaluationError(f"{where} an empty mapping: at least one number is needed")
        return {str(name): _number(v, f"{where} {name}={v!r}", finite) for name, v in value.items()}
    return {metric: _number(value, f"{where} {value!r}", finite)}


def _number(value: Any, what: str, finite: bool) -> float:
    if getattr(value, "shape", None) == () and hasattr(value, "item"):  # numpy's and torch's scalars
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real):
        raise EvaluationError(
            f"{what}, of type {type(value).__name__}: allowed is a number, or a mapping of names to numbers"
        )
    if finite and not math.isfinite(value):
        raise EvaluationError(f"{what}: a result must be finite")
    return float(value)


def _randomness(seed: int) -> Any:
    from archwright.evaluator.randomness import seeded

    return seeded(seed)
