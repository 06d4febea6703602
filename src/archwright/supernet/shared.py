"""The shared tensors of one place, and how layers take theirs from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from archwright.errors import EvaluationError
from archwright.supernet.align import align, merged
from archwright.supernet.slicing import Axes, Layer

__all__ = ["Bound", "Seen", "Shared"]

Kinds = tuple[tuple[Any, ...], ...]


@dataclass
class Seen:
    """What the layers of one sequence of kinds have needed, and which network needed most.

    Args:
        most: For each layer and each kind that it may be, the largest of each axis of each tensor by name.
        origins: For each layer and tensor: (how many numbers, who had them).
        varied: Whether sizes differed.
    """

    most: list[list[dict[str, Axes]]]
    origins: list[dict[str, tuple[int, Any]]]
    varied: bool = False

    @staticmethod
    def of(layers: list[Layer]) -> Seen:
        return Seen([[{} for _ in layer.kinds] for layer in layers], [{} for _ in layers])

    def note(self, layers: list[Layer], origin: Any) -> bool:
        """Take in another network; whether it needed more than those before."""
        more = False
        for place, layer in enumerate(layers):
            for most, axes in zip(self.most[place], layer.axes, strict=True):
                for name, new in axes.items():
                    old = most.get(name)
                    larger = new if old is None else larger_of(old, new)
                    self.varied |= old is not None and new != old
                    if larger != old:
                        most[name] = larger
                        more = True
            for name, tensor in layer.tensors():
                if tensor.numel() > self.origins[place].get(name, (-1, None))[0]:
                    self.origins[place][name] = (tensor.numel(), origin)
        return more


def larger_of(a: Axes, b: Axes) -> Axes:
    """The elementwise maximum."""
    return Axes(tuple(map(max, a.sizes, b.sizes)), a.centred | b.centred)


class Bound:
    """The layers of one network of a place, each tensor with the cut that gives it."""

    def __init__(self, shared: Shared, layers: list[Layer], places: list[int | None], where: str):
        self.shared = shared
        self.cuts: list[tuple[dict[str, Any], str, str, Cut, bool]] = []
        self.recurrent = [layer.module for layer in layers if isinstance(layer.module, nn.RNNBase)]
        self.tied: list[tuple[dict[str, Any], str, int]] = []
        first: dict[int, int] = {}
        for layer, place in zip(layers, places, strict=True):
            if place is None:
                raise EvaluationError(
                    f"{where}: this architecture needs a {type(layer.module).__name__} that no architecture seen when "
                    "the supernet was made had; say so in an issue, with the space"
                )
            axes = layer.axes[layer.kinds.index(shared.kinds[place])]
            for name, tensor in layer.tensors():
                owner = layer.module._parameters if name in layer.module._parameters else layer.module._buffers
                if id(tensor) in first:
                    self.tied.append((owner, name, first[id(tensor)]))
                    continue
                first[id(tensor)] = len(self.cuts)
                key = f"{place}_{name}"
                cut = cut_of(shared.axes.get(key), axes[name], tuple(tensor.shape))
                if cut is None:
                    raise EvaluationError(
                        f"{where}: this architecture needs {name!r} of a {type(layer.module).__name__} of shape "
                        f"{tuple(tensor.shape)}, larger than any seen when the supernet was made; say so in an issue, "
                        "with the space"
                    )
                is_buffer = owner is layer.module._buffers
                self.cuts.append((owner, name, key, cut, is_buffer))

    def tensors(self) -> list[Tensor]:
        """The tensors, as they are now; those of parameters lead back to the shared ones."""
        shared = self.shared
        return [
            cut(shared._buffers[key] if is_buffer else shared._parameters[key])  # type: ignore[arg-type]
            for _, _, key, cut, is_buffer in self.cuts
        ]

    def put(self, again: bool = False) -> list[Tensor]:
        """Lend the layers their tensors; with `again`, copies of the statistics."""
        tensors = self.tensors()
        for i, (owner, name, _, _, is_buffer) in enumerate(self.cuts):
            owner[name] = tensors[i].clone() if again and is_buffer else tensors[i]
        for owner, name, i in self.tied:
            owner[name] = tensors[i]
        for module in self.recurrent:
            module._flat_weights = [module._parameters[name] for name in module._flat_weights_names]
        return tensors

    def take(self, lent: list[Tensor] | None = None) -> None:
        """Take the tensors back, and with `lent` keep what became of statistics."""
        for i, (owner, name, _, _, is_buffer) in enumerate(self.cuts):
            # Most layers write into their statistics, some replace them; what was cut by copying is written back too.
            if lent is not None and is_buffer and (owner[name] is not lent[i] or not lent[i]._is_view()):
                with torch.no_grad():
                    self.write(i, owner[name])
            owner[name] = None
        for owner, name, _ in self.tied:
            owner[name] = None
        for module in self.recurrent:
            module._flat_weights = []

    def copy(self) -> None:
        """Give the layers copies of the shared values, in the tensors that they have."""
        with torch.no_grad():
            for (owner, name, _, _, _), value in zip(self.cuts, self.tensors(), strict=True):
                owner[name].copy_(value)

    def write(self, i: int, value: Tensor) -> None:
        """Change the shared tensor so that the i-th cut gives `value`."""
        _, _, key, cut, is_buffer = self.cuts[i]
        whole = self.shared._buffers[key] if is_buffer else self.shared._parameters[key]
        if value is not whole:
            cut.write(whole, value)  # type: ignore[arg-type]


class Cut:
    """Takes a smaller tensor out of a shared one.

    Args:
        spans: (axis, first, how many), where not all are taken.
        shape: Of the smaller tensor; None where its axes are its shape.
    """

    def __init__(self, spans: tuple[tuple[int, int, int], ...], shape: tuple[int, ...] | None):
        self.spans, self.shape = spans, shape

    def _view(self, whole: Tensor) -> Tensor:
        for span in self.spans:
            whole = whole.narrow(*span)
        return whole

    def __call__(self, whole: Tensor) -> Tensor:
        part = self._view(whole)
        return part if self.shape is None else part.reshape(self.shape)

    def write(self, whole: Tensor, value: Tensor) -> None:
        part = self._view(whole)
        part.copy_(value.reshape(part.shape))


def cut_of(shared: Axes | None, wanted: Axes, shape: tuple[int, ...]) -> Cut | None:
    """The cut from a shared tensor; None where it is too small."""
    if shared is None or len(shared.sizes) != len(wanted.sizes):
        return None
    spans = []
    for axis, (whole, part) in enumerate(zip(shared.sizes, wanted.sizes, strict=True)):
        if part > whole:
            return None
        if part < whole:
            spans.append((axis, (whole - part) // 2 if axis in wanted.centred else 0, part))
    return Cut(tuple(spans), None if wanted.sizes == shape else shape)


class Shared(nn.Module):
    """The tensors of one place: for each layer of its merged sequence, each tensor at its largest.

    Tensors are kept by axes (see `Axes`), under ``number of the layer_name``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kinds: list[Any] = []
        self.axes: dict[str, Axes] = {}
        self.origins: dict[str, tuple[int, Any]] = {}
        self._known: dict[Kinds, list[int | None]] = {}

    def settle(self, seen: dict[Kinds, Seen], latest: Kinds) -> bool:
        """Take in what the latest sequence of kinds needs; whether that is more than ever before.

        Args:
            seen: All sequences so far, that one among them.
            latest: The sequence that is new, or has grown.
        """
        before = dict(self.axes)
        if None in self.places(latest):
            kinds = merged(list(seen))
            self.kinds, self.axes, self.origins, self._known = kinds, {}, {}, {}
            for sequence in seen:
                self._need(sequence, seen[sequence])
        else:
            self._need(latest, seen[latest])
        return self.axes != before

    def _need(self, kinds: Kinds, found: Seen) -> None:
        for i, place in enumerate(self.places(kinds)):
            assert place is not None
            for name, axes in found.most[i][kinds[i].index(self.kinds[place])].items():
                key = f"{place}_{name}"
                old = self.axes.get(key)
                self.axes[key] = axes if old is None else larger_of(old, axes)
                numel, origin = found.origins[i][name]
                if numel > self.origins.get(key, (-1, None))[0]:
                    self.origins[key] = (numel, (origin, i, name))

    def layer_names(self) -> list[str]:
        """What the shared layers are, for people."""
        return [str(kind[1]).rsplit(".", 1)[-1] if kind[0] == "opaque" else str(kind[0]) for kind in self.kinds]

    def places(self, kinds: Kinds) -> list[int | None]:
        """Which shared layer each is."""
        found = self._known.get(kinds)
        if found is None:
            found = self._known[kinds] = align(self.kinds, kinds)
        return found

    def bind(self, layers: list[Layer], where: str) -> Bound:
        """The cuts for these layers."""
        return Bound(self, layers, self.places(tuple(layer.kinds for layer in layers)), where)

    def fill(self, made: Callable[[Any], Sequence[Layer]]) -> None:
        """Make the tensors, each as the largest network that had it would begin, the rest by draws from that.

        Args:
            made: The layers of a network that was seen, made anew. Draws from torch's global generator.
        """
        again: dict[Any, Sequence[Layer]] = {}
        for key, (_, (origin, i, name)) in sorted(self.origins.items(), key=lambda item: _order(item[0])):
            if origin not in again:
                again[origin] = made(origin)
            layer = again[origin][i]
            source = dict(layer.tensors())[name]
            place = int(key.split("_", 1)[0])
            axes = layer.axes[layer.kinds.index(self.kinds[place])][name]
            whole = _grown(source.detach().reshape(axes.sizes), self.axes[key], axes)
            if name in layer.module._parameters:
                self.register_parameter(key, nn.Parameter(whole, requires_grad=source.requires_grad))
            else:
                self.register_buffer(key, whole)
        self.origins = {}


def _order(key: str) -> tuple[int, str]:
    place, name = key.split("_", 1)
    return int(place), name


def _grown(source: Tensor, to: Axes, axes: Axes) -> Tensor:
    """`source` within a larger tensor whose other entries are drawn from it (the same, where it is constant)."""
    if tuple(source.shape) == to.sizes:
        return source.clone()
    flat = source.flatten()
    whole = flat[torch.randint(len(flat), to.sizes)].clone()
    cut = cut_of(to, axes, tuple(source.shape))
    assert cut is not None
    cut.write(whole, source)
    return whole
