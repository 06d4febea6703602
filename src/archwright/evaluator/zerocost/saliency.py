"""Proxies from pruning at the start: what the loss of one batch says of weights and channels.

All as Abdelfattah et al., *Zero-Cost Proxies for Lightweight NAS*, ICLR 2021 (https://arxiv.org/abs/2101.08134), turn
them into one number: the sum of the saliency of every parameter. Departures in all of them:

- Weights of recurrent, attention and embedding layers count beside those of convolutions and linear layers.
- Dropout is off, so that the number does not depend on what it draws.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from archwright.errors import EvaluationError
from archwright.evaluator.zerocost.probe import Probe, gradients, weights

__all__ = ["fisher", "grad_norm", "grasp", "snip"]


def grad_norm(probe: Probe) -> float:
    """Euclidean norms of the gradients, summed over layers: ``sum_l ||dL/dtheta_l||``."""
    network = probe.network()
    found = gradients(probe.loss_of(network), weights(network))
    return float(sum(g.double().norm() for g in found))


def snip(probe: Probe) -> float:
    """Connection sensitivity: ``sum |dL/dtheta * theta|`` (equation 1 of Abdelfattah et al.).

    Lee et al., *SNIP: Single-shot Network Pruning based on Connection Sensitivity*, ICLR 2019
    (https://arxiv.org/abs/1810.02340). Not divided by its sum as there, or it would be 1.
    """
    network = probe.network()
    wanted = weights(network)
    found = gradients(probe.loss_of(network), wanted)
    return float(sum((g * w.detach()).double().abs().sum() for g, w in zip(found, wanted, strict=True)))


def grasp(probe: Probe) -> float:
    """What pruning would take from the gradient flow: ``sum -(H dL/dtheta) * theta`` (equation 1 likewise).

    Wang et al., *Picking Winning Tickets Before Training by Preserving Gradient Flow*, ICLR 2020
    (https://arxiv.org/abs/2002.07376). Without its temperature (200 there), as Abdelfattah et al. do. The
    Hessian-vector product is exact, by differentiating twice.
    """
    network = probe.network()
    wanted = weights(network)
    found = gradients(probe.loss_of(network), wanted, again=True)
    along: Any = sum((g * g.detach()).sum() for g in found)  # its derivative is H g
    products = gradients(along, wanted)
    return float(-sum((h * w.detach()).double().sum() for h, w in zip(products, wanted, strict=True)))


def fisher(probe: Probe) -> float:
    """What removing a channel would cost: ``sum_c 1/2 mean_n (sum_positions a * dL/da)^2`` over channels of all layers.

    Theis et al., *Faster Gaze Prediction with Dense Networks and Fisher Pruning*, 2018 (https://arxiv.org/abs/1801.05787);
    Turner et al., *BlockSwap*, ICLR 2020 (https://arxiv.org/abs/1906.04113). The activations are the
    results of convolutions, linear and recurrent layers.

    - The published code of Abdelfattah et al. then counts a channel as often as it has weights; here once, as the
      equation says.
    """
    network = probe.network()
    seen: list[tuple[Tensor, int]] = []  # with the axis of the channels

    def see(layer: nn.Module, _: Any, result: Any) -> Any:
        first = result[0] if isinstance(result, tuple) else result
        if not (isinstance(first, Tensor) and first.requires_grad):
            return None
        if first.shape[0] != len(probe.inputs):
            raise EvaluationError(
                f"{type(layer).__name__} gives a shape of {tuple(first.shape)}, whose first axis is not the batch"
            )
        seen.append((first, 1 if isinstance(layer, nn.modules.conv._ConvNd) else first.dim() - 1))
        # What follows gets a copy: it may work in place.
        return (first.clone(), *result[1:]) if isinstance(result, tuple) else first.clone()

    for part in network.modules():
        if isinstance(part, (nn.modules.conv._ConvNd, nn.Linear, nn.Bilinear, nn.RNNBase)):
            part.register_forward_hook(see)
    loss = probe.loss_of(network)
    if not seen:
        raise EvaluationError("the network has no convolution, linear or recurrent layer whose channels could be seen")
    found = torch.autograd.grad(loss, [a for a, _ in seen], allow_unused=True, materialize_grads=True)
    total = 0.0
    for (activation, axis), gradient in zip(seen, found, strict=True):
        product = (activation.detach() * gradient).double().movedim(axis, 1)
        over_positions = product.reshape(*product.shape[:2], -1).sum(2)
        total += float(0.5 * over_positions.square().mean(0).sum())
    return total
