"""What gates cost in expectation, so that a search can be made to care about size as it learns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from archwright.cost import latency
from archwright.errors import ObjectiveError, did_you_mean
from archwright.nn.connect import Residual
from archwright.supernet.depth import Chain, Depth
from archwright.supernet.elastic import Elastic
from archwright.supernet.gates import SOFT, Gates, active
from archwright.supernet.mixed import Mixed
from archwright.supernet.skeleton import StandIn, untouched
from archwright.supernet.survey import Survey
from archwright.supernet.weightless import Shapes

__all__ = ["TABLED", "Table", "expectation"]

TABLED = ("params", "macs", "latency_ms")


class Table:
    """What each place costs under each combination of its own values, found out once, when first asked for.

    A place is looked at alone, with the input that it has in the largest network (or, if that does not reach it, the
    largest that it was met with). What connects others costs what it holds itself, a residual's projection; its latency
    is that of the projection alone.

    Args:
        name: ``params``, ``macs`` (of one input) or ``latency_ms`` (of one input, on this machine).
        preferred: Codes for what is beneath a place and not its own.
    """

    def __init__(self, name: str, preferred: list[int]):
        if name not in TABLED:
            raise ObjectiveError(f"no table of {name!r}. {did_you_mean(name, TABLED)}")
        self.name = name
        self._preferred = preferred
        self._survey = Survey(settles=False)
        self._costs: dict[tuple[str, tuple[int, ...]], tuple[float, tuple[int, ...]]] = {}

    def cost(self, place: Elastic, own: tuple[int, ...]) -> tuple[float, tuple[int, ...]]:
        """Of one place with these own codes: its cost, and how often it runs each of its children."""
        key = (repr(place.path), own)
        if key not in self._costs:
            codes = [c if c >= 0 else p for c, p in zip(place.reference.codes, self._preferred, strict=True)]
            for i, code in zip(place.own, own, strict=True):
                codes[i] = code
            with untouched():
                self._costs[key] = self._measured(place, own, Gates(codes, survey=self._survey))
        return self._costs[key]

    def _measured(self, place: Elastic, own: tuple[int, ...], gates: Gates) -> tuple[float, tuple[int, ...]]:
        shape, dtype = place.reference.shape, place.reference.dtype
        if not place.inner:
            return self._of(place.completed(place.made(own, gates), shape, dtype), shape, dtype), ()
        x = torch.zeros(1, *shape, dtype=dtype)
        stands: list[StandIn] = list(place._visitor.given.values())  # type: ignore[arg-type]
        made = place.made(own, gates).eval()
        for stand in stands:
            stand.calls = 0
        with active(gates), torch.no_grad():
            if isinstance(made, Residual):
                y = made.body(x)
                calls = tuple(stand.calls for stand in stands)
                return self._of(place.shortcut(made, tuple(x.shape), tuple(y.shape)), shape, dtype), calls
            place.completed(made, shape, dtype, gates)
            for stand in stands:
                stand.calls = 0
            made(x)  # so that what is beneath is known, and costs nothing in the next
            calls = tuple(stand.calls for stand in stands)
            if self.name == "macs":
                with Shapes([], [x]) as walk:
                    made(x)
                return float(walk.macs), calls
        return float(sum(p.numel() for p in made.parameters())) if self.name == "params" else 0.0, calls

    def _of(self, module: nn.Module, shape: tuple[int, ...], dtype: torch.dtype) -> float:
        if self.name == "params":
            return float(sum(p.numel() for p in module.parameters()))
        if not any(True for _ in module.modules() if not isinstance(_, nn.Identity)):
            return 0.0
        if self.name == "macs":
            with torch.inference_mode(), Shapes() as walk:
                module.eval()(torch.zeros(1, *shape, dtype=dtype))
            return float(walk.macs)
        if any(p.is_meta for p in module.parameters()):
            module = module.to_empty(device="cpu")
        return latency(module, shape, dtype=dtype).median_ms


def expectation(root: nn.Module, gates: Gates, table: Table) -> Tensor:
    """``sum over places of P(it runs) * E[its cost]``; differentiable in soft gates."""

    def of(place: Any) -> Tensor:
        if isinstance(place, Chain):
            return _sum(of(part) for part in place.parts)
        if isinstance(place, Mixed):
            return _weighed(gates, place.decision, lambda code: of(place.options[code]))
        if isinstance(place, Depth):
            if place.decision is None:
                return _sum(of(copy) for copy in place.copies)
            copies: dict[int, Tensor] = {}

            def first(code: int) -> Tensor:
                return _sum(copies.setdefault(i, of(place.copies[i])) for i in range(place.times[code]))

            return _weighed(gates, place.decision, first)
        return elastic(place)

    def elastic(place: Elastic) -> Tensor:
        total = torch.zeros(())
        calls = [torch.zeros(()) for _ in place.inner]
        used = [False] * len(calls)
        for own in place.combinations(gates):
            weight = place.weight(own, gates)
            cost, runs = table.cost(place, own)
            total = total + (cost if weight is None else weight * cost)
            for i, turns in enumerate(runs):
                n = min(turns, 1) if table.name == "params" else turns  # weights count once
                calls[i] = calls[i] + (n if weight is None else weight * n)
                used[i] |= n > 0
        return total + _sum(calls[i] * of(child) for i, child in enumerate(place.inner) if used[i])

    return of(root)


def _weighed(gates: Gates, decision: int, cost: Callable[[int], Tensor]) -> Tensor:
    code = gates.codes[decision]
    if code != SOFT:
        return cost(code)
    weights = gates.weights[decision]
    return _sum(weights[c] * cost(c) for c in gates.support[decision])


def _sum(terms: Any) -> Tensor:
    total = torch.zeros(())
    for term in terms:
        total = total + term
    return total
