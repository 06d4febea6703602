"""Every architecture of a space in one network with shared weights, weighed by gates."""

from archwright.supernet.supernet import Supernet

__all__ = ["Supernet"]
