"""Statistics of batch norms, taken anew for one network."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from archwright.errors import DataError

__all__ = ["recalibrate"]


def recalibrate(module: nn.Module, batches: Iterable[Tensor]) -> nn.Module:
    """Replace the running statistics of all batch norms by averages over the batches; returns the module.

    The statistics of shared weights are a mixture over architectures, which fits none (Yu and Huang, *Universally
    Slimmable Networks*, ICCV 2019, https://arxiv.org/abs/1903.05134, section 3.3). Every batch counts alike, as there.
    Only batch norms are in training mode meanwhile: dropout would change what they see.

    Raises:
        DataError: There are no batches.
    """
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    modes = [(m, m.training) for m in module.modules()]
    momenta = [m.momentum for m in norms]
    module.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch: a cumulative average
        norm.training = True
    seen = 0
    try:
        with torch.no_grad():
            for batch in batches:
                module(batch)
                seen += 1
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for part, mode in modes:
            part.training = mode
    if not seen:
        raise DataError("recalibration got no batches; give one or more batches of inputs")
    return module
