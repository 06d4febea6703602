"""Every architecture of a space in one network."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from archwright.nn import materialize
from archwright.nn.check import at_least
from archwright.space import Architecture, Space
from archwright.space.build import Path
from archwright.supernet.compile import Tree, compiled
from archwright.supernet.cover import Cover
from archwright.supernet.elastic import Elastic
from archwright.supernet.expected import Table, expectation
from archwright.supernet.gates import MOST_OPTIONS, active, read
from archwright.supernet.recalibrate import recalibrate
from archwright.supernet.sharing import Sharing, SharingRow, bytes_of, params_of
from archwright.supernet.skeleton import untouched
from archwright.supernet.taking import Taken

__all__ = ["Supernet"]


class Supernet(nn.Module):
    """Every architecture of a space in one network with shared weights.

    Choices between modules stand side by side; widths, kernels, ratios and hidden sizes are cut from the largest
    weight; depth exits early. How much of each there is, *gates* say, an argument of each forward: no path is ever
    left set.

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
        at_least("Supernet", 1, partial=partial)
        self.space = space
        self.input_shape = tuple(input_shape)
        self.seed, self.partial, self.checkpoint = seed, partial, checkpoint
        self._attach(compiled(space, partial, checkpoint))
        with untouched():
            cover = Cover(space, self.root, self.input_shape)
            self.largest: Architecture = space.architecture(cover.run())
            self.input_dtype: torch.dtype = cover.dtype
            self._preferred = cover.preferred
            torch.manual_seed(seed)
            for place in self._places.values():
                cover.survey.tell(place)
                place.shared.fill(functools.partial(cover.survey.remade, place))

    def _attach(self, tree: Tree) -> None:
        self.root = tree.root
        object.__setattr__(self, "_taken_whole", tree.taken_whole)
        object.__setattr__(self, "_places", tree.elastic)

    _taken_whole: dict[str, str]
    _places: dict[Path, Elastic]

    @property
    def relaxable(self) -> tuple[bool, ...]:
        """For each decision whether soft gates make sense there: it has at most 64 values and is no `real`."""
        return tuple(d.kind != "real" and d.size <= MOST_OPTIONS for d in self.space.decisions)

    def forward(self, x: Tensor, gates: Architecture | Sequence[int | Tensor]) -> Tensor:
        """What the architectures that the gates speak of make of `x`, weighed by them.

        Args:
            x: A batch of inputs.
            gates: An architecture, or an entry a decision in the order of ``space.decisions``: a code (-1 where it
                is not live), or a tensor of ``decision.size`` numbers of 0 or more that sum to 1. What has a zero is
                not computed; gradients reach the others, so a one-hot tensor is a single path that learns (GDAS).
        """
        found = read(self.space, gates)
        with active(found):
            y: Tensor = self.root(x)
        return y

    def subnet(self, architecture: Architecture, *, batches: Iterable[Tensor] | None = None) -> nn.Module:
        """One architecture as a plain module, as `Space.build` makes it, with a copy of its weights.

        Args:
            architecture: Of the space.
            batches: Inputs on which the statistics of batch norms are taken anew; without them they are copied too.
        """
        taken = Taken(self._places)
        with untouched():
            network = self.space.build(architecture, taken)
            network = materialize(network, self.input_shape, dtype=self.input_dtype)
        taken.fill(network, self.space.codes([architecture])[0].tolist())
        for reference in self.parameters():
            network.to(device=reference.device, dtype=reference.dtype)
            break
        network.train(self.training)
        return network if batches is None else recalibrate(network, batches)

    def table(self, name: str) -> Table:
        """What each place costs under each of its values: ``params``, ``macs`` or ``latency_ms``; see `Table`."""
        return Table(name, self._preferred)

    def expected(self, gates: Architecture | Sequence[int | Tensor], table: Table) -> Tensor:
        """The expected cost of gates, differentiable in soft ones.

        Exact where what an architecture decides at one place changes no sizes at others, as in cells. Elsewhere an
        approximation: each place counts with the input that it has in the largest network.
        """
        return expectation(self.root, read(self.space, gates), table)

    def sharing(self) -> Sharing:
        """What shares weights, what does not and why, and what all of it weighs against the largest single network."""
        largest = self.subnet(self.largest)
        rows = []
        for place in self._places.values():
            if place.shared.kinds:
                layers = ", ".join(place.shared.layer_names())
                reason = place.reason or (self._taken_whole.get(place.name, "") if place.how == "one size" else "")
                rows.append(SharingRow(place.name, layers, place.how, params_of(place.shared), reason))
        return Sharing(tuple(rows), params_of(self), bytes_of(self), params_of(largest), bytes_of(largest))

    # Nodes are told apart by identity, which changes on the way: the other side takes the space apart anew.

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        state["_modules"] = {name: m for name, m in self._modules.items() if name != "root"}
        del state["_places"], state["_taken_whole"]
        state["_kept"] = [p.kept() for p in self._places.values()]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        kept = state.pop("_kept")
        super().__setstate__(state)
        self._attach(compiled(self.space, self.partial, self.checkpoint))
        for place, one in zip(self._places.values(), kept, strict=True):
            place.keep(one)
        self.root.train(self.training)
