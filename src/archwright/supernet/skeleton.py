"""Networks of one place without their weights, and what stands in them for the parts that are places themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from archwright.nn.cell import Cell, StateCell
from archwright.nn.connect import Parallel
from archwright.nn.inferred import Block, is_materialized
from archwright.space.build import Path
from archwright.supernet.gates import Gates, active
from archwright.supernet.shared import Bound

__all__ = ["CHECKED", "Copied", "Skeleton", "StandIn", "Standing", "complete", "untouched"]

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

    def __call__(self, x: Tensor, training: bool, again: bool) -> Tensor:
        module, bound = self.module, self.bound
        if module.training is not training:
            module.train(training)
        if self.checked:
            module.waiting = True  # type: ignore[assignment]
        if bound is None:
            y: Tensor = module(x)
            return y
        lent = bound.put(again)
        try:
            y = module(x)
        finally:
            bound.take(None if again or not training else lent)
        return y


def complete(made: nn.Module, shape: tuple[int, ...], dtype: torch.dtype, gates: Gates | None = None) -> nn.Module:
    """Show a module one batch of two zero inputs; draws from torch's global generator."""
    if isinstance(made, Block):
        # As its first forward does, without the price of one.
        made.body = made._make((2, *shape))
        made.waiting = False
        if is_materialized(made):
            return made if made.training else made.train(False)
    mode = made.training
    made.eval()
    quiet = None if gates is None else Gates(gates.codes, gates.weights, gates.support, gates.survey, quiet=True)
    with torch.no_grad():
        if quiet is None:
            made(torch.zeros(2, *shape, dtype=dtype))
        else:
            with active(quiet):
                made(torch.zeros(2, *shape, dtype=dtype))
    return made.train(mode)
