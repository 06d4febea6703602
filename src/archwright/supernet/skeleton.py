"""Networks of one place without their weights, and what stands in them for the parts that are places themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from archwright.nn.cell import Cell, StateCell
from archwright.nn.connect import Parallel
from archwright.nn.inferred import Block, is_materialized
from archwright.space.build import Path
from archwright.supernet.gates import Gates, active
from archwright.supernet.shared import Bound

__all__ = ["CHECKED", "Copied", "Skeleton", "StandIn", "Standing", "complete", "untouched", "zeros"]

CHECKED = (Parallel, Cell, StateCell)
"""They only wait for their first input to check that the parts fit; shapes leave no trace in them."""


@contextmanager
def untouched() -> Iterator[None]:
    """Draw from torch's generator on the processor without a trace (`torch.random.fork_rng` takes longer)."""
    state = torch.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(state)


def zeros(batch: int, shape: tuple[int, ...], dtype: torch.dtype, masked: bool) -> tuple[Tensor, ...]:
    """Inputs of zeros, and a mask of no padding where one is read."""
    x = torch.zeros(batch, *shape, dtype=dtype)
    return (x, torch.ones(batch, shape[-1], dtype=torch.bool)) if masked else (x,)


class Copied(Exception):
    """A function copied a module that it was given, which it must not do for the module to stand for another."""


class StandIn(nn.Module):
    """Stands for a place inside a network, and owns nothing."""

    def __init__(self, place: nn.Module):
        super().__init__()
        self.place = (place,)  # in a tuple, or it would be a part
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        """What the place makes of `x`."""
        self.calls += 1
        y: Tensor = self.place[0](x)
        return y

    def __deepcopy__(self, memo: Any) -> StandIn:
        raise Copied


class Standing:
    """A visitor that puts stand-ins at the places of modules."""

    def __init__(self, given: Mapping[Path, nn.Module]):
        self.given = given

    def instead(self, path: Path) -> Any:
        return self.given.get(path)

    def made(self, path: Path, value: Any) -> None:
        pass


class Skeleton:
    """A network of a place without its weights, for one combination of values and one input shape."""

    def __init__(self, module: nn.Module, bound: Bound | None):
        self.module, self.bound = module, bound
        self.checked = type(module) in CHECKED

    def __call__(self, x: Tensor, training: bool, again: bool, there: Tensor | None = None) -> Tensor:
        module, bound = self.module, self.bound
        if module.training is not training:
            module.train(training)
        if self.checked:
            module.waiting = True  # type: ignore[assignment]
        given = (x,) if there is None else (x, there)
        if bound is None:
            y: Tensor = module(*given)
            return y
        lent = bound.put(again)
        try:
            y = module(*given)
        finally:
            bound.take(None if again or not training else lent)
        return y


def complete(
    made: nn.Module, shape: tuple[int, ...], dtype: torch.dtype, gates: Gates | None = None, masked: bool = False
) -> nn.Module:
    """Show a module one batch of two zero inputs, with a mask if it reads one; draws from torch's global generator."""
    if isinstance(made, Block):
        # As its first forward does, without the price of one.
        made.masked = masked
        made.body = made._make_masked((2, *shape)) if masked else made._make((2, *shape))
        made.waiting = False
        if is_materialized(made):
            return made if made.training else made.train(False)
    mode = made.training
    made.eval()
    given = zeros(2, shape, dtype, masked)
    with torch.no_grad():
        if gates is None:
            made(*given)
        else:
            with active(replace(gates, again=False, quiet=True)):
                made(*given)
    return made.train(mode)
