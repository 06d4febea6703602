"""Cells: small graphs of operations, every edge a decision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from archwright.errors import EvaluationError, SpaceError
from archwright.nn.connect import may_be_zero
from archwright.nn.inferred import Inferred
from archwright.space import Flow, choice

__all__ = ["Cell", "StateCell", "cell_flow", "edges", "state_cell_flow"]


def edges(options: Sequence[Any], nodes: int = 4) -> list[Any]:
    """One choice among `options` for each edge of a `Cell`, named ``0->1``, ``0->2``, ``1->2``, ...

    >>> edges(["skip", "conv"], nodes=3)
    [choice('skip', 'conv'), choice('skip', 'conv'), choice('skip', 'conv')]
    """
    return [choice(*options, name=f"{i}->{j}") for i, j in _pairs(nodes)]


def _pairs(nodes: int) -> Iterator[tuple[int, int]]:
    return ((i, j) for j in range(1, nodes) for i in range(j))


def _nodes(n_edges: int) -> int:
    nodes = 2
    while nodes * (nodes - 1) // 2 < n_edges:
        nodes += 1
    if nodes * (nodes - 1) // 2 != n_edges:
        raise SpaceError(
            f"Cell: {n_edges} edges make no complete graph: 2 nodes have 1, 3 have 3, 4 have 6, 5 have 10; see nn.edges"
        )
    return nodes


class Cell(Inferred):
    """A complete acyclic graph: node j is the sum over all earlier nodes i of ``edge i->j`` applied to node i.

    Dong and Yang, *NAS-Bench-201*, ICLR 2020 (https://arxiv.org/abs/2001.00326). Node 0 is the input, the last node the
    output. Edges must agree in shape where they meet: usually each keeps it (`ConvBlock` without a width).

    Args:
        edges: A module an edge, in the order 0->1, 0->2, 1->2, 0->3, ...; for n nodes there are n (n - 1) / 2.
    """

    def __init__(self, *edges: nn.Module):
        super().__init__()
        self.nodes = _nodes(len(edges))
        self.edges = nn.ModuleList(edges)

    def forward(self, x: Tensor) -> Tensor:
        """The last node's sum."""
        states = [x]
        edge = iter(self.edges)
        for node in range(1, self.nodes):
            terms = [next(edge)(state) for state in states]
            if self.waiting:
                _check_terms(f"Cell: node {node}", terms)
            states.append(_total(terms))
        self.waiting = False
        return states[-1]


def cell_flow(flow: Flow, x: Any, *edges: Any) -> Any:
    """Sums at the nodes; what no path to the output reads is not there."""
    states = [x]
    edge = iter(edges)
    for _ in range(1, _nodes(len(edges))):
        states.append(flow.sum([flow.apply(next(edge), state) for state in states]))
    return states[-1]


class StateCell(Inferred):
    """Nodes that each read some earlier states, one operation a reading; all new states are concatenated.

    The cell of Zoph et al., CVPR 2018 (https://arxiv.org/abs/1707.07012) and of DARTS (https://arxiv.org/abs/1806.09055),
    with one input in place of two. State 0 is the input, state i the i-th node's sum.

    Args:
        inputs: For each node which states it reads, by number: usually ``subset(range(i), 2)`` for node i (from 1), or
            ``[0]`` for the first.
        operations: For each node its operations: the k-th is applied to the k-th state that it reads. There may be more
            than are read.

    A node of a space::

        StateCell(inputs=[[0], subset([0, 1], 2), subset([0, 1, 2], 2)],
                  operations=[[choice(*ops)], [choice(*ops), choice(*ops)], [choice(*ops), choice(*ops)]])
    """

    def __init__(self, inputs: Sequence[Sequence[int]], operations: Sequence[Sequence[nn.Module]]):
        super().__init__()
        if len(inputs) != len(operations) or not inputs:
            raise SpaceError(
                f"StateCell: {len(inputs)} nodes read but {len(operations)} have operations; give as many of both"
            )
        for node, (read, ops) in enumerate(zip(inputs, operations, strict=True), start=1):
            if not read or len(read) > len(ops) or not all(0 <= i < node for i in read):
                raise SpaceError(
                    f"StateCell: node {node} reads states {list(read)} with {len(ops)} operations; it may read "
                    f"0..{node - 1}, one or more, with an operation for each"
                )
        self.inputs = [list(read) for read in inputs]
        # Operations that nothing is given to would never learn their shape: they are left out.
        self.operations = nn.ModuleList(
            nn.ModuleList(ops[: len(read)]) for read, ops in zip(inputs, operations, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """All nodes' sums, concatenated."""
        states = [x]
        for node, (read, ops) in enumerate(zip(self.inputs, self.operations, strict=True), start=1):
            terms = [op(states[i]) for op, i in zip(ops, read, strict=True)]  # type: ignore[call-overload]
            if self.waiting:
                _check_terms(f"StateCell: node {node}", terms)
            states.append(_total(terms))
        self.waiting = False
        return torch.cat(states[1:], 1)


def state_cell_flow(flow: Flow, x: Any, inputs: Sequence[Any], operations: Sequence[Sequence[Any]]) -> Any:
    """Sums at the nodes, concatenated; an operation that reads nothing is not there."""
    states = [x]
    for read, ops in zip(inputs, operations, strict=True):

        def node(chosen: Sequence[int], ops: Sequence[Any] = ops) -> Any:
            return flow.sum([flow.apply(op, states[i]) for op, i in zip(ops, chosen, strict=False)])

        states.append(flow.select(read, node))
    # A node of zeros takes up channels, so it must not vanish as it would from a sum.
    made = states[1:]
    return flow.concat([flow.op("node", state) for state in made] if may_be_zero(operations) else made)


def _total(terms: list[Tensor]) -> Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _check_terms(where: str, terms: list[Tensor]) -> None:
    shapes = [tuple(term.shape) for term in terms]
    if len(set(shapes)) > 1:
        raise EvaluationError(
            f"{where} cannot add inputs of shapes {', '.join(map(str, shapes))}; let every operation keep the shape"
        )
