"""Networks whose weights have sizes but no values: made quickly whatever their size, and run to learn shapes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from archwright.cost.counting import Walk
from archwright.cost.products import ANSWERED

__all__ = ["Shapes", "Weightless"]

_DRAWS = frozenset(
    (
        *(
            getattr(torch.nn.init, f"{n}_")
            for n in ("kaiming_uniform", "kaiming_normal", "uniform", "normal", "constant")
        ),
        *(getattr(torch.nn.init, f"{n}_") for n in ("xavier_uniform", "xavier_normal", "orthogonal", "zeros", "ones")),
        *(getattr(Tensor, n) for n in ("uniform_", "normal_", "zero_", "fill_")),
    )
)
_MAKES = frozenset((torch.empty, torch.zeros, torch.ones, torch.tensor))


class Weightless(TorchFunctionMode):
    """Within it, new tensors take no memory and are not drawn (``torch.device("meta")`` does draw, step by step)."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _DRAWS:
            return args[0] if args else kwargs["tensor"]
        if func in _MAKES and kwargs.get("device") is None:
            kwargs = {**kwargs, "device": "meta"}
        return func(*args, **kwargs)


class Shapes(Walk):
    """Runs such a network on real inputs under inference mode: products are answered with zeros, not computed."""

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        if func.overloadpacket not in ANSWERED:
            args = tuple(_valued(a) for a in args)
        return super().__torch_dispatch__(func, types, args, kwargs)


def _valued(x: Any) -> Any:
    """Zeros for a tensor without values: those of norms and tables are small."""
    if isinstance(x, Tensor) and x.is_meta:
        return torch.zeros(x.shape, dtype=x.dtype)
    return x
