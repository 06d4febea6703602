"""What shares weights in a supernet, what does not, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

__all__ = ["Sharing", "SharingRow", "bytes_of", "params_of"]


@dataclass(frozen=True)
class SharingRow:
    """How one place keeps its weights.

    Args:
        place: Its name.
        layers: The layers that it holds, e.g. ``Conv2d, BatchNorm2d``.
        how: ``sliced`` (smaller ones are parts of the largest), ``one size`` (nothing to cut), or so many ``separate``
            candidates.
        params: Parameters of the place.
        reason: Why it does not share, where it does not.
    """

    place: str
    layers: str
    how: str
    params: int
    reason: str = ""


@dataclass(frozen=True)
class Sharing:
    """What shares, what does not and why; prints as a table.

    Args:
        rows: A place each, of those that have weights.
        params: Parameters of the supernet.
        bytes: Of its parameters and buffers.
        largest_params: Parameters of the largest single network that was met.
        largest_bytes: Of its parameters and buffers.
    """

    rows: tuple[SharingRow, ...]
    params: int
    bytes: int
    largest_params: int
    largest_bytes: int

    @property
    def separate(self) -> tuple[SharingRow, ...]:
        """The places that do not share."""
        return tuple(row for row in self.rows if row.reason)

    def __str__(self) -> str:
        table = [("place", "layers", "shares", "parameters", "why not")]
        table += [(r.place, r.layers, r.how, f"{r.params:,}", r.reason) for r in self.rows]
        widths = [max(len(line[i]) for line in table) for i in range(5)]
        lines = [
            "  ".join(
                cell.rjust(w) if i == 3 else cell.ljust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
            )
            for line in table
        ]
        times = self.params / max(1, self.largest_params)
        lines.append(
            f"supernet: {self.params:,} parameters, {self.bytes:,} bytes; largest single network: "
            f"{self.largest_params:,} parameters, {self.largest_bytes:,} bytes ({times:.2f} times)"
        )
        return "\n".join(line.rstrip() for line in lines)


def params_of(module: nn.Module) -> int:
    """Parameters, shared ones once."""
    return sum(p.numel() for p in module.parameters())


def bytes_of(module: nn.Module) -> int:
    """Bytes of parameters and buffers, shared ones once."""
    tensors = {id(t): t for t in (*module.parameters(), *module.buffers())}
    return sum(t.numel() * t.element_size() for t in tensors.values())
