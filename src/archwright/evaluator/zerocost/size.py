"""Proxies that look at the network alone: how large it is, and how large its weights are.

Size is the yardstick that many proxies do not beat: Ning et al., *Evaluating Efficient Performance Estimators of Neural
Architectures*, NeurIPS 2021 (https://arxiv.org/abs/2008.03064).
"""

from __future__ import annotations

from archwright.cost import measure
from archwright.evaluator.zerocost.probe import Probe, weights

__all__ = ["l2_norm", "macs", "params"]


def params(probe: Probe) -> float:
    """Trainable parameters."""
    return float(sum(p.numel() for p in probe.module.parameters() if p.requires_grad))


def macs(probe: Probe) -> float:
    """Multiply-accumulates of one inference, as `archwright.cost.measure` counts them."""
    return float(measure(probe.module, probe.inputs.shape[1:], ("macs",), dtype=probe.inputs.dtype)["macs"])


def l2_norm(probe: Probe) -> float:
    """The Euclidean norms of all weights at the start, summed over layers: ``sum_l ||theta_l||``.

    Abdelfattah et al., *Zero-Cost Proxies for Lightweight NAS*, ICLR 2021 (https://arxiv.org/abs/2101.08134), in
    whose code it is a baseline.
    """
    return float(sum(w.detach().double().norm() for w in weights(probe.module)))
