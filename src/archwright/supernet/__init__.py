"""Every architecture of a space in one network with shared weights, weighed by gates."""

from archwright.supernet.expected import Table
from archwright.supernet.sharing import Sharing, SharingRow
from archwright.supernet.supernet import Supernet

__all__ = ["Sharing", "SharingRow", "Supernet", "Table"]
