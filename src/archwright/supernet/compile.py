"""From a space's value to a tree of places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from archwright.errors import ArchwrightError, SpaceError
from archwright.nn.connect import sequential_flow
from archwright.nn.tokens import token_flow
from archwright.space import Space
from archwright.space.build import Path, build
from archwright.space.layout import Layout, Scope, inner_scope, label, plain
from archwright.space.nodes import Call, Choice, Decided, Node, Repeat, Subset
from archwright.supernet.depth import Chain, Depth, TokenChain
from archwright.supernet.elastic import Elastic
from archwright.supernet.mixed import Mixed
from archwright.supernet.skeleton import Copied, StandIn
from archwright.supernet.states import SoftStates, is_state_cell

__all__ = ["Tree", "compiled"]


MOST_OPTIONS = 8
"""Decisions of more values are numbers, mostly, and change nothing of what a call does with its parts."""

CHAINS = {sequential_flow: Chain, token_flow: TokenChain}
"""What runs one after the other is no place of its own, whatever it is called."""


@dataclass
class Tree:
    """The places of a space.

    Args:
        root: The outermost place.
        elastic: Every `Elastic` by path, in order.
        taken_whole: Names of calls whose arguments could not be places of their own, with the reason.
    """

    root: nn.Module
    elastic: dict[Path, Elastic] = field(default_factory=dict)
    taken_whole: dict[str, str] = field(default_factory=dict)


def compiled(space: Space, partial: int, checkpoint: bool) -> Tree:
    """The places of a space's value.

    Raises:
        SpaceError: It holds no choice, or is no network.
    """
    if not space.decisions:
        raise SpaceError(
            "the space holds no choice, so there is nothing to share: build its only network by "
            "space.build(space.architecture({}))"
        )
    making = _Compile(space.layout, partial, checkpoint)
    if not making.is_module(space.root, ()):
        raise SpaceError(
            f"a supernet needs a space whose value is a network; this one's is a {label(space.root)!r} "
            f"({type(space.root).__name__})"
        )
    making.tree.root = making.place(space.root, (), (), "")
    return making.tree


class _Compile:
    def __init__(self, layout: Layout, partial: int, checkpoint: bool):
        self.layout, self.partial, self.checkpoint = layout, partial, checkpoint
        self.tree = Tree(nn.Identity())
        self._modules: dict[tuple[int, Scope], bool] = {}

    # What is what

    def is_module(self, x: Any, scope: Scope) -> bool:
        """Whether a part of the space becomes a module, whatever is decided."""
        if isinstance(x, nn.Module):
            return True
        if isinstance(x, Choice):
            return all(self.is_module(option, scope) for option in x.options)
        if isinstance(x, Repeat):
            return self.is_module(x.body, inner_scope(scope, x, 0))
        if not isinstance(x, Call):
            return False
        key = (id(x), scope)
        if key not in self._modules:
            self._modules[key] = self._call_is_module(x, scope)
        return self._modules[key]

    def _call_is_module(self, x: Call, scope: Scope) -> bool:
        function = x.function.function
        if isinstance(function, type):
            return issubclass(function, nn.Module)
        if x.function.flow is not None:
            return True
        # What a function makes, only it knows.
        try:
            with torch.random.fork_rng(devices=[]):
                return isinstance(build(x, self.layout, [0] * len(self.layout.decisions), scope=scope), nn.Module)
        except ArchwrightError:
            return False

    # Places

    def place(self, x: Any, scope: Scope, path: Path, name: str) -> nn.Module:
        """The place of a part that becomes a module."""
        if isinstance(x, Choice):
            return self._mixed(x, scope, path, name)
        if isinstance(x, Repeat):
            return self._depth(x, scope, path, name)
        if isinstance(x, Call) and x.function.flow in CHAINS and self._in_order(x, scope):
            parts = [
                self.place(v, scope, (*path, i), self._named(name, v, key)) for i, (key, v) in enumerate(x.arguments())
            ]
            return CHAINS[x.function.flow](parts)
        return self._elastic(x, scope, path, name or label(x))

    def _in_order(self, x: Call, scope: Scope) -> bool:
        return not x.kwargs and all(self.is_module(v, scope) for v in x.args)

    def _mixed(self, x: Choice, scope: Scope, path: Path, name: str) -> nn.Module:
        i = self.layout.index(x, scope)
        d = self.layout.decisions[i]
        options = [
            self.place(option, scope, (*path, ("option", code)), f"{name or d.name}={d.value(code)}")
            for code, option in enumerate(x.options)
        ]
        return Mixed(options, i, d.name, [str(d.value(c)) for c in range(d.size)], self.partial, self.checkpoint)

    def _depth(self, x: Repeat, scope: Scope, path: Path, name: str) -> nn.Module:
        copies = [
            self.place(x.body, inner_scope(scope, x, copy), (*path, ("copy", copy)), self._join(name, str(copy)))
            for copy in range(x.most)
        ]
        if isinstance(x.times, int):
            return Depth(copies, None, (), name)
        i = self.layout.index(x.times, scope)
        d = self.layout.decisions[i]
        return Depth(copies, i, [x.times.value(code) for code in range(d.size)], d.name)

    def _elastic(self, x: Any, scope: Scope, path: Path, name: str) -> nn.Module:
        before = dict(self.tree.elastic)
        found = _Parts(self)
        for key, value, inner in self._arguments(x, path):
            found.walk(value, scope, inner, self._named(name, value, key))
        beneath = sorted(self._beneath(x, scope))
        kind = SoftStates if is_state_cell(x) else Elastic
        place = kind(x, self.layout, scope, path, sorted(found.own), beneath, found.places, name)
        if found.places and (reason := self._refuses(place, x, scope)):
            # The call needs the real modules: all beneath it is then its own, and shares what a walk over it finds.
            self.tree.elastic = before
            self.tree.taken_whole[name] = reason
            place = Elastic(x, self.layout, scope, path, beneath, beneath, {}, name)
        self.tree.elastic[path] = place
        return place

    @staticmethod
    def _arguments(x: Any, path: Path) -> Iterator[tuple[str, Any, Path]]:
        if isinstance(x, Call):
            names = [name for name, _ in x.arguments()]
            for i, value in enumerate(x.args):
                yield names[i], value, (*path, i)
            for name, value in x.kwargs.items():
                yield name, value, (*path, name)

    def _refuses(self, place: Elastic, x: Any, scope: Scope) -> str | None:
        """Why a call does not run with stand-ins for modules, if it runs with the modules themselves.

        What it does with them may depend on its own decisions, whose options are tried one by one.
        """
        if isinstance(x, Call) and getattr(x.function.function, "tells_more", False):
            return "it calls the modules that it is given with more than one tensor"
        first = [0] * len(self.layout.decisions)
        tried = [first]
        for i in place.own:
            if (size := self.layout.decisions[i].size) <= MOST_OPTIONS:
                tried += [[*first[:i], code, *first[i + 1 :]] for code in range(1, size)]
        return next((reason for codes in tried if (reason := self._refuses_with(place, x, scope, codes))), None)

    def _refuses_with(self, place: Elastic, x: Any, scope: Scope, codes: list[int]) -> str | None:
        with torch.random.fork_rng(devices=[]):
            try:
                made = place.built(codes)
            except Copied:
                return "it copies the modules that it is given"
            except Exception as error:
                try:
                    build(x, self.layout, codes, scope=scope)
                except Exception:
                    return None
                return f"it looks into the modules that it is given ({str(error).splitlines()[0]})"
        lost = sum(isinstance(part, StandIn) for part in made.modules()) == 0
        return "it does not keep the modules that it is given" if lost else None

    def _beneath(self, x: Any, scope: Scope) -> set[int]:
        found: set[int] = set()

        def visit(x: Any, scope: Scope) -> None:
            if isinstance(x, Decided):
                found.add(self.layout.index(x, scope))
                for option in x.options if isinstance(x, (Choice, Subset)) else ():
                    visit(option, scope)
            elif isinstance(x, Repeat):
                if not isinstance(x.times, int):
                    visit(x.times, scope)
                for copy in range(x.most):
                    visit(x.body, inner_scope(scope, x, copy))
            elif isinstance(x, Call):
                for value in (*x.args, *x.kwargs.values()):
                    visit(value, scope)
            elif isinstance(x, Mapping):
                for value in x.values():
                    visit(value, scope)
            elif isinstance(x, (list, tuple)):
                for value in x:
                    visit(value, scope)

        visit(x, scope)
        return found

    def _named(self, name: str, value: Any, key: str) -> str:
        own = value.name if isinstance(value, Node) else None
        return name if own and name.rsplit("/", 1)[-1] == own else self._join(name, own or key)

    @staticmethod
    def _join(name: str, part: str) -> str:
        return f"{name}/{part}" if name else part


class _Parts:
    """The arguments of one call: which of them are places, and which decisions are its own."""

    def __init__(self, making: _Compile):
        self.making = making
        self.own: set[int] = set()
        self.places: dict[Path, nn.Module] = {}

    def walk(self, x: Any, scope: Scope, path: Path, name: str) -> None:
        making, layout = self.making, self.making.layout
        if plain(x):
            return
        if isinstance(x, Repeat):
            if not isinstance(x.times, int):
                self.own.add(layout.index(x.times, scope))
            for copy in range(x.most):
                self.walk(x.body, inner_scope(scope, x, copy), (*path, ("copy", copy)), making._join(name, str(copy)))
        elif isinstance(x, Choice) and any(isinstance(o, Repeat) for o in x.options):
            self._options(x, scope, path, name)  # so many modules, not one
        elif making.is_module(x, scope):
            self.places[path] = making.place(x, scope, path, name)
        elif isinstance(x, (Choice, Subset)):
            self._options(x, scope, path, name)
        elif isinstance(x, Decided):
            self.own.add(layout.index(x, scope))
        elif isinstance(x, Call):
            for key, value, inner in making._arguments(x, path):
                self.walk(value, scope, inner, making._named(name, value, key))
        elif isinstance(x, Mapping):
            for key, value in x.items():
                self.walk(value, scope, (*path, key), making._named(name, value, str(key)))
        elif isinstance(x, (list, tuple)):
            for i, value in enumerate(x):
                self.walk(value, scope, (*path, i), making._named(name, value, str(i)))

    def _options(self, x: Choice | Subset, scope: Scope, path: Path, name: str) -> None:
        i = self.making.layout.index(x, scope)
        self.own.add(i)
        for member, option in enumerate(x.options):
            self.walk(option, scope, (*path, ("option", member)), f"{name}={label(option)}")
