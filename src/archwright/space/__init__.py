"""What may be chosen: nodes, spaces, architectures, their canonical form and encodings. Knows nothing of torch."""

from archwright.space.architecture import Architecture
from archwright.space.flow import Flow
from archwright.space.layout import Decision
from archwright.space.nodes import choice, integer, real, repeat, searchable, subset
from archwright.space.space import Space

__all__ = ["Architecture", "Decision", "Flow", "Space", "choice", "integer", "real", "repeat", "searchable", "subset"]
