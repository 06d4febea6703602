"""One network out of a supernet: which module was made at which place, and its weights."""

from __future__ import annotations

from typing import Any

from torch import nn

from archwright.errors import EvaluationError
from archwright.space.build import Path
from archwright.supernet.elastic import Elastic
from archwright.supernet.slicing import layers

__all__ = ["Taken"]


class Taken:
    """A visitor that keeps the modules that were made at places."""

    def __init__(self, places: dict[Path, Elastic]):
        self.places = places
        self.modules: dict[Path, nn.Module] = {}

    def instead(self, path: Path) -> Any:
        return None

    def made(self, path: Path, value: Any) -> None:
        if path in self.places:
            if not isinstance(value, nn.Module):
                raise EvaluationError(f"at {self.places[path].name!r}: a {type(value).__name__} was made, not a module")
            self.modules[path] = value

    def fill(self, network: nn.Module, codes: list[int]) -> None:
        """Copy the shared weights into the parts of a network that was built under this visitor."""
        inside = {id(part) for part in network.modules()}
        made = {path: module for path, module in self.modules.items() if id(module) in inside}
        for path, module in made.items():
            place = self.places[path]
            # What is beneath belongs to other places.
            beneath = {id(m) for p, m in made.items() if len(p) > len(path) and p[: len(path)] == path}
            found = place.grouped(layers(module, beneath), tuple(codes[i] for i in place.own))
            if found:
                place.shared.bind(found, place.name).copy()
