"""Generators of images and the discriminators that they learn against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archwright import nn
from archwright.errors import SpaceError
from archwright.nn.spaces.stages import check_shape, named, scaled, usually
from archwright.space import Space, choice, searchable

__all__ = ["gan"]

WIDTHS = (8, 12, 16, 24, 32)
SMALLEST, LARGEST = 2, 8
"""The shorter side of the grid where a generator begins."""


def _start(size: tuple[int, int], doublings: int) -> tuple[int, int]:
    return tuple(-(-side // 2**doublings) for side in size)


def _scale(cell: int, doublings: int) -> int:
    return 2 if cell <= doublings else 1


start = searchable(_start, name="start")
scale = searchable(_scale, name="scale")


def gan(
    input_shape: Sequence[int], n_outputs: int, *, image: Sequence[int] = (1, 28, 28), widths: Sequence[int] = WIDTHS
) -> Space:
    """Generative adversarial networks: latent numbers (Z,) to images, with the discriminator and the game they play.

    The generator is AutoGAN's (Gong et al., ICCV 2019, https://arxiv.org/abs/1908.03835): cells that double the size,
    in each open how, how many convolutions, and whether a shortcut goes around them; unlike there, the
    discriminator and the game are open too. Where a cell is left over it keeps the size. DCGAN's generator is a point,
    and so is its discriminator, but for the gradient penalty.

    Args:
        input_shape: (Z,), the latent numbers of one image.
        n_outputs: Not used: an image has as many numbers as `image` says.
        image: Channels, height and width of an image.
        widths: Channels of the generator's last cell, and of the discriminator's first layer.
    """
    (z,) = check_shape("gan", input_shape, (1,))
    shape = check_shape("gan", image, (3,))
    size = shape[1:]
    fit = [u for u in range(1, 9) if SMALLEST <= -(-min(size) // 2**u) <= LARGEST]
    if not fit:
        raise SpaceError(f"gan makes images of sides from {SMALLEST + 1} to {LARGEST * 2**8}; got {size}")
    fit = fit[:2]
    act = choice("relu", "silu", name="activation", tied=True)
    ups = choice(*fit, name="doublings", default=fit[0])
    width = usually(24, widths)
    norm = choice("batch", "none", "instance", name="norm")  # one for all cells: it decides whether they learn at all
    growth = choice(1.0, 1.5, 2.0, name="growth", default=2.0)

    def wide(cell: int) -> Any:
        return scaled(width, *[growth] * (fit[-1] - cell))

    def cell(i: int) -> Any:
        made = nn.UpCell(
            wide(i),
            up=choice(*nn.UPS, name="up", default="transposed"),
            convs=choice(0, 1, 2, name="convs"),
            norm=norm,
            activation=act,
            skip=choice(False, True, name="skip"),
            scale=scale(i, ups),
        )
        return named(made, f"cell{i}")

    latents = [n for n in (8, 16, 32, 64, 128) if n <= z] or [z]
    first = nn.LatentGrid(
        wide(0), size=start(size, ups), latent=choice(*latents, name="latent", default=latents[-1]), activation=act,
        norm=choice("batch", "none", name="norm"),
    )  # fmt: skip
    head = nn.ImageHead(shape[0], size)
    generator = nn.Sequential(named(first, "first"), *[cell(i) for i in range(1, fit[-1] + 1)], named(head, "head"))
    depths = [d for d in (1, 2, 3) if min(size) >= 4 * 2 ** (d - 1)]
    discriminator = nn.Discriminator(
        shape,
        width=usually(32, widths),
        depth=choice(*depths, name="depth", default=depths[-1]),
        convs=choice(1, 2, name="convs"),
        spectral=choice(False, True, name="spectral"),
        norm=choice("batch", "none", name="norm"),
        shift=choice(0.0, 0.125, name="shift"),
    )
    return Space(
        nn.Adversarial(
            named(generator, "generator"),
            named(discriminator, "discriminator"),
            game=choice(*nn.GAMES, name="game", default="non-saturating"),
            penalty=choice(0.01, 0.1, 1.0, name="penalty"),
        )
    )
