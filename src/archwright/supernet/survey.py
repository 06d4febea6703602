"""What a place needs, learnt by leading zeros through it; nothing is computed twice."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from archwright.errors import EvaluationError
from archwright.nn.connect import Residual
from archwright.nn.inferred import is_materialized
from archwright.nn.tokens import reads_mask
from archwright.supernet.elastic import Elastic
from archwright.supernet.gates import Gates, active
from archwright.supernet.shared import Seen
from archwright.supernet.skeleton import CHECKED, complete, untouched, zeros
from archwright.supernet.slicing import Layer
from archwright.supernet.weightless import Shapes

__all__ = ["Origin", "Survey"]

MOST_TRIED = 64


@dataclass(frozen=True)
class Origin:
    """What a network of a place was made from: all codes, the input's shape and type, and a residual's result.

    `in_time`: the input is (channels, time) of tokens, and comes with a mask.
    """

    codes: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: torch.dtype
    after: tuple[int, ...] | None = None
    in_time: bool = False


class Survey:
    """Looks at each place that an architecture reaches, and keeps what its layers need.

    Args:
        settles: Whether places learn from it what their shared tensors must hold.

    Attributes:
        final: The input of a place is then the one that counts as its reference, whatever was seen before.
        inputs: The largest input that each place was given.
        grown: Whether something was larger than ever before, or new.
        params: Parameters of the places reached so far.
        channels: Channels of what they made so far.
    """

    def __init__(self, settles: bool = True) -> None:
        self.settles = settles
        self.final = False
        self.grown = False
        self.params = 0
        self.channels = 0
        self.seen: dict[Elastic, dict[Any, Seen]] = {}
        self.inputs: dict[Elastic, Origin] = {}
        self._known: dict[Any, tuple[int, tuple[int, ...], torch.dtype]] = {}
        self._made: dict[Any, nn.Module] = {}
        self._told: set[Any] = set()

    def start(self) -> None:
        """Begin with another architecture."""
        self.grown, self.params, self.channels = False, 0, 0

    def look(self, place: Elastic, x: Tensor, gates: Gates) -> Tensor:
        """What the place makes of zeros shaped as `x`, in zeros or not."""
        in_time = gates.there is not None and x.dim() == 3
        try:
            with nullcontext() if gates.there is None else active(replace(gates, there=None)):
                y = self._look(place, x, gates, in_time)
        except Exception as error:
            raise place.located(x, error) from error
        self.channels += y.shape[1] if y.dim() > 1 else 1
        return y

    def _look(self, place: Elastic, x: Tensor, gates: Gates, in_time: bool) -> Tensor:
        own = tuple(gates.codes[i] for i in place.own)
        origin = Origin(tuple(gates.codes), tuple(x.shape[1:]), x.dtype, in_time=in_time)
        if self.final or math.prod(origin.shape) > math.prod(
            self.inputs[place].shape if place in self.inputs else (0,)
        ):
            self.inputs[place] = origin
        if place.inner:
            return self._connection(place, own, origin, x, gates)
        key = (place, own, origin.shape, x.dtype, in_time)
        known = self._known.get(key)
        if known is None:
            made = place.sized(own, gates, origin.shape, x.dtype, in_time).eval()
            self._note(place, made, own, origin)
            y = self._result(place, made, x)
            known = self._known[key] = (self._count(made), tuple(y.shape[1:]), y.dtype)
        self.params += known[0]
        return torch.zeros((), dtype=known[2]).expand(len(x), *known[1])

    @staticmethod
    def _result(place: Elastic, made: nn.Module, x: Tensor) -> Tensor:
        """What a module makes of `x`, without changing `x`."""
        given = zeros(len(x), tuple(x.shape[1:]), x.dtype, getattr(made, "masked", False))
        with untouched():
            if any(p.is_meta for p in made.parameters()):
                with torch.inference_mode(), Shapes():
                    y = made(*given)
            else:
                y = made(*given)
        if not isinstance(y, Tensor):
            raise EvaluationError(f"a supernet's parts make one tensor each; this one made a {type(y).__name__}")
        return y

    def _connection(self, place: Elastic, own: tuple[int, ...], origin: Origin, x: Tensor, gates: Gates) -> Tensor:
        made = self._made.get((place, own))
        if made is None:
            made = self._made[place, own] = place.made(own, gates).eval()
        if isinstance(made, Residual):
            y: Tensor = made.body(x)
            after = tuple(y.shape)
            key = (place, own, origin.shape, after)
            shortcut = self._made.get(key)
            if shortcut is None:
                shortcut = self._made[key] = place.shortcut(made, tuple(x.shape), after)
                self._note(place, shortcut, own, Origin(origin.codes, origin.shape, origin.dtype, after))
            self.params += self._count(shortcut)
            return y
        if isinstance(made, CHECKED):
            made.waiting = True
            result: Tensor = made(x)
            return result
        if not is_materialized(made):
            made = place.completed(place.made(own, gates), origin.shape, x.dtype, gates).eval()
        self._note(place, made, own, origin)
        self.params += self._count(made)
        result = made(x)
        return result

    @staticmethod
    def _count(module: nn.Module) -> int:
        return sum(p.numel() for p in module.parameters())

    def _note(self, place: Elastic, module: nn.Module, own: tuple[int, ...], origin: Origin) -> None:
        if not self.settles:
            return
        found = place.layers(module, own)
        opaque = (place, tuple(tuple(t.shape) for layer in found if layer.opaque for _, t in layer.tensors()))
        if not place.groups and opaque[1] and opaque not in self._told:
            self._told.add(opaque)
            place.groups = self._telling(place, own, origin)
            found = place.layers(module, own)
        if not found:
            self.seen.setdefault(place, {})
            return
        kinds = tuple(layer.kinds for layer in found)
        by_kinds = self.seen.setdefault(place, {})
        new = kinds not in by_kinds
        if new:
            by_kinds[kinds] = Seen.of(found)
        if by_kinds[kinds].note(found, origin) or new:
            self.grown |= place.shared.settle(by_kinds, kinds)

    def _telling(self, place: Elastic, own: tuple[int, ...], origin: Origin) -> tuple[int, ...]:
        """Which own decisions change the shapes of layers that no rule is known for."""

        def shapes(codes: list[int]) -> Any:
            gates = Gates(list(origin.codes), survey=Survey(settles=False))  # of what is beneath, which has no weights
            for i, code in zip(place.own, codes, strict=True):
                gates.codes[i] = max(code, 0)
            made = place.completed(
                place.made(tuple(max(c, 0) for c in codes), gates), origin.shape, origin.dtype, gates, origin.in_time
            )
            return [[tuple(t.shape) for _, t in m.tensors()] for m in place.layers(made, own) if m.opaque]

        reference = shapes(list(own))
        telling = []
        for j, i in enumerate(place.own):
            size = place.layout.decisions[i].size
            for code in range(0, size, max(1, size // MOST_TRIED)):
                changed = list(own)
                changed[j] = code
                try:
                    same = shapes(changed) == reference
                except Exception:
                    same = False
                if not same:
                    telling.append(i)
                    break
        return tuple(telling)

    def tell(self, place: Elastic) -> None:
        """Leave with a place what is worth knowing of it afterwards."""
        place.reference = self.inputs.get(place)
        seen = self.seen.get(place, {})
        opaque = {kind for kind in place.shared.kinds if kind[0] == "opaque"}
        if place.groups and opaque:
            groups = {kind[-1] for kind in opaque}
            place.how = f"{len(groups)} separate"
            names = ", ".join(sorted({kind[1].rsplit(".", 1)[-1] for kind in opaque}))
            decisions = ", ".join(place.layout.decisions[i].name for i in place.groups)
            place.reason = f"{names}: no rule slices its own parameters; one set for each of {decisions}"
        else:
            place.how = "sliced" if len(seen) > 1 or any(s.varied for s in seen.values()) else "one size"

    def remade(self, place: Elastic, origin: Origin) -> list[Layer]:
        """The layers of a network that was seen, made anew; draws from torch's global generator."""
        gates = Gates(list(origin.codes), survey=self)
        own = tuple(gates.codes[i] for i in place.own)
        made = place.built(list(gates.codes))
        if origin.after is not None:
            assert isinstance(made, Residual)
            return place.layers(made._make_shortcut((2, *origin.shape), origin.after), own)
        if not is_materialized(made):
            masked = origin.in_time and reads_mask(made)
            complete(made, origin.shape, origin.dtype, gates if place.inner else None, masked)
        return place.layers(made, own)
