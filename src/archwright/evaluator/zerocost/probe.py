"""What a proxy looks at: copies of one network at its initial weights, and one batch of data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

from archwright.cost.twin import run, twin
from archwright.errors import EvaluationError
from archwright.evaluator.randomness import derived, generator, seeded
from archwright.nn import is_materialized, materialize

__all__ = ["Loss", "Probe", "apart", "gradients", "log", "redraw", "weights"]

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Probe:
    """One network and one batch, for one proxy or many; nothing that is done with them leaves a trace outside.

    Args:
        module: A private copy of the network, with all its shapes decided.
        inputs: A batch of inputs. Shape: (batch, *input_shape).
        targets: What belongs to them, as `loss` takes it.
        loss: ``loss(output, targets)``, a scalar.
        seed: Of what a proxy draws itself.
    """

    module: nn.Module
    inputs: Tensor
    targets: Tensor
    loss: Loss
    seed: int

    @classmethod
    def of(cls, module: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss, seed: int) -> Probe:
        """A probe of `module`, which is copied, and may be lazy: the copy then draws its weights from the seed."""
        copy = twin(module, device="cpu", weights=True).float()
        if not is_materialized(copy):
            with seeded(derived(seed, 0)):
                materialize(copy, inputs.shape[1:], dtype=inputs.dtype)
        return cls(copy, inputs.detach().clone().cpu(), targets.detach().clone().cpu(), loss, seed)

    def network(self) -> nn.Module:
        """A fresh copy to do anything to.

        It is in evaluation mode, so that dropout draws nothing, but for batch norms: they use the batch, as in the
        published code of all these proxies; their running statistics say nothing before training.
        """
        copy = twin(self.module, device="cpu", weights=True)
        for part in copy.modules():
            if isinstance(part, _BatchNorm):
                part.train()
        return copy

    def answer(self, network: nn.Module, inputs: Tensor) -> Tensor:
        """What a network says; an error names the layer that failed."""
        output = run(network, inputs)
        if not isinstance(output, Tensor):
            raise EvaluationError(f"the network returns a {type(output).__name__}: a proxy needs one tensor")
        return output

    def loss_of(self, network: nn.Module) -> Tensor:
        """The loss of the batch."""
        return self.loss(self.answer(network, self.inputs), self.targets)

    def noise(self, *path: int) -> Tensor:
        """Inputs drawn from a normal distribution instead, a function of the seed and `path`."""
        self.needs_numbers()
        return torch.randn(self.inputs.shape, generator=generator("cpu", self.seed, *path))

    def needs_numbers(self) -> None:
        """Raise `EvaluationError` where inputs are whole numbers, which cannot be varied a little."""
        if not self.inputs.is_floating_point():
            raise EvaluationError(f"the inputs are {self.inputs.dtype}: this proxy needs inputs that vary continuously")


def weights(network: nn.Module) -> list[nn.Parameter]:
    """The trainable parameters of two axes or more: the weights of linear maps, each once.

    In convolutional and linear layers these are what the published code looks at; recurrent, attention and embedding
    weights join them, biases and the scales of norms stay out.
    """
    found = [p for p in network.parameters() if p.requires_grad and p.dim() >= 2]
    if not found:
        raise EvaluationError("the network has no trainable weights of two axes or more")
    return found


def gradients(scalar: Tensor, of: list[nn.Parameter], *, again: bool = False) -> list[Tensor]:
    """Gradients, zeros where `scalar` does not depend on a parameter; ``again``: they are to be differentiated too."""
    found = torch.autograd.grad(scalar, of, create_graph=again, allow_unused=True, materialize_grads=True)
    return list(found)


@torch.no_grad()
def redraw(network: nn.Module, std: Callable[[Tensor], float], seed: int, *path: int) -> None:
    """Draw weights anew from normal distributions of deviation ``std(weight)``; biases 0, scales of norms 1."""
    source = generator("cpu", seed, *path)
    scales = {
        id(part.weight)
        for part in network.modules()
        if isinstance(part, (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)) and part.weight is not None
    }
    for parameter in network.parameters():
        if id(parameter) in scales:
            parameter.fill_(1.0)
        elif parameter.dim() < 2:
            parameter.fill_(0.0)
        else:
            parameter.normal_(0.0, std(parameter), generator=source)


def log(value: Tensor, of_what: str) -> float:
    """The natural logarithm; `EvaluationError` where there is none."""
    number = float(value.double().log())
    if number in (float("inf"), float("-inf")) or number != number:
        raise EvaluationError(f"{of_what} is {float(value):g}, which has no finite logarithm")
    return number


@contextmanager
def apart(seed: int) -> Iterator[None]:
    """Gradients on whatever the caller has switched off, and torch's generators and switches put back afterwards.

    Fused attention is off: it cannot be differentiated twice, nor be watched.
    """
    fused: Any = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.inference_mode(False), torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), seeded(derived(seed, 1)):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
