"""The kinds of operations that a space may hold: what can be known of its expression before any architecture is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from archwright.space.trace import Concat, Expression, Leaf, Op, Record, Select, Sum, Value

__all__ = ["calls_in", "children_first", "number_in", "open_parts", "parts_of", "symbols"]

MOST_SYMBOLS = 12  # more different labels than this: operations are told apart by their heads alone


def parts_of(e: Any) -> tuple[Expression, ...]:
    """What an expression is made of."""
    if isinstance(e, Op):
        return (e.label, e.x)
    if isinstance(e, Select):
        return e.options
    if isinstance(e, (Sum, Concat)):
        return e.xs
    return e.parts if isinstance(e, Record) else ()


def children_first(root: Expression) -> list[Expression]:
    """All parts of an expression, each once and after its own parts."""
    order: list[Expression] = []
    seen: set[int] = set()

    def visit(e: Expression) -> None:
        if id(e) not in seen:
            seen.add(id(e))
            for part in parts_of(e):
                visit(part)
            order.append(e)

    visit(root)
    return order


def open_parts(order: Sequence[Expression]) -> set[int]:
    """The ids of the parts that hold a decision or an operation: only what becomes of those is of interest."""
    found: set[int] = set()
    for e in order:
        if (
            isinstance(e, (Select, Value, Op))
            or (isinstance(e, Record) and e.head.text)
            or any(id(p) in found for p in parts_of(e))
        ):
            found.add(id(e))
    return found


def calls_in(root: Expression) -> list[Expression]:
    """The outermost calls in a structure of values: not those in the label of an operation or of another call."""
    found: dict[int, Expression] = {}
    seen: set[int] = set()

    def visit(e: Any) -> None:
        if id(e) in seen:
            return
        seen.add(id(e))
        if isinstance(e, Record) and e.head.text:
            found[id(e)] = e
            return
        for part in (e.x,) if isinstance(e, Op) else parts_of(e):
            visit(part)

    visit(root)
    return list(found.values())


def _possible_labels(e: Any) -> list[tuple[int, str]] | None:
    """All that a label may be, as (hash, text); None if too much."""
    from archwright.space.canonical import key
    from archwright.space.graph import text

    choices = [x for x in children_first(e) if isinstance(x, (Select, Value))]
    if not choices:
        return [(key(e, ()), text(e, ()))]
    found: dict[int, str] = {}
    most = max(x.decision for x in choices) + 1
    sizes: dict[int, int] = {}
    for x in choices:
        sizes[x.decision] = len(x.table) if isinstance(x, Select) else x.node.size
    if np.prod([float(s) for s in sizes.values()]) > MOST_SYMBOLS * 4:
        return None
    for combined in np.ndindex(*sizes.values()):
        codes = [0] * most
        for decision, code in zip(sizes, combined, strict=True):
            codes[decision] = code
        found[key(e, codes)] = text(e, codes)
    return list(found.items())


def _heads(e: Any) -> set[str]:
    if isinstance(e, Select):
        return set().union(*(_heads(o) for o in e.options))
    if isinstance(e, Record):
        return {e.head.text}
    return {e.text if isinstance(e, Leaf) and number_in(e.text) is None else "a number"}


def symbols(labels: Sequence[Expression]) -> tuple[list[str], dict[int, list[tuple[int, int]]]]:
    """The kinds of operations, and for each label which of them it may be: (its hash, the kind)."""
    possible = {id(e): _possible_labels(e) for e in labels}
    known = [p for p in possible.values() if p is not None]
    texts = sorted({t for p in known for _, t in p})
    if len(known) == len(possible) and len(texts) <= MOST_SYMBOLS:
        return texts, {i: [(h, texts.index(t)) for h, t in p or ()] for i, p in possible.items()}
    heads = {id(e): sorted(_heads(e)) for e in labels}
    texts = sorted({t for h in heads.values() for t in h})
    # A label that may be of several heads counts as a kind of its own: that is rare, and its arguments tell.
    joined = {i: h[0] if len(h) == 1 else " or ".join(h) for i, h in heads.items()}
    texts = sorted(set(joined.values()))
    return texts, {i: [(0, texts.index(t))] for i, t in joined.items()}


def number_in(text: str) -> float | None:
    """The finite number that a text is, if it is one."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None
