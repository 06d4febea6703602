"""Soft inputs of a `StateCell`: each operation once on each state that it may read, not once for each combination."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from archwright.nn.cell import StateCell
from archwright.space.nodes import Call, Subset
from archwright.supernet.adding import changed_in_place, version_of, weighed_sum
from archwright.supernet.elastic import Elastic
from archwright.supernet.gates import SOFT, Gates

__all__ = ["SoftStates", "is_state_cell"]


def is_state_cell(x: Any) -> bool:
    """Whether this is a call of `StateCell` whose inputs are lists of numbers and subsets of numbers."""
    if not isinstance(x, Call) or x.function.function is not StateCell:
        return False
    inputs = dict(x.arguments()).get("inputs")
    return isinstance(inputs, (list, tuple)) and all(
        _numbers(i.options if isinstance(i, Subset) else i) for i in inputs
    )


def _numbers(x: Any) -> bool:
    return isinstance(x, (list, tuple, range)) and all(isinstance(i, int) for i in x)


class SoftStates(Elastic):
    """A `StateCell`. The sum over which states a node reads is linear in its terms, so it is taken term by term:
    ``sum_k sum_i P(the k-th operation reads state i) * operation_k(state_i)``.
    """

    def _soft(self, x: Tensor, gates: Gates) -> Tensor:
        call: Call = self.node
        positions = {name: place for (name, _), place in zip(call.arguments(), self._places_of(call), strict=True)}
        inputs, operations = dict(call.arguments())["inputs"], positions["operations"]
        states = [x]
        for node, read in enumerate(inputs):
            terms: list[Tensor] = []
            weights: list[Tensor | None] = []
            names: list[str] = []
            for (k, state), weight in self._readings(read, gates).items():
                source = states[state]
                version = version_of(source)
                place = self._visitor.given[(*self.path, operations, node, k)]
                terms.append(place(source))
                changed_in_place(repr(self.name), f"operation {k} of node {node + 1}", source, version)
                weights.append(weight)
                names.append(f"operation {k} of state {state}")
            states.append(weighed_sum(f"{self.name!r}, node {node + 1}", names, weights, terms, pads=False))
        return torch.cat(states[1:], 1)

    @staticmethod
    def _places_of(call: Call) -> list[int | str]:
        return [*range(len(call.args)), *call.kwargs]

    def _readings(self, read: Sequence[int] | Subset, gates: Gates) -> dict[tuple[int, int], Tensor]:
        """(number of the operation, number of the state): how much of it."""
        one = torch.ones(())
        if not isinstance(read, Subset):
            return dict.fromkeys(enumerate(read), one)
        i = self.layout.index(read, self.scope)
        code = gates.codes[i]
        found: dict[tuple[int, int], Tensor] = {}
        for c in gates.support[i] if code == SOFT else (code,):
            weight = gates.weights[i][c] if code == SOFT else one
            for k, member in enumerate(read.members[c]):
                key = (k, int(read.options[member]))
                found[key] = weight if key not in found else found[key] + weight
        return dict(sorted(found.items()))
