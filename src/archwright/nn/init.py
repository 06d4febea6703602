"""Initialisations by name, applied when parameters come into being."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from archwright.nn.check import one_of

__all__ = ["INITS", "initialize"]

NORMAL_STD = 0.05

_DRAW: dict[str, Callable[[Tensor], object] | None] = {
    "default": None,
    "normal": lambda w: nn.init.normal_(w, std=NORMAL_STD),
    "xavier": nn.init.xavier_uniform_,
    "kaiming": lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"),
    "orthogonal": nn.init.orthogonal_,
}
INITS = tuple(_DRAW)


def initialize(module: nn.Module, name: str) -> nn.Module:
    """Draw the weights of all convolutions, linear and recurrent layers inside `module` anew; returns it.

    Biases become zero. Normalisations and their like keep torch's values, as does everything with ``default``.

    Args:
        module: A network without lazy parameters.
        name: ``default`` (torch's own), ``normal`` (deviation 0.05), ``xavier`` (uniform; Glorot and Bengio 2010),
            ``kaiming`` (normal, fan in; He et al. 2015) or ``orthogonal`` (Saxe et al. 2014).
    """
    one_of("initialize", "init", name, INITS)
    draw = _DRAW[name]
    if draw is None:
        return module
    for part in module.modules():
        if isinstance(part, (nn.modules.conv._ConvNd, nn.Linear, nn.RNNBase)):
            for parameter in part.parameters(recurse=False):
                if parameter.dim() >= 2:
                    draw(parameter)
                else:
                    nn.init.zeros_(parameter)
    return module
