"""Modules that wait for their first input to learn its shape, and how a network is made to see one.

Torch's own lazy modules are welcome beside these; after `materialize` neither kind is left waiting.
"""

from __future__ import annotations

import traceback
from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin

from archwright.errors import ArchwrightError, EvaluationError

__all__ = ["Block", "Inferred", "is_materialized", "materialize"]


class Inferred(nn.Module):
    """A module that completes itself when it first sees an input; from then on `waiting` is False.

    What is decided then stays: the forward has no branch on data or shapes, so that it can be traced.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waiting = True


class Block(Inferred):
    """A module that makes all its parts from the shape of its first input: subclasses say how, in `_make`.

    One to which padding matters (it pools, attends, or reads backwards) overrides `_make_masked` too: inside a
    `archwright.nn.TokenNetwork` it is then called with a mask beside the input, and so are the parts that this makes.
    """

    body: nn.Module | None

    def __init__(self) -> None:
        super().__init__()
        self.body = None
        self.masked = False

    @abstractmethod
    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        """The parts for inputs of this shape, batch included."""

    def _make_masked(self, shape: tuple[int, ...]) -> nn.Module:
        """The parts for inputs of this shape that come with a mask, (batch, time), True where there is no padding."""
        raise NotImplementedError

    @property
    def reads_mask(self) -> bool:
        """Whether padding matters to it."""
        return type(self)._make_masked is not Block._make_masked

    def forward(self, x: Tensor, there: Tensor | None = None) -> Tensor:
        """The parts on `x`, and on the mask if there is one; the first input makes them."""
        if self.waiting:
            # Parameters draw from torch's global generator here, as those of torch's lazy modules do.
            self.masked = there is not None
            made = self._make_masked(tuple(x.shape)) if self.masked else self._make(tuple(x.shape))
            self.body = (made if x.device.type == "cpu" else made.to(x.device)).train(self.training)
            self.waiting = False
        assert self.body is not None
        return self.body(x, there) if self.masked else self.body(x)


def is_materialized(module: nn.Module) -> bool:
    """Whether nothing in `module` waits for its first input any more."""
    return not any(
        (isinstance(part, Inferred) and part.waiting) or isinstance(part, LazyModuleMixin) for part in module.modules()
    )


def materialize(module: nn.Module, input_shape: Sequence[int], *, dtype: torch.dtype = torch.float32) -> nn.Module:
    """Show `module` one batch of two zero inputs, so that all its shapes are decided; returns it.

    The module is changed in place. Parameters are drawn from torch's global generator: call
    `torch.manual_seed` (inside `torch.random.fork_rng`) for equal weights.

    Args:
        module: A network, lazy or not.
        input_shape: Shape of one input, without the batch.
        dtype: Of the inputs; `torch.long` for networks that begin with an embedding.

    Raises:
        EvaluationError: The network cannot take such inputs; the message names the module and its place.
    """
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            module(torch.zeros(2, *input_shape, dtype=dtype, device=_device(module)))
    except Exception as error:
        raise EvaluationError(_explain(module, tuple(input_shape), error)) from error
    finally:
        module.train(was_training)
    waiting = [
        name
        for name, part in module.named_modules()
        if isinstance(part, LazyModuleMixin) or (isinstance(part, Inferred) and part.waiting)
    ]
    if waiting:
        raise EvaluationError(
            f"parts of the network see no input and so have no shape: {', '.join(map(repr, waiting))}; remove them"
        )
    return module


def _device(module: nn.Module) -> torch.device:
    for parameter in module.parameters():
        return parameter.device
    return torch.device("cpu")


def _explain(module: nn.Module, input_shape: tuple[int, ...], error: Exception) -> str:
    """Where in the network the error arose: the innermost module whose code was running."""
    names = {id(part): name for name, part in module.named_modules()}
    place = ""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        part = frame.f_locals.get("self")
        if id(part) not in names:
            continue
        seen = next((v for k in ("x", "input") if isinstance(v := frame.f_locals.get(k), Tensor)), None)
        shape = f", input {tuple(seen.shape)}" if seen is not None else ""
        if not shape and isinstance(given := frame.f_locals.get("shape"), tuple):
            shape = f", input {given}"
        if part is module and not shape:
            continue
        place = f"at {names[id(part)] or 'the top'!r} ({type(part).__name__}{shape}): "
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    if not isinstance(error, (ArchwrightError, RuntimeError, ValueError)):
        reason = f"{type(error).__name__}: {reason}"
    return f"the network cannot take inputs of shape {input_shape}: {place}{reason}"
