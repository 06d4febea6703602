"""What one architecture computes, as a labelled directed acyclic graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archwright.space.trace import Concat, Expression, Input, Leaf, Op, Record, Select, Sum, Value

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["graph"]

Signal = tuple[int, ...]  # the graph nodes whose sum a signal is; () is no signal


def graph(expression: Expression, codes: Sequence[int]) -> nx.DiGraph:
    """The computation of an architecture, canonical: no identities, no dead branches, sums flattened.

    Nodes are numbered from 0 in topological order. Each has a ``label``; the first is ``input``, the last
    ``output``. Sums and concatenations are nodes of their own where they have several inputs. Edges into a
    concatenation carry their ``position``.
    """
    import networkx as nx  # here, for it takes a sixth of a second, and workers never draw

    made = nx.DiGraph()
    known: dict[int, Signal] = {}

    def add(label: str, *sources: Signal) -> Signal:
        node = made.number_of_nodes()
        made.add_node(node, label=label)
        for position, source in enumerate(sources):
            for s in source:
                made.add_edge(s, node, position=position)
        return (node,)

    def one(signal: Signal) -> Signal:
        """The signal as the output of one node: a sum of several becomes a node."""
        return signal if len(signal) <= 1 else add("sum", signal)

    def signal(e: Any) -> Signal:
        if isinstance(e, Select):
            return signal(e.options[e.table[codes[e.decision]]])
        found = known.get(id(e))
        if found is not None:
            return found
        if isinstance(e, Input):
            result: Signal = (0,)
        elif isinstance(e, Op):
            x = one(signal(e.x))
            result = () if e.zero and not x else add(text(e.label, codes), x)
        elif isinstance(e, Sum):
            result = tuple(s for x in e.xs for s in signal(x))
        elif isinstance(e, Concat):
            xs = [one(s) for s in (signal(x) for x in e.xs) if s]
            result = xs[0] if len(xs) == 1 else add("concat", *xs) if xs else ()
        else:  # a structure of values: a record of what it holds
            result = structure(e)
        known[id(e)] = result
        return result

    def structure(e: Expression) -> Signal:
        if isinstance(e, Record) and not e.head.text:
            return tuple(s for name, part in zip(e.names, e.parts, strict=True) for s in entry(name, part))
        return add(text(e, codes), (0,))

    def entry(name: str, part: Expression) -> Signal:
        while isinstance(part, Select):
            part = part.options[part.table[codes[part.decision]]]
        if isinstance(part, (Input, Op, Sum, Concat)) or (isinstance(part, Record) and not part.head.text):
            return signal(part)
        return add(f"{name}={text(part, codes)}" if name else text(part, codes), (0,))

    add("input")
    last = one(signal(expression))
    output = add("output", last)[0]
    live = nx.ancestors(made, output) | {output, 0}
    kept = made.subgraph(live)
    # Sums are made when first read, which is after their terms: node numbers are a topological order already.
    return nx.relabel_nodes(kept, {old: new for new, old in enumerate(sorted(kept))}, copy=True)


def text(e: Any, codes: Sequence[int]) -> str:
    """A label for people: ``ConvBlock(width=16, kernel=3)``."""
    if isinstance(e, Leaf):
        return e.text
    if isinstance(e, Value):
        return f"{e.node.value(codes[e.decision]):g}"
    if isinstance(e, Select):
        return text(e.options[e.table[codes[e.decision]]], codes)
    if isinstance(e, Record):
        parts = [(n, text(p, codes)) for n, p in zip(e.names, e.parts, strict=True)]
        inside = ", ".join(f"{n}={t}" if n and not n.isdigit() else t for n, t in parts if t)
        return f"{e.head.text}({inside})" if e.head.text else f"[{inside}]"
    return "network"
