"""The one list of proxies, and how to ask for one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archwright.errors import EvaluationError, did_you_mean
from archwright.evaluator.zerocost import az_nas, flow, regions, saliency, size
from archwright.evaluator.zerocost.probe import Loss, Probe, apart
from archwright.evaluator.zerocost.zen import zen

__all__ = ["PROXIES", "Found", "Proxy", "check_names", "compute", "look"]

Proxy = Callable[[Probe], float]

PROXIES: Mapping[str, Proxy] = {
    "params": size.params,
    "macs": size.macs,
    "l2_norm": size.l2_norm,
    "grad_norm": saliency.grad_norm,
    "snip": saliency.snip,
    "grasp": saliency.grasp,
    "fisher": saliency.fisher,
    "synflow": flow.synflow,
    "jacob_cov": regions.jacob_cov,
    "naswot": regions.naswot,
    "zen": zen,
    "expressivity": az_nas.expressivity,
    "progressivity": az_nas.progressivity,
    "trainability": az_nas.trainability,
}
"""Every proxy of one network by name; for each, more promises a better network."""


def compute(
    name: str,
    module: nn.Module,
    inputs: Tensor,
    targets: Tensor | None = None,
    *,
    loss: Loss | None = None,
    seed: int = 0,
) -> float:
    """One proxy of any network, which is never changed, nor are torch's generators.

    Args:
        name: One of `PROXIES`.
        module: The network, at its initial weights; a lazy one stays lazy, and draws its weights from the seed.
        inputs: A batch of inputs; 16 are usual. Shape: (batch, *input_shape).
        targets: What belongs to them; needed by the proxies that need a loss.
        loss: ``loss(output, targets)``; by default cross entropy for classes, mean squared error for quantities.
        seed: Of what the proxy draws.

    Raises:
        EvaluationError: No such proxy, or it cannot be computed on this network, with the reason.

    >>> network = nn.Sequential(nn.Linear(3, 4, bias=False), nn.ReLU(), nn.Linear(4, 2, bias=False))
    >>> compute("params", network, torch.ones(8, 3))
    20.0
    """
    check_names([name], PROXIES)
    found = look([name], module, inputs, targets, loss=loss, seed=seed)
    if name in found.missing:
        raise EvaluationError(found.missing[name])
    return found.values[name]


@dataclass(frozen=True)
class Found:
    """What several proxies say of one network.

    Args:
        values: Of those that can be computed.
        missing: For the others, why not.
        ms: Milliseconds that each took.
    """

    values: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    ms: dict[str, float] = field(default_factory=dict)


def look(
    names: Iterable[str],
    module: nn.Module,
    inputs: Tensor,
    targets: Tensor | None = None,
    *,
    loss: Loss | None = None,
    seed: int = 0,
) -> Found:
    """Several proxies of one network, as `compute`; what cannot be computed is missing, with the reason."""
    if len(inputs) < 2:
        raise EvaluationError(f"proxies need a batch of 2 inputs or more, got {len(inputs)}")
    with apart(seed):
        probe = Probe.of(module, inputs, _targets(targets, inputs), loss or _default_loss(targets), seed)
    found = Found()
    for name in names:
        began = time.perf_counter()
        try:
            with apart(seed):
                value = PROXIES[name](probe)
            if math.isfinite(value):
                found.values[name] = value
            else:
                found.missing[name] = f"it comes out as {value}"
        except EvaluationError as error:
            found.missing[name] = str(error)
        except (RuntimeError, NotImplementedError, ValueError, IndexError) as error:  # torch's own, of any kind
            found.missing[name] = f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"
        if name in found.missing:
            found.missing[name] = f"{name} cannot be computed on this network: {found.missing[name]}"
        found.ms[name] = 1000 * (time.perf_counter() - began)
    return found


def check_names(names: Iterable[str], known: Iterable[str]) -> None:
    """Raise `EvaluationError` for a name that is no proxy."""
    known = list(known)
    for name in names:
        if name not in known:
            raise EvaluationError(f"there is no proxy called {name!r}. {did_you_mean(name, known)}")


def _default_loss(targets: Tensor | None) -> Loss:
    """Cross entropy where targets are classes, else the mean squared error."""
    if targets is None:
        return _no_loss
    return F.mse_loss if targets.is_floating_point() else F.cross_entropy


def _no_loss(output: Tensor, targets: Tensor) -> Tensor:
    raise EvaluationError("it needs targets, and none were given")


def _targets(targets: Tensor | None, inputs: Tensor) -> Tensor:
    if targets is None:
        return torch.zeros(len(inputs))
    if len(targets) != len(inputs):
        raise EvaluationError(f"there are {len(inputs)} inputs and {len(targets)} targets: they must be as many")
    return targets
