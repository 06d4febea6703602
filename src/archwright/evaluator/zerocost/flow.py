"""Synaptic flow: how much signal all paths together carry, without any data."""

from __future__ import annotations

import torch

from archwright.evaluator.zerocost.operations import Linear
from archwright.evaluator.zerocost.probe import Probe, gradients, log, weights

__all__ = ["synflow"]


def synflow(probe: Probe) -> float:
    """Synaptic flow, as a logarithm: ``log sum theta * dR/dtheta`` with ``R = 1' (prod_l |theta_l|) 1``.

    Algorithm 1 of Tanaka et al., *Pruning Neural Networks without any Data by Iteratively Conserving Synaptic
    Flow*, NeurIPS 2020 (https://arxiv.org/abs/2006.05467), summed over all weights as by Abdelfattah et al., *Zero-Cost
    Proxies for Lightweight NAS*, ICLR 2021 (https://arxiv.org/abs/2101.08134): the input is all ones, parameters are
    replaced by their absolute values, and batch norms are left out.

    - The logarithm, of sums in double precision: the flow multiplies with each layer, and a network of forty layers
      leaves single precision. It keeps the order.
    - Activations are left out too. Between non-negative numbers that changes nothing for ReLU; for others it makes
      ``R`` the product of the equation.
    - Other norms are left out as batch norms are. Gates (sigmoids, recurrent cells) and the softmax of attention
      stay: for these networks ``R`` is not a product, but its derivatives mean the same.
    """
    probe.needs_numbers()
    network = probe.network().double()
    with torch.no_grad():
        for tensor in (*network.parameters(), *network.buffers()):
            if tensor.is_floating_point():
                tensor.abs_()
    wanted = weights(network)
    with Linear():
        flow = probe.answer(network, torch.ones(1, *probe.inputs.shape[1:], dtype=torch.float64)).sum()
        found = gradients(flow, wanted)
    total = sum(((g * w.detach()).abs().sum() for g, w in zip(found, wanted, strict=True)), torch.zeros(()).double())
    return log(total, "the synaptic flow")
