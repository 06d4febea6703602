"""Proxies that ask how well a network tells inputs apart before it has learnt anything."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from archwright.errors import EvaluationError
from archwright.evaluator.zerocost.operations import ACTIVATIONS, Watch
from archwright.evaluator.zerocost.probe import Probe

__all__ = ["jacob_cov", "naswot"]

RIDGE = 1e-5


def naswot(probe: Probe) -> float:
    """How different the activation patterns of a batch are: ``log det K``, ``K_ij = N_A - hamming(c_i, c_j)``.

    Section 3 of Mellor et al., *Neural Architecture Search without Training*, ICML 2021
    (https://arxiv.org/abs/2006.04647): the code ``c_i`` of an input says for each of ``N_A`` rectified units whether it
    is active.

    - Smooth relatives of ReLU (SiLU, hardswish, GELU, tanh, ...) have codes alike: whether their input is positive. So
      have the states of recurrent layers.
    - A network of fewer units than inputs gives equal codes, of which the determinant is zero: 1e-5 is added to the
      diagonal, so that such a network scores low instead of not at all. Elsewhere that changes nothing visible.
    """
    network = probe.network()
    n = len(probe.inputs)
    kernel = torch.zeros(n, n, dtype=torch.float64)
    units = 0

    def see(what: str, x: Tensor) -> None:
        nonlocal units
        if x.shape[:1] != (n,):
            raise EvaluationError(f"{what} reads a tensor of shape {tuple(x.shape)}, whose first axis is not the batch")
        signs = torch.where(x.detach().flatten(1) > 0, 1.0, -1.0)
        kernel.add_((signs @ signs.T + signs.shape[1]).double() / 2)  # pairs that agree
        units += signs.shape[1]

    def see_states(layer: nn.Module, _: Any, result: Any) -> None:
        assert isinstance(layer, nn.RNNBase)
        states = result[0]
        see(type(layer).__name__, states if layer.batch_first or states.dim() < 3 else states.transpose(0, 1))

    for part in network.modules():
        if isinstance(part, nn.RNNBase):
            part.register_forward_hook(see_states)
    with torch.no_grad(), Watch(ACTIVATIONS, lambda name, x, *_: see(name, x), before=True):
        probe.answer(network, probe.inputs)
    if not units:
        raise EvaluationError("the network has no activation, such as ReLU, and so no activation patterns")
    return float(torch.linalg.slogdet(kernel + RIDGE * torch.eye(n)).logabsdet)


def jacob_cov(probe: Probe) -> float:
    """How little the Jacobians of a batch agree: ``-sum_i log(v_i + k) + 1 / (v_i + k)``, k = 1e-5.

    The ``v_i`` are the eigenvalues of the correlation matrix of ``d(sum of outputs)/dx`` of the inputs. Mellor et al.,
    *Neural Architecture Search without Training*, first version of 2020 (https://arxiv.org/abs/2006.04647v1), as used
    by Abdelfattah et al., ICLR 2021 (https://arxiv.org/abs/2101.08134).
    """
    probe.needs_numbers()
    network = probe.network()
    inputs = probe.inputs.clone().requires_grad_(True)
    (jacobian,) = torch.autograd.grad(probe.answer(network, inputs).sum(), inputs)
    rows = jacobian.flatten(1).double()
    rows = rows - rows.mean(1, keepdim=True)
    norms = rows.norm(dim=1, keepdim=True)
    if not bool((norms > 0).all()):
        raise EvaluationError("the output does not depend on some inputs, or on all their values alike: no correlation")
    rows = rows / norms
    values = torch.linalg.eigvalsh(rows @ rows.T).clamp(min=0) + RIDGE
    return float(-(values.log() + 1 / values).sum())
