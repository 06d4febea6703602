"""What may be chosen: nodes, spaces, architectures, their canonical form and encodings. Knows nothing of torch."""

from archwright.space.architecture import Architecture
from archwright.space.flow import Flow
from archwright.space.nodes import choice, integer, real, repeat, searchable, subset

__all__ = ["Architecture", "Flow", "choice", "integer", "real", "repeat", "searchable", "subset"]
