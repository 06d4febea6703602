"""Activations by name."""

from __future__ import annotations

from torch import nn

from archwright.nn.check import one_of

__all__ = ["ACTIVATIONS", "activation"]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "hardswish": nn.Hardswish,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "none": nn.Identity,
}


def activation(name: str) -> nn.Module:
    """A fresh activation module.

    >>> activation("silu")
    SiLU()
    """
    one_of("activation", "activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]()
