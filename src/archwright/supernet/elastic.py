"""A layer, a block or a connection whose sizes are open: one set of shared tensors, cut to what the gates say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from archwright.errors import ArchwrightError, EvaluationError, SpaceError
from archwright.nn.connect import Residual
from archwright.nn.inferred import is_materialized
from archwright.nn.tokens import cleared, reads_mask
from archwright.space.build import Path, build
from archwright.space.layout import Layout, Scope
from archwright.supernet.adding import changed_in_place, version_of, weighed_sum
from archwright.supernet.gates import SOFT, Gates, active, current
from archwright.supernet.shared import Shared
from archwright.supernet.skeleton import CHECKED, Skeleton, StandIn, Standing, complete, untouched
from archwright.supernet.slicing import Layer, layers
from archwright.supernet.weightless import Weightless

__all__ = ["MOST_COMBINATIONS", "Elastic"]

MOST_COMBINATIONS = 64
"""Soft gates on a layer's own decisions run it once for each combination of their values: at most so often."""

MOST_SKELETONS = 256
"""A place keeps as many of its networks without weights; the oldest is forgotten first."""

KEPT = ("shared", "groups", "reference", "how", "reason", "light")

OURS = ("torch.nn.", "archwright.nn.")


class Elastic(nn.Module):
    """A call, or a module of the space, at one place.

    Its arguments that are modules are places of their own, its *children*. What else is open there are its *own
    decisions*. For each combination of their codes and each input shape there is a `Skeleton`, made by running the
    call, which works on cuts of the place's `Shared` tensors.

    Args:
        node: The call, or the module.
        layout: Of the space.
        scope: Inside which copies of repeats it stands.
        path: Where it stands; see `archwright.space.build`.
        own: Numbers of its own decisions, ascending.
        beneath: Numbers of all decisions at and beneath it.
        children: Places by path.
        name: For people.
    """

    node: Any

    def __init__(
        self,
        node: Any,
        layout: Layout,
        scope: Scope,
        path: Path,
        own: Sequence[int],
        beneath: Sequence[int],
        children: Mapping[Path, nn.Module],
        name: str,
    ):
        super().__init__()
        object.__setattr__(self, "node", node)  # a module of the space is a template, no part of this
        self.layout, self.scope, self.path = layout, scope, path
        self.own, self.beneath, self.name = tuple(own), tuple(beneath), name
        self.children_paths = list(children)
        self.inner = nn.ModuleList(children.values())
        self.shared = Shared()
        self.groups: tuple[int, ...] = ()  # own decisions that tell apart candidates which cannot share
        self.reference: Any = None  # the input that costs are counted at; see `archwright.supernet.survey.Origin`
        self.how, self.reason = "", ""  # of sharing, for people
        self.light = True  # until a module is met that is neither torch's nor archwright's
        self._visitor = Standing({path: StandIn(place) for path, place in children.items()})
        self._skeletons: dict[Any, Skeleton] = {}

    # Running

    def forward(self, x: Tensor) -> Tensor:
        """The network of these gates on `x`; with soft own decisions, the weighed sum over their values."""
        gates = current()
        codes = gates.codes
        if gates.survey is not None:
            seen: Tensor = gates.survey.look(self, x, gates)
            return seen
        own = tuple(codes[i] for i in self.own)
        return self._located(x, own, gates) if SOFT not in own else self._soft(x, gates)

    def _located(self, x: Tensor, own: tuple[int, ...], gates: Gates) -> Tensor:
        try:
            return self._run(x, own, gates)
        except Exception as error:
            raise self.located(x, error) from error

    def located(self, x: Tensor, error: Exception) -> Exception:
        """The error with the place in it."""
        if getattr(error, "place", None) is not None or not isinstance(
            error, (ArchwrightError, RuntimeError, ValueError, TypeError, IndexError)
        ):
            return error
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if "Expected more than 1 value per channel" in reason:
            reason = (
                f"batch norm cannot train on a batch of {x.shape[0]} with one value a channel; give two examples or "
                "more, or call eval()"
            )
        told = EvaluationError(f"at {self.name!r}, input {tuple(x.shape)}: {reason}")
        told.place = self.name  # type: ignore[attr-defined]
        return told

    def _run(self, x: Tensor, own: tuple[int, ...], gates: Gates) -> Tensor:
        there = gates.there if x.dim() == 3 else None
        with nullcontext() if gates.there is None else active(replace(gates, there=None)):
            y = self._made_of(x, own, current(), there)
        return y if there is None or y.dim() != 3 else cleared(repr(self.name), y, there)

    def _made_of(self, x: Tensor, own: tuple[int, ...], gates: Gates, there: Tensor | None) -> Tensor:
        """What the network of these values makes of `x`, and of a mask if it reads one."""
        training = self.training and not gates.quiet
        key = (own, x.shape[1:])
        skeleton = self._skeletons.get(key)
        if skeleton is None:
            skeleton = self._skeleton(key, own, x, gates, there is not None)
        module = skeleton.module
        if self.inner and type(module) is Residual:
            y: Tensor = module.body(x)
            return self._shortcut(module, own, x, y)(x, training, gates.again) + y
        return skeleton(x, training, gates.again, there if getattr(module, "masked", False) else None)

    def _skeleton(self, key: Any, own: tuple[int, ...], x: Tensor, gates: Gates, in_time: bool) -> Skeleton:
        shape = tuple(x.shape[1:])
        if not self.inner:
            return self._keep(key, self.sized(own, gates, shape, x.dtype, in_time), own, x)
        made = self.made(own, gates)
        if type(made) in (*CHECKED, Residual) or is_materialized(made):
            return self._keep(key, made, own, x)
        # Parts that are made from shapes which what is beneath decides.
        key = (*key, tuple(gates.codes[i] for i in self.beneath))
        found = self._skeletons.get(key)
        return found or self._keep(key, self.completed(made, shape, x.dtype, gates), own, x)

    def _shortcut(self, residual: Residual, own: tuple[int, ...], x: Tensor, y: Tensor) -> Skeleton:
        key = (own, x.shape[1:], y.shape[1:])
        found = self._skeletons.get(key)
        if found is None:
            found = self._keep(key, self.shortcut(residual, tuple(x.shape), tuple(y.shape)), own, x)
        return found

    def _keep(self, key: Any, module: nn.Module, own: tuple[int, ...], x: Tensor) -> Skeleton:
        found = self.layers(module, own)
        bound = self.shared.bind(found, self.name) if found else None
        if bound is not None:
            bound.take()
        if any(True for _ in module.buffers()):  # constants
            module.to(device=x.device)
        if len(self._skeletons) >= MOST_SKELETONS:
            del self._skeletons[next(iter(self._skeletons))]
        self._skeletons[key] = Skeleton(module, bound)
        return self._skeletons[key]

    def _soft(self, x: Tensor, gates: Gates) -> Tensor:
        combinations = list(self.combinations(gates))
        terms: list[Tensor] = []
        weights: list[Tensor | None] = []
        names: list[str] = []
        for own in combinations:
            codes = list(gates.codes)
            for i, code in zip(self.own, own, strict=True):
                codes[i] = code
            version = version_of(x)
            with active(replace(gates, codes=codes)):
                terms.append(self._located(x, own, current()))
            if len(combinations) > 1:
                changed_in_place(repr(self.name), "a candidate", x, version)
            weights.append(self.weight(own, gates))
            names.append(self.described(own))
        return weighed_sum(repr(self.name), names, weights, terms, pads=True)

    def combinations(self, gates: Gates, most: int = MOST_COMBINATIONS) -> Iterator[tuple[int, ...]]:
        """All combinations of own codes whose gates are not zero; -1 for one that is not live in it.

        Raises:
            SpaceError: There are more than `most`.
        """
        decisions = self.layout.decisions
        partial: list[dict[int, int]] = [{}]
        for i in self.own:
            code = gates.codes[i]
            options = gates.support[i] if code == SOFT else (code,)
            longer = []
            for before in partial:
                live = self._live(i, before, gates)
                longer += [{**before, i: c} for c in (options if live else (-1,))]
            partial = longer
            if len(partial) > most:
                soft = [decisions[j].name for j in self.own if gates.codes[j] == SOFT]
                raise SpaceError(
                    f"soft gates at {self.name!r} would run it more than {most} times, once for each combination of "
                    f"{', '.join(map(repr, soft))}; keep some of them hard (a code instead of a tensor)"
                )
        return iter([tuple(found.values()) for found in partial])

    def _live(self, i: int, chosen: Mapping[int, int], gates: Gates) -> bool:
        conditions = self.layout.decisions[i].conditions
        if not conditions:
            return True
        for parent, allowed in conditions:
            code = chosen.get(parent, gates.codes[parent])
            if code in allowed or (code == SOFT and not allowed.isdisjoint(gates.support[parent])):
                return True
        return False

    def weight(self, own: tuple[int, ...], gates: Gates) -> Tensor | None:
        """The product of the gates of one combination; None if none of it is soft."""
        weight = None
        for i, code in zip(self.own, own, strict=True):
            if gates.codes[i] == SOFT and code >= 0:
                gate = gates.weights[i][code]
                weight = gate if weight is None else weight * gate
        return weight

    def described(self, own: tuple[int, ...]) -> str:
        """Own values for people."""
        decisions = self.layout.decisions
        return ", ".join(
            f"{decisions[i].name}={decisions[i].value(c)}" for i, c in zip(self.own, own, strict=True) if c >= 0
        )

    # Making networks

    def made(self, own: tuple[int, ...], gates: Gates) -> nn.Module:
        """The call run with these values, stand-ins for the children; perhaps it waits for its first input."""
        codes = list(gates.codes)
        for i, code in zip(self.own, own, strict=True):
            codes[i] = code
        with untouched():
            return self.built(codes)

    def built(self, codes: list[int]) -> nn.Module:
        """As `made`, drawing from torch's global generator."""
        visitor = self._visitor if self.inner else None
        made = build(self.node, self.layout, codes, scope=self.scope, path=self.path, visitor=visitor)
        if not isinstance(made, nn.Module):
            raise EvaluationError(
                f"{self.name!r}: {getattr(self.node, 'function', self.node)!r} made a {type(made).__name__} for some "
                "values, and a module for others; a supernet needs modules"
            )
        return made

    def completed(
        self,
        made: nn.Module,
        shape: tuple[int, ...],
        dtype: torch.dtype,
        gates: Gates | None = None,
        in_time: bool = False,
    ) -> nn.Module:
        """The same module after its first input, drawn without a trace in torch's generator.

        Args:
            made: Of this place.
            shape: Of one input.
            dtype: Of it.
            gates: Of what is beneath, if anything is.
            in_time: Whether the input is tokens' (channels, time), and so comes with a mask for a layer that reads one.
        """
        masked = in_time and reads_mask(made)
        if is_materialized(made):
            return made
        with untouched():
            return complete(made, shape, dtype, gates, masked)

    def sized(
        self, own: tuple[int, ...], gates: Gates, shape: tuple[int, ...], dtype: torch.dtype, in_time: bool = False
    ) -> nn.Module:
        """A completed module without children, whose weights nobody will read: without values, where that is safe."""
        if self.light:
            try:
                with Weightless():
                    made = self.completed(self.made(own, gates), shape, dtype, in_time=in_time)
            except RuntimeError:  # it computes with its weights as it is made, or cannot be made at all
                made = self.completed(self.made(own, gates), shape, dtype, in_time=in_time)
                self.light = False
                return made
            parts = list(made.modules())
            self.light = all(type(part).__module__.startswith(OURS) for part in parts)
            if self.light and not any(part._buffers and not isinstance(part, _NormBase) for part in parts):
                return made
        return self.completed(self.made(own, gates), shape, dtype, in_time=in_time)

    def shortcut(self, residual: Residual, before: tuple[int, ...], after: tuple[int, ...]) -> nn.Module:
        """What brings a residual's input to its body's shape."""
        with untouched(), Weightless():
            return residual._make_shortcut(before, after)

    def layers(self, module: nn.Module, own: tuple[int, ...]) -> list[Layer]:
        """The layers of a network of this place, without the children's."""
        outside = {id(part) for part in module.modules() if isinstance(part, StandIn)}
        return self.grouped(layers(module, outside), own)

    def grouped(self, found: list[Layer], own: tuple[int, ...]) -> list[Layer]:
        """Layers that no rule is known for share only with those of equal deciding values."""
        if not self.groups or not any(layer.opaque for layer in found):
            return found
        codes = dict(zip(self.own, own, strict=True))
        group = tuple(codes[i] for i in self.groups)
        return [
            Layer(m.module, tuple((*k, group) for k in m.kinds), m.axes, opaque=True) if m.opaque else m for m in found
        ]

    # On the way to another process

    def kept(self) -> tuple[Any, ...]:
        """All that was learnt when the supernet was made."""
        return tuple(getattr(self, name) for name in KEPT)

    def keep(self, kept: tuple[Any, ...]) -> None:
        """Take over what another was given as `kept`."""
        for name, value in zip(KEPT, kept, strict=True):
            setattr(self, name, value)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        self._skeletons.clear()  # constants in them have a device
        return super()._apply(fn, recurse)
