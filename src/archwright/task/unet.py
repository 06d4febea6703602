"""The hand-made network for pixels: U-Net."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["UNet"]


def _twice(inputs: int | None, outputs: int) -> nn.Sequential:
    """Two convolutions with norms; the first learns its input width where none is said."""
    first = nn.LazyConv2d(outputs, 3, padding=1, bias=False) if inputs is None else None
    return nn.Sequential(
        first or nn.Conv2d(inputs or 1, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class UNet(nn.Module):
    """Down by max pooling, up by transposed convolutions, with what each size had on the way down beside it.

    Ronneberger et al., *U-Net*, MICCAI 2015 (https://arxiv.org/abs/1505.04597). Departures: padding keeps the sizes,
    batch normalisation follows each convolution, and there are three halvings and narrower layers.

    Shapes: (batch, channels, height, width) to (batch, n_outputs, height, width).

    Args:
        n_outputs: Classes.
        width: Channels at full size; doubled with each halving.
        levels: How often the size is halved.
    """

    def __init__(self, n_outputs: int, *, width: int = 16, levels: int = 3):
        super().__init__()
        widths = [width * 2**i for i in range(levels + 1)]
        before = [None, *widths[:-1]]
        self.down = nn.ModuleList(_twice(a, b) for a, b in zip(before, widths, strict=True))
        steps = list(zip(widths[1:], widths[:-1], strict=True))[::-1]
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, 2) for a, b in steps)
        self.join = nn.ModuleList(_twice(2 * b, b) for _, b in steps)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Conv2d(width, n_outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (batch, n_outputs, height, width)."""
        sizes = []
        for i, layer in enumerate(self.down):
            x = layer(x if i == 0 else self.pool(x))
            sizes.append(x)
        for up, join, beside in zip(self.up, self.join, sizes[-2::-1], strict=True):
            x = up(x)
            # A side that is odd lost its last pixel in pooling.
            x = F.pad(x, (0, beside.shape[3] - x.shape[3], 0, beside.shape[2] - x.shape[2]))
            x = join(torch.cat([beside, x], 1))
        return self.head(x)
