"""How far an exported form is from the network it came from: both are run on the same inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["BATCHES", "TOLERANCE", "Agreement", "agree", "random_inputs"]

BATCHES = (1, 3, 8)
"""Batch sizes on which every form is run: a form that fixed its batch fails on one of them."""

TOLERANCE = 1e-4
"""The greatest difference that passes, as a share of the greatest absolute output of the original."""

SMALLEST_SCALE = 1e-3


@dataclass(frozen=True)
class Agreement:
    """The outcome of a comparison.

    Attributes:
        difference: The greatest absolute difference of any output; infinite when the shapes or the places of
            NaN and infinity differ.
        scale: The greatest absolute output of the original (at least 0.001).
        batches: The sizes of the batches compared.
    """

    difference: float
    scale: float
    batches: tuple[int, ...]

    @property
    def passed(self) -> bool:
        """Whether the form stands for the original."""
        return self.difference <= TOLERANCE * self.scale

    def to_json(self) -> dict[str, Any]:
        """As it stands in the card."""
        return {
            "max_difference": self.difference,
            "scale": self.scale,
            "tolerance": TOLERANCE,
            "batches": list(self.batches),
        }


def random_inputs(input_shape: Sequence[int], dtype: torch.dtype = torch.float32, seed: int = 0) -> tuple[Tensor, ...]:
    """One batch of each size of `BATCHES`: standard normal numbers, or zeros and ones for whole-number inputs."""
    generator = torch.Generator().manual_seed(seed)
    if dtype.is_floating_point:
        return tuple(torch.randn(n, *input_shape, generator=generator, dtype=dtype) for n in BATCHES)
    return tuple(torch.randint(0, 2, (n, *input_shape), generator=generator, dtype=dtype) for n in BATCHES)


def agree(original: Callable[[Tensor], Any], form: Callable[[Tensor], Any], inputs: Iterable[Tensor]) -> Agreement:
    """Run both on every input, and compare all that they return."""
    difference, scale, batches = 0.0, SMALLEST_SCALE, []
    with torch.no_grad():
        for x in inputs:
            expected = list(tensors(original(x.clone())))
            got = list(tensors(form(x.clone())))
            batches.append(len(x))
            if [t.shape for t in expected] != [t.shape for t in got]:
                return Agreement(float("inf"), scale, tuple(batches))
            for a, b in zip(expected, got, strict=True):
                difference = max(difference, _apart(a.double(), b.double()))
                finite = a[a.isfinite()].double()
                scale = max(scale, finite.abs().max().item() if finite.numel() else 0.0)
    return Agreement(difference, scale, tuple(batches))


def tensors(value: Any) -> Iterator[Tensor]:
    """The tensors inside a network's output, in order: a tensor, or tuples, lists and dicts of them."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from tensors(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from tensors(part)


def _apart(a: Tensor, b: Tensor) -> float:
    same = (a == b) | (a.isnan() & b.isnan())  # infinity equals infinity; NaN does not equal NaN
    rest = (a - b).abs()[~same]
    if not rest.numel():
        return 0.0
    return rest.max().item() if bool(rest.isfinite().all()) else float("inf")
