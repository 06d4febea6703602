"""Activations, norms and weighted sums, met while a network runs, whether modules or functions perform them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

__all__ = ["ACTIVATIONS", "NORMS", "WEIGHTED", "Linear", "Watch"]

ACTIVATIONS = frozenset(
    name + ending
    for name in (
        *("relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "celu", "selu", "gelu", "silu", "mish"),
        *("hardswish", "hardtanh", "tanh", "softplus"),
    )
    for ending in ("", "_")
)
"""What bends a signal. Sigmoid, softmax and the like are left out: they make gates and shares rather than signals."""

NORMS = frozenset({"batch_norm", "instance_norm", "group_norm", "layer_norm", "rms_norm"})

WEIGHTED = frozenset(
    {"linear", "bilinear", "lstm", "gru", "rnn_tanh", "rnn_relu"}
    | {f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3)}
)

Heard = Callable[[str, Tensor, Any, tuple[Any, ...]], None]


class Watch(TorchFunctionMode):
    """Inside, `heard` is told of each operation of these names, after it: its name, input, result and arguments.

    A mode sees ``nn.ReLU`` and ``torch.nn.functional.relu`` alike, so that networks of any writing are understood.

    Args:
        names: Which operations.
        heard: ``heard(name, input, result, arguments)``; the input may have been changed in place since.
        before: Called instead of `heard` with the same before the operation, the result being None.
    """

    def __init__(self, names: Iterable[str], heard: Heard, *, before: bool = False):
        super().__init__()
        self.names = frozenset(names)
        self.heard = heard
        self.before = before

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        x = _input(args, given) if name in self.names else None
        if x is not None and self.before:
            self.heard(name, x, None, (*args[1:], *given.values()))
        result = func(*args, **given)
        if x is not None and not self.before:
            self.heard(name, x, result, (*args[1:], *given.values()))
        return result


class Linear(TorchFunctionMode):
    """Inside, activations and norms give back what they are given."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        x = _input(args, given) if name in ACTIVATIONS or name in NORMS else None
        return func(*args, **given) if x is None else x


def _input(args: tuple[Any, ...], given: Mapping[str, Any]) -> Tensor | None:
    found = args[0] if args else given.get("input")
    return found if isinstance(found, torch.Tensor) else None
