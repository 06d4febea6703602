"""Every architecture of a space in one network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from archwright.errors import EvaluationError
from archwright.nn import materialize
from archwright.space import Architecture, Space
from archwright.space.build import Path
from archwright.supernet.compile import Tree, compiled
from archwright.supernet.cover import Cover
from archwright.supernet.elastic import Elastic
from archwright.supernet.gates import MOST_OPTIONS, active, read
from archwright.supernet.recalibrate import recalibrate

__all__ = ["Supernet"]


class Supernet(nn.Module):
    """Every architecture of a space in one network with shared weights.

    Choices between modules stand side by side; widths, kernels, ratios and hidden sizes are cut from the largest weight;
    depth exits early. How much of each there is, *gates* say, an argument of each forward: no path is ever left set.

    Args:
        space: A space whose value is a network.
        input_shape: Shape of one input, without the batch.
        seed: Of the initial weights; torch's global generator stays as it is.
        partial: Under soft gates, only the first channel of so many goes through the candidates of a choice (PC-DARTS).
        checkpoint: Under soft gates, candidates are computed again in backward instead of being kept: less memory.

    All parameters are there after construction.

    Raises:
        SpaceError: The space holds no choice, or its value is no network.
        EvaluationError: No architecture takes such inputs; says where.

    >>> from archwright import choice, nn, Space
    >>> space = Space(nn.Sequential(nn.ConvBlock(choice(4, 8, name="width")), nn.Classifier(10)))
    >>> supernet = Supernet(space, (1, 8, 8))
    >>> x = torch.zeros(2, 1, 8, 8)
    >>> supernet(x, space.architecture({"width": 4})).shape
    torch.Size([2, 10])
    >>> supernet(x, [torch.tensor([0.5, 0.5])]).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        space: Space,
        input_shape: Sequence[int],
        *,
        seed: int = 0,
        partial: int = 1,
        checkpoint: bool = False,
    ):
        super().__init__()
        self.space = space
        self.input_shape = tuple(input_shape)
        self.seed, self.partial, self.checkpoint = seed, partial, checkpoint
        self._attach(compiled(space, partial, checkpoint))
        with torch.random.fork_rng(devices=[]):
            cover = Cover(space, self.root, self.input_shape)
            self.largest: Architecture = space.architecture(cover.run())
            self.input_dtype: torch.dtype = cover.dtype
            torch.manual_seed(seed)
            for place in self._places.values():
                place.shared.fill(lambda origin, place=place: cover.survey.remade(place, origin))  # type: ignore[misc]

    def _attach(self, tree: Tree) -> None:
        self.root = tree.root
        self._unshared = tree.unshared
        object.__setattr__(self, "_places", tree.elastic)

    _places: dict[Path, Elastic]

    @property
    def relaxable(self) -> tuple[bool, ...]:
        """For each decision whether soft gates make sense there: it has at most 64 values and is no `real`."""
        return tuple(d.kind != "real" and d.size <= MOST_OPTIONS for d in self.space.decisions)

    def forward(self, x: Tensor, gates: Architecture | Sequence[int | Tensor]) -> Tensor:
        """What the architectures that the gates speak of make of `x`, weighed by them.

        Args:
            x: A batch of inputs.
            gates: An architecture, or an entry a decision in the order of ``space.decisions``: a code (-1 where it is not
                live), or a tensor of ``decision.size`` numbers of 0 or more that sum to 1. What has a zero is not
                computed; gradients reach the others, so a one-hot tensor is a single path that learns (GDAS).
        """
        found = read(self.space, gates)
        with active(found):
            y: Tensor = self.root(x)
        return y

    def subnet(self, architecture: Architecture, *, batches: Iterable[Tensor] | None = None) -> nn.Module:
        """One architecture as a plain module with a copy of its weights: what `Space.build` gives, after its first input.

        Args:
            architecture: Of the space.
            batches: Inputs on which the statistics of batch norms are taken anew; without them they are copied too.
        """
        taken = _Taken(self._places)
        codes = self.space.codes([architecture])[0].tolist()
        with torch.random.fork_rng(devices=[]):
            network = self.space.build(architecture, taken)
            network = materialize(network, self.input_shape, dtype=self.input_dtype)
        inside = {id(part) for part in network.modules()}
        made = {path: module for path, module in taken.modules.items() if id(module) in inside}
        for path, module in made.items():
            place = self._places[path]
            # A place may be inside another's call, so whatever is another's is left to it.
            outside = {id(m) for p, m in made.items() if p != path and p[: len(path)] == path}
            _copy(place, module, outside, tuple(codes[i] for i in place.own))
        for reference in self.parameters():
            network.to(device=reference.device, dtype=reference.dtype)
            break
        network.train(self.training)
        return network if batches is None else recalibrate(network, batches)


class _Taken:
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


def _copy(place: Elastic, module: nn.Module, outside: set[int], own: tuple[int, ...]) -> None:
    """Copy the place's weights into a network's module."""
    from archwright.supernet.slicing import layers

    found = place.grouped(layers(module, outside), own)
    if not found:
        return
    bound = place.shared.bind(found, place.name)
    with torch.no_grad():
        for (owner, name, _, _, _), value in zip(bound.cuts, bound.tensors(), strict=True):
            owner[name].copy_(value)
