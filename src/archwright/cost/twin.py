"""A private copy of a network to run and measure, so that the network itself is never touched."""

from __future__ import annotations

import copy
import traceback
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from archwright.errors import EvaluationError

__all__ = ["checked_shape", "own_dtype", "own_device", "run", "twin", "untouched_rng"]


def twin(module: nn.Module, *, device: torch.device | str, weights: bool) -> nn.Module:
    """A copy in eval mode on `device` that shares no tensor and no state with `module`, which may still be lazy.

    Args:
        module: The network to copy; left as it is.
        device: Where the copy's tensors live.
        weights: Whether the copy has the weights' values, or zeros: enough to count with, and quick.
    """
    memo: dict[int, Any] = {}

    for part in module.modules():
        for parameter in part._parameters.values():
            if parameter is not None:
                memo[id(parameter)] = _parameter(parameter, device, weights)
        for buffer in part._buffers.values():  # may steer the forward: keep the values
            if buffer is not None:
                memo[id(buffer)] = _value(buffer, device)
        for attribute in vars(part).values():
            if type(attribute) is OrderedDict and not attribute:  # a module has a dozen: hooks that nobody set
                memo[id(attribute)] = OrderedDict()
            elif isinstance(attribute, Tensor) and id(attribute) not in memo:  # deepcopy refuses computed ones
                memo[id(attribute)] = _value(attribute, device)
    try:
        return copy.deepcopy(module, memo).eval()
    except Exception as error:
        raise EvaluationError(f"the network cannot be copied to be measured: {_line(error)}") from error


def _parameter(parameter: Tensor, device: torch.device | str, keep: bool) -> nn.Parameter:
    if isinstance(parameter, UninitializedParameter):
        # torch's own stub has the wrong signature.
        return UninitializedParameter(parameter.requires_grad, device, parameter.data.dtype)  # type: ignore
    value = parameter.detach()
    made = value.to(device, copy=True) if keep else torch.zeros_like(value, device=device)
    return nn.Parameter(made, requires_grad=parameter.requires_grad)


def _value(tensor: Tensor, device: torch.device | str) -> Tensor:
    if isinstance(tensor, UninitializedBuffer):  # deepcopy refuses this one
        return UninitializedBuffer(tensor.requires_grad, device, tensor.dtype)  # type: ignore
    return tensor.detach().to(device, copy=True)


def run(module: nn.Module, x: Tensor) -> Any:
    """One forward; an error names the input's shape and the layer that failed."""
    try:
        return module(x)
    except Exception as error:
        names = {id(part): name for name, part in module.named_modules()}
        place = ""
        for frame, _ in traceback.walk_tb(error.__traceback__):  # the innermost layer comes last
            part = frame.f_locals.get("self")
            if isinstance(part, nn.Module) and names.get(id(part)):
                place = f" at {names[id(part)]!r} ({type(part).__name__})"
        raise EvaluationError(
            f"the network cannot run on one input of shape {tuple(x.shape[1:])}{place}: {_line(error)}"
        ) from error


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def own_dtype(module: nn.Module) -> torch.dtype:
    """The first floating type among the weights; torch's default without any."""
    return next((p.dtype for p in module.parameters() if p.dtype.is_floating_point), torch.get_default_dtype())


def own_device(module: nn.Module) -> torch.device:
    """Where the first weight lives; the processor without any."""
    return next((p.device for p in module.parameters()), torch.device("cpu"))


def checked_shape(input_shape: Any) -> tuple[int, ...]:
    """The shape of one input, without batch, as a tuple of positive whole numbers."""
    try:
        shape = (int(input_shape),) if isinstance(input_shape, int) else tuple(int(n) for n in input_shape)
    except (TypeError, ValueError):
        shape = (0,)
    if any(n < 1 for n in shape):
        raise EvaluationError(
            f"input_shape must hold the sizes of one input without batch, such as (1, 28, 28); got {input_shape!r}"
        )
    return shape


@contextmanager
def untouched_rng(device: torch.device | str = "cpu") -> Iterator[None]:
    """Draw from torch's global generators inside without a trace outside."""
    place = torch.device(device)
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
        yield
