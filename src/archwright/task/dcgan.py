"""The hand-made network that makes images: DCGAN."""

from __future__ import annotations

from torch import nn

from archwright.nn.adversarial import Adversarial, Discriminator, ImageHead, LatentGrid, UpCell

__all__ = ["dcgan"]


def dcgan(shape: tuple[int, int, int], width: int = 32) -> nn.Module:
    """Transposed convolutions up, strided ones down, batch norm in both, cross entropy for a game.

    Radford et al., *Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks*, ICLR
    2016 (https://arxiv.org/abs/1511.06434). Departures: fewer and narrower layers, as fit small images.

    Shapes: (B, Z) to (B, C, H, W).

    Args:
        shape: Of an image.
        width: Channels of the generator's last layer but one, and of the discriminator's first; they double inwards.
    """
    _, h, w = shape
    doublings = next(u for u in range(1, 9) if min(h, w) / 2**u <= 8)
    grid = (-(-h // 2**doublings), -(-w // 2**doublings))
    widths = [width * 2 ** (doublings - 1 - i) for i in range(doublings)]
    up = [UpCell(wide, "transposed", convs=0) for wide in widths]
    generator = nn.Sequential(LatentGrid(2 * widths[0], grid), *up, ImageHead(shape[0], (h, w)))
    depth = max(1, min(doublings + 1, 3))
    return Adversarial(generator, Discriminator(shape, width, depth, norm="batch"), "non-saturating")
