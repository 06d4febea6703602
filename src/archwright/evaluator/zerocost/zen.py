"""The Zen-score: how far features move when the input moves a little."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from archwright.errors import EvaluationError
from archwright.evaluator.zerocost.operations import ACTIVATIONS, NORMS, WEIGHTED, Watch
from archwright.evaluator.zerocost.probe import Probe, log, redraw
from archwright.nn.connect import Residual
from archwright.nn.merge import Add

__all__ = ["zen"]

STEP = 0.01


def zen(probe: Probe) -> float:
    """``log E ||f(x) - f(x + 0.01 e)|| + sum over norms of log sqrt(mean variance)``, x and e normal, weights N(0, 1).

    Algorithm 1 of Lin et al., *Zen-NAS: A Zero-Shot NAS for High-Performance Deep Image Recognition*, ICCV 2021
    (https://arxiv.org/abs/2102.01063). ``f`` are the features before the global pooling: here the result of the last
    layer, norm or activation that has positions; where nothing has, what the last linear layer reads. Norms keep
    the features from exploding; what they divide by, on the batch, is put back.

    - Shortcuts are taken out as there, where they are archwright's own (`Residual`, inverted residuals, attention); in
      other modules they cannot be told apart and stay.
    - Norms other than batch norms, which the paper does not have, are put back in the same way.
    - One draw of weights and inputs, where the published code averages 32.
    """
    network = probe.network()
    redraw(network, lambda weight: 1.0, probe.seed, 2, 0)
    for part in network.modules():
        if isinstance(part, (Add, Residual)):
            part.forward = part.body.__call__  # type: ignore[method-assign]
    x = probe.noise(2, 1)
    moved = x + STEP * probe.noise(2, 2)
    found = _change(probe, network, x, moved)
    if not all(bool(f.isfinite()) for f in found):  # without norms, features leave single precision in thirty layers
        found = _change(probe, network.double(), x.double(), moved.double())
    change, *variances = found
    return log(change, "the change of features") + sum(0.5 * log(v, "the variance before a norm") for v in variances)


@torch.no_grad()
def _change(probe: Probe, network: nn.Module, x: Tensor, moved: Tensor) -> list[Tensor]:
    """By how much the features change on average, and the mean variance that each norm divides by."""
    variances: list[Tensor] = []
    before = _features(probe, network, x, lambda variance: variances.append(variance.mean()))
    after = _features(probe, network, moved, lambda variance: None)
    return [(before - after).flatten(1).norm(dim=1).mean(), *variances]


def _features(probe: Probe, network: nn.Module, x: Tensor, normed: Callable[[Tensor], None]) -> Tensor:
    """The last features that have positions, else what the last linear layer reads; `normed` is told variances."""
    last: dict[str, Tensor] = {}

    def before(name: str, given: Tensor, _: Any, arguments: tuple[Any, ...]) -> None:
        if name in NORMS:
            normed(_variance(name, given, arguments))
        elif name == "linear":
            last["read"] = given

    def after(name: str, _: Tensor, result: Any, __: tuple[Any, ...]) -> None:
        first = result[0] if isinstance(result, tuple) else result
        if first.dim() >= 3 and first.numel() > first.shape[0] * first.shape[1]:
            last["positions"] = first.clone()  # what follows may work in place

    with Watch(NORMS | {"linear"}, before, before=True), Watch(ACTIVATIONS | NORMS | WEIGHTED, after):
        probe.answer(network, x)
    found = last.get("positions", last.get("read"))
    if found is None or found.data_ptr() == x.data_ptr():
        raise EvaluationError("the network has no hidden layer whose features could be looked at")
    return found


def _variance(name: str, x: Tensor, arguments: tuple[Any, ...]) -> Tensor:
    """The variances that a norm divides by."""
    if name == "batch_norm":
        return x.transpose(0, 1).flatten(1).var(1, correction=0)
    if name == "instance_norm":
        return x.flatten(2).var(2, correction=0)
    if name == "group_norm":
        return x.reshape(len(x), int(arguments[0]), -1).var(2, correction=0)
    flat = x.flatten(-len(arguments[0]))
    return flat.square().mean(-1) if name == "rms_norm" else flat.var(-1, correction=0)
