"""Networks that make images: from random numbers up to an image, and the judge that they learn against."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from archwright.errors import SpaceError
from archwright.nn.activations import ACTIVATIONS, activation
from archwright.nn.check import at_least, one_of, rank_of
from archwright.nn.conv import conv
from archwright.nn.dense import UPS
from archwright.nn.inferred import Block
from archwright.nn.norms import NORMS, normalization

__all__ = ["GAMES", "Adversarial", "Discriminator", "ImageHead", "LatentGrid", "UpCell", "deployed"]

GAMES = ("hinge", "non-saturating", "least-squares", "wasserstein")


class Adversarial(nn.Module):
    """A generator, and the discriminator that it learns against (Goodfellow et al., *Generative Adversarial Nets*,
    NIPS 2014).

    A call is a call of the generator, which alone is measured, counted and given away (`deployed`).

    Args:
        generator: Latent numbers (B, Z) to images (B, C, H, W) in -1..1.
        discriminator: Images to scores (B, 1), larger for what seems real.
        game: What is played for, one of `GAMES`; see `archwright.task.adversaries`.
        penalty: Weight of the squared gradient of the scores at real images (R1 of Mescheder et al., *Which Training
            Methods for GANs do actually Converge?*, ICML 2018, equation 9); 0 for none. ``wasserstein`` needs it.
    """

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, game: str = "non-saturating", penalty: float = 0.0
    ):
        super().__init__()
        one_of("Adversarial", "game", game, GAMES)
        if penalty < 0 or (game == "wasserstein" and not penalty):
            raise SpaceError(f"Adversarial: penalty is {penalty} with game {game!r}: allowed is 0 or more; more than 0 "
                             f"with 'wasserstein', whose scores would grow without end")  # fmt: skip
        self.generator, self.discriminator, self.game, self.penalty = generator, discriminator, game, penalty

    @property
    def deployed(self) -> nn.Module:
        """The generator."""
        return self.generator

    def forward(self, x: Tensor) -> Tensor:
        """Images of the generator."""
        return self.generator(x)


def deployed(module: nn.Module) -> nn.Module:
    """What is left of a network after training: all of it, or what it names in its attribute `deployed`."""
    left = getattr(module, "deployed", module)
    return left if isinstance(left, nn.Module) else module


class _First(nn.Module):
    """The first numbers of each row."""

    def __init__(self, n: int):
        super().__init__()
        self.n = n

    def forward(self, x: Tensor) -> Tensor:
        return x[:, : self.n]


class LatentGrid(Block):
    """Latent numbers to a small grid: a linear layer, norm, activation. Shapes: (B, Z) -> (B, width, h, w).

    Args:
        width: Channels.
        size: Height and width of the grid.
        latent: How many of the numbers are used, the first ones; None for all.
        activation: One of `archwright.nn.ACTIVATIONS`.
        norm: One of `archwright.nn.NORMS`.
    """

    def __init__(
        self,
        width: int,
        size: tuple[int, int] = (4, 4),
        latent: int | None = None,
        activation: str = "relu",
        norm: str = "batch",
    ):
        super().__init__()
        at_least("LatentGrid", 1, width=width, latent=latent)
        one_of("LatentGrid", "activation", activation, ACTIVATIONS)
        one_of("LatentGrid", "norm", norm, NORMS)
        self.width, self.size, self.latent, self.activation, self.norm = width, tuple(size), latent, activation, norm

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        rank_of("LatentGrid", shape, (2,))
        used = min(self.latent or shape[1], shape[1])
        h, w = self.size
        parts: list[nn.Module] = [_First(used)] if used < shape[1] else []
        parts += [nn.Linear(used, self.width * h * w), nn.Unflatten(1, (self.width, h, w))]
        norm = _image_norm(self.norm, self.width, h * w)
        return nn.Sequential(*parts, *norm, activation(self.activation))


class UpCell(Block):
    """Twice the size, and convolutions on it, with a shortcut around them or not.

    The cell of AutoGAN (Gong et al., *AutoGAN: Neural Architecture Search for Generative Adversarial Networks*, ICCV
    2019, https://arxiv.org/abs/1908.03835). Shapes: (B, C, h, w) -> (B, width, scale h, scale w).

    Args:
        width: Output channels.
        up: ``nearest``, ``bilinear``, or ``transposed``: a transposed convolution of kernel 4 and step 2.
        convs: Convolutions after it; one at least where nothing else has weights.
        kernel: Their side; odd.
        norm: One of `archwright.nn.NORMS`; ``none`` for a norm of one position too.
        activation: One of `archwright.nn.ACTIVATIONS`.
        skip: Add what was brought up to what the convolutions make of it.
        scale: 2, or 1 to stay at the size.
    """

    def __init__(
        self,
        width: int,
        up: str = "nearest",
        convs: int = 1,
        kernel: int = 3,
        norm: str = "batch",
        activation: str = "relu",
        skip: bool = False,
        scale: int = 2,
    ):
        super().__init__()
        at_least("UpCell", 1, width=width, kernel=kernel, scale=scale)
        at_least("UpCell", 0, convs=convs)
        one_of("UpCell", "up", up, UPS)
        one_of("UpCell", "norm", norm, NORMS)
        one_of("UpCell", "activation", activation, ACTIVATIONS)
        self.width, self.up, self.convs, self.kernel = width, up, convs, kernel
        self.norm, self.activation, self.skip, self.scale = norm, activation, bool(skip), scale

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        rank_of("UpCell", shape, (4,))
        n, channels, h, w = shape
        up: list[nn.Module] = []
        if self.scale == 2 and self.up == "transposed":
            up = [nn.ConvTranspose2d(channels, self.width, 4, 2, 1, bias=self.norm == "none"), *self._after(4 * h * w)]
            channels = self.width
        elif self.scale > 1:
            mode = {"scale_factor": self.scale, "mode": self.up if self.up != "transposed" else "nearest"}
            up = [nn.Upsample(**mode, **({"align_corners": False} if self.up == "bilinear" else {}))]  # type: ignore
        h, w = self.scale * h, self.scale * w
        body: list[nn.Module] = []
        has_weights = bool(up) and self.up == "transposed"
        for i in range(self.convs if has_weights else max(1, self.convs)):
            entering = (n, channels if i == 0 else self.width, h, w)
            body += [conv("UpCell", entering, self.width, self.kernel, bias=self.norm == "none"), *self._after(h * w)]
        if not self.skip or not body:
            return nn.Sequential(*up, *body)
        across = nn.Identity() if channels == self.width else nn.Conv2d(channels, self.width, 1)
        return nn.Sequential(*up, _Around(nn.Sequential(*body), across))

    def _after(self, positions: int) -> list[nn.Module]:
        return [*_image_norm(self.norm, self.width, positions), activation(self.activation)]


class _Around(nn.Module):
    """``body(x) + across(x)``."""

    def __init__(self, body: nn.Module, across: nn.Module):
        super().__init__()
        self.body, self.across = body, across

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.across(x)


class _Cut(nn.Module):
    """The middle of an image that is larger."""

    def __init__(self, top: int, left: int, height: int, width: int):
        super().__init__()
        self.top, self.left, self.height, self.width = top, left, height, width

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, self.top : self.top + self.height, self.left : self.left + self.width]


class ImageHead(Block):
    """The last layer of a generator: the middle of `size`, a convolution, tanh. Shapes: (B, C, h, w) -> (B, channels, H, W).

    Args:
        channels: Of the image.
        size: Its height and width.
        kernel: Side of the convolution; odd.
    """  # noqa: E501

    def __init__(self, channels: int, size: tuple[int, int], kernel: int = 3):
        super().__init__()
        at_least("ImageHead", 1, channels=channels, kernel=kernel)
        self.channels, self.size, self.kernel = channels, tuple(size), kernel

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        rank_of("ImageHead", shape, (4,))
        h, w = self.size
        if shape[2] < h or shape[3] < w:
            raise SpaceError(f"ImageHead: the grid is {shape[2]}x{shape[3]}: it must have {h}x{w} at least")
        cut = [] if shape[2:] == (h, w) else [_Cut((shape[2] - h) // 2, (shape[3] - w) // 2, h, w)]
        layer = conv("ImageHead", (*shape[:2], h, w), self.channels, self.kernel)
        return nn.Sequential(*cut, layer, nn.Tanh())


class Discriminator(nn.Module):
    """Convolutions that halve the size, then one score an image: how real it seems.

    Shapes: (B, C, H, W) -> (B, 1).

    Args:
        shape: Channels, height and width of an image.
        width: Channels of the first convolution; they double at each halving.
        depth: Most halvings; none below 4 positions a side.
        convs: Convolutions at each size; the last of a size has step 2.
        spectral: Divide weights by their largest singular value (Miyato et al., *Spectral Normalization for Generative
            Adversarial Networks*, ICLR 2018, https://arxiv.org/abs/1802.05957).
        norm: One of `archwright.nn.NORMS`, after all convolutions but the first.
        shift: Real and made images are moved by up to this share of their sides before they are judged, so that few
            images are not learnt by heart (Zhao et al., *Differentiable Augmentation for Data-Efficient GAN Training*,
            NeurIPS 2020, https://arxiv.org/abs/2006.10738).
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        width: int = 32,
        depth: int = 2,
        convs: int = 1,
        spectral: bool = False,
        norm: str = "none",
        shift: float = 0.0,
    ):
        super().__init__()
        at_least("Discriminator", 1, width=width, depth=depth, convs=convs)
        one_of("Discriminator", "norm", norm, NORMS)
        bound = spectral_norm if spectral else lambda layer: layer
        channels, h, w = shape
        self.shift = tuple(round(shift * side) for side in (h, w))
        parts: list[nn.Module] = []
        for level in range(depth):
            if min(h, w) < 4:
                break
            for i in range(convs):
                last = i == convs - 1
                layer = nn.Conv2d(channels, width, 4 if last else 3, 2 if last else 1, 1)
                h, w = (h // 2, w // 2) if last else (h, w)
                parts += [bound(layer), *(_image_norm(norm, width, h * w) if parts else ()), nn.LeakyReLU(0.2)]
                channels = width
            if level < depth - 1:
                width *= 2
        self.body = nn.Sequential(*parts, nn.Flatten(), bound(nn.Linear(channels * h * w, 1)))

    def forward(self, x: Tensor) -> Tensor:
        """Scores (B, 1)."""
        return self.body(self._moved(x) if self.training and any(self.shift) else x)

    def _moved(self, x: Tensor) -> Tensor:
        """Each image moved by whole positions; what comes in is what the edges are."""
        _, _, h, w = x.shape
        (down, right), n = self.shift, len(x)
        rows = torch.arange(h, device=x.device) + torch.randint(-down, down + 1, (n, 1), device=x.device)
        columns = torch.arange(w, device=x.device) + torch.randint(-right, right + 1, (n, 1), device=x.device)
        every = torch.arange(n, device=x.device).view(-1, 1, 1)
        picked = x.permute(0, 2, 3, 1)[every, rows.clamp(0, h - 1)[:, :, None], columns.clamp(0, w - 1)[:, None]]
        return picked.permute(0, 3, 1, 2)


def _image_norm(name: str, channels: int, positions: int) -> list[nn.Module]:
    """A norm of images, or nothing; ``instance`` leaves a single position as it is."""
    if name == "none" or (name == "instance" and positions < 2):
        return []
    return [normalization(name, channels, 2, positions)]
