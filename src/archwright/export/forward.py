"""The forward of an exported network: a traced graph as the statements that a person would write."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn

from archwright.export.carry import Carried
from archwright.export.constructor import literal
from archwright.export.flat import is_in_place

__all__ = ["statements"]

SYMBOLS: dict[Callable[..., Any], str] = {
    operator.add: "+", operator.sub: "-", operator.mul: "*", operator.truediv: "/", operator.floordiv: "//",
    operator.mod: "%", operator.pow: "**", operator.matmul: "@", operator.and_: "&", operator.or_: "|",
    operator.xor: "^", operator.lt: "<", operator.le: "<=", operator.eq: "==", operator.ne: "!=",
    operator.gt: ">", operator.ge: ">=", operator.lshift: "<<", operator.rshift: ">>",
}  # fmt: skip
UNARY: dict[Callable[..., Any], str] = {operator.neg: "-", operator.invert: "~", operator.pos: "+"}
NAMES = ("x", "y", "z", "u", "v", "w")


def statements(
    module: nn.Module, graph: fx.Graph, places: dict[fx.Node, tuple[str, str]], example: Tensor, carried: Carried
) -> list[str]:
    """Lines of the body of ``forward(self, x)``.

    A value's name is free again after its last use, so that a chain reads ``x = self.conv(x)`` and a branch
    gets the next letter. Sizes and the parts of a tuple are written where they are used.

    Args:
        module: The plain network that owns the graph's layers.
        graph: Its computation.
        places: The part of the original network each node came from: a comment at its start.
        example: A batch: it is run once for the shapes in the comments.
        carried: Takes functions of the user's that the graph calls.
    """
    recorder = Recorder(module, graph)
    with torch.no_grad():
        recorder.run(example)
    layers = dict(module.named_modules(remove_duplicate=False))
    return list(Writer(graph, recorder.values, layers, carried, len(example)).lines(places))


class Recorder(fx.Interpreter):
    """Runs a graph, and keeps of each value its shape, or its type when it is no tensor."""

    def __init__(self, module: nn.Module, graph: fx.Graph):
        super().__init__(module, garbage_collect_values=True, graph=graph)
        self.values: dict[fx.Node, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        holds = isinstance(value, Tensor) or _holds_tensor(value)
        self.values[n] = value.shape if isinstance(value, Tensor) else (tuple if holds else type(value))
        return value


class Writer:
    """Decides which steps are lines of their own and what each value is called, then writes them."""

    def __init__(
        self, graph: fx.Graph, values: dict[fx.Node, Any], layers: dict[str, nn.Module], carried: Carried, batch: int
    ):
        self.graph, self.values, self.layers, self.carried, self.batch = graph, values, layers, carried, batch
        self.names: dict[fx.Node, str] = {}
        moving = any(is_in_place(n, layers) for n in graph.nodes)
        self.inline = {n for n in graph.nodes if self._is_inline(n, moving)}
        self.steps = [n for n in graph.nodes if n not in self.inline]
        self.last: dict[fx.Node, int] = {}
        for i, step in enumerate(self.steps):
            for value in self._inputs(step):
                self.last[value] = i

    def lines(self, places: dict[fx.Node, tuple[str, str]]) -> Iterator[str]:
        """The statements, with a comment where a new part of the original begins."""
        here = ""
        several = len(set(places.values())) > 1
        ends = {place[0]: node for node, place in places.items()}
        for i, step in enumerate(self.steps):
            if step.op == "placeholder":
                self.names[step] = "x"
                continue
            if step.op == "output":
                yield f"return {self.write(step.args[0])}"
                return
            place = places.get(step, ("", ""))
            if several and place[0] and place[0] != here:
                yield f"# {place[0]}: {place[1]}{self._shape(ends[place[0]])}"
            here = place[0] or here
            text = self._expression(step, nested=False)
            ending = self.steps[i + 1]
            if ending.op == "output" and ending.args[0] is step:
                yield f"return {text}"
                return
            alive = {self.names[v] for v, until in self.last.items() if until > i and v in self.names}
            self.names[step] = next(n for n in _name_pool() if n not in alive)
            yield f"{self.names[step]} = {text}" if step in self.last else text

    def write(self, value: Any, nested: bool = False) -> str:
        """An argument as source: a name, an expression written in place, or a plain value."""
        if isinstance(value, fx.Node):
            return self.names[value] if value not in self.inline else self._expression(value, nested)
        if isinstance(value, slice):
            parts = ["" if p is None else self.write(p) for p in (value.start, value.stop)]
            return ":".join(parts) + (f":{self.write(value.step)}" if value.step is not None else "")
        if isinstance(value, (tuple, list)) and not isinstance(value, torch.Size):
            inside = ", ".join(map(self.write, value))
            return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' if len(value) == 1 else ''})"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{literal(k)}: {self.write(v)}" for k, v in value.items()) + "}"
        if callable(value) and not isinstance(value, (torch.dtype, torch.memory_format, torch.layout)):
            return self.carried.reference(value)
        return literal(value)

    def _expression(self, node: fx.Node, nested: bool) -> str:
        target: Any = node.target
        if node.op == "get_attr":
            return f"self.{target}"
        if node.op == "call_module":
            return f"self.{target}({self._arguments(node.args, node.kwargs)})"
        if node.op == "call_method":
            owner = self.write(node.args[0], nested=True)
            return f"{owner}.{target}({self._arguments(node.args[1:], node.kwargs)})"
        if target is builtins.getattr and len(node.args) == 2:
            return f"{self.write(node.args[0], nested=True)}.{node.args[1]}"
        if target is operator.getitem:
            return f"{self.write(node.args[0], nested=True)}[{self._index(node.args[1])}]"
        if target in SYMBOLS and len(node.args) == 2:
            left, right = (self.write(a, nested=True) for a in node.args)
            text = f"{left} {SYMBOLS[target]} {right}"
            return f"({text})" if nested else text
        if target in UNARY:
            text = f"{UNARY[target]}{self.write(node.args[0], nested=True)}"
            return f"({text})" if nested else text
        if getattr(builtins, getattr(target, "__name__", ""), None) is target:
            return f"{target.__name__}({self._arguments(node.args, node.kwargs)})"  # type: ignore[union-attr]
        if getattr(target, "__module__", "") in ("_operator", "operator"):
            self.carried.imports.add("import operator")
            return f"operator.{target.__name__}({self._arguments(node.args, node.kwargs)})"
        return f"{self.carried.reference(target)}({self._arguments(node.args, node.kwargs)})"

    def _arguments(self, args: Any, kwargs: dict[str, Any]) -> str:
        return ", ".join([*map(self.write, args), *(f"{k}={self.write(v)}" for k, v in kwargs.items())])

    def _index(self, index: Any) -> str:
        if isinstance(index, tuple) and index:
            return ", ".join(map(self.write, index)) + ("," if len(index) == 1 else "")
        return self.write(index)

    def _is_inline(self, node: fx.Node, moving: bool) -> bool:
        if node.op in ("placeholder", "output"):
            return False
        if node.op == "get_attr":
            return True
        kind = self.values[node]
        if not node.users or len(node.users) > 1 or is_in_place(node, self.layers):
            return False
        (user,) = node.users
        if kind is tuple:  # a layer that returns several things, of which one is read
            return user.target is operator.getitem and not moving
        return isinstance(kind, type)

    def _inputs(self, step: fx.Node) -> Iterator[fx.Node]:
        for value in step.all_input_nodes:
            if value in self.inline:
                yield from self._inputs(value)
            else:
                yield value

    def _shape(self, node: fx.Node) -> str:
        shape = self.values.get(node)
        if not isinstance(shape, torch.Size):
            return ""
        sizes = ["batch" if i == 0 and s == self.batch else str(s) for i, s in enumerate(shape)]
        return f" -> ({', '.join(sizes)})"


def _name_pool() -> Iterator[str]:
    yield from NAMES
    number = 1
    while True:
        yield f"h{number}"
        number += 1


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_tensor, value.values()))
    return isinstance(value, Tensor) or (isinstance(value, (tuple, list)) and any(map(_holds_tensor, value)))
