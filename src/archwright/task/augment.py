"""Augmentation: label-preserving noise on whole batches, as fast tensor operations with a `torch.Generator`.

Each class is a frozen setting and a callable ``augmentation(inputs, generator) -> inputs``. Inputs are
prepared (standardised) tensors, so noise and tilt are in standard deviations. Nothing here works sample by
sample: a batch of 128 small inputs costs less than a millisecond.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

__all__ = [
    "ImageAugmentation",
    "NoAugmentation",
    "PixelAugmentation",
    "SequenceAugmentation",
    "TableAugmentation",
    "TokenAugmentation",
    "cutout",
    "mixup",
]


def _uniform(n: int, lo: float, hi: float, like: Tensor, generator: Generator | None) -> Tensor:
    return torch.rand(n, generator=generator, device=like.device, dtype=like.dtype) * (hi - lo) + lo


def _normal(shape: tuple[int, ...] | torch.Size, like: Tensor, generator: Generator | None) -> Tensor:
    return torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)


@dataclass(frozen=True)
class NoAugmentation:
    """Leaves a batch as it is."""

    def __call__(self, inputs: Tensor, generator: Generator | None = None) -> Tensor:
        """The batch itself."""
        return inputs


@dataclass(frozen=True)
class ImageAugmentation:
    """One random affine map a sample (shift, rotation, scale, shear), and a gentle elastic bend.

    Args:
        shift: Largest shift, as a share of height and width.
        rotate: Largest rotation, in degrees either way.
        scale: Largest zoom either way: 0.1 means 0.9 to 1.1.
        shear: Largest horizontal shear, as a share.
        elastic: Standard deviation of a smooth displacement (drawn on a 4x4 grid), as a share of the size.
        flip: Whether to mirror left and right half of the time. Wrong for digits and text.
        noise: Standard deviation of pixel noise.
        erase: Side of a square set to the background, as a share of the side; 0 for none.
        fill: Value of what is moved in from outside, one for each channel (prepared units: the background).

    Shapes: (batch, channels, height, width), kept.
    """

    shift: float = 0.1
    rotate: float = 10.0
    scale: float = 0.1
    shear: float = 0.0
    elastic: float = 0.0
    flip: bool = False
    noise: float = 0.0
    erase: float = 0.0
    fill: tuple[float, ...] = (0.0,)

    def __call__(self, inputs: Tensor, generator: Generator | None = None) -> Tensor:
        """A changed copy of the batch."""
        fill = torch.tensor(self.fill, dtype=inputs.dtype, device=inputs.device).view(1, -1, 1, 1)
        moved = inputs
        if self.rotate or self.scale or self.shear or self.elastic:
            moved = F.grid_sample(moved - fill, self._grid(inputs, generator), align_corners=False) + fill
        elif self.shift:
            moved = self._shifted(moved, fill, generator)
        if self.flip:
            mirrored = torch.rand(len(moved), generator=generator, device=moved.device) < 0.5
            moved = torch.where(mirrored.view(-1, 1, 1, 1), moved.flip(-1), moved)
        if self.noise:
            moved = moved + self.noise * _normal(moved.shape, moved, generator)
        return cutout(moved, generator, share=self.erase, fill=self.fill) if self.erase else moved

    def _grid(self, x: Tensor, generator: Generator | None) -> Tensor:
        """Where each pixel is read from, in grid_sample's coordinates (-1 to 1)."""
        n, _, height, width = x.shape
        angle = _uniform(n, -math.radians(self.rotate), math.radians(self.rotate), x, generator)
        zoom = torch.exp(_uniform(n, -1.0, 1.0, x, generator) * math.log1p(self.scale))
        shear = _uniform(n, -self.shear, self.shear, x, generator)
        dx = _uniform(n, -2 * self.shift, 2 * self.shift, x, generator)
        dy = _uniform(n, -2 * self.shift, 2 * self.shift, x, generator)
        cos, sin, aspect = torch.cos(angle) * zoom, torch.sin(angle) * zoom, height / width
        across = torch.stack([cos, (shear * zoom - sin) * aspect, dx], 1)
        down = torch.stack([sin / aspect, cos, dy], 1)
        grid = F.affine_grid(torch.stack([across, down], 1), [n, 1, height, width], align_corners=False)
        if self.elastic:
            bend = 2 * self.elastic * _normal((n, 2, 4, 4), x, generator)
            grid = grid + F.interpolate(bend, (height, width), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
        return grid

    def _shifted(self, x: Tensor, fill: Tensor, generator: Generator | None) -> Tensor:
        """Whole-pixel shifts: exact, and cheaper than resampling."""
        n, _, height, width = x.shape
        for axis, size in ((2, height), (3, width)):
            most = round(self.shift * size)
            by = torch.randint(-most, most + 1, (n, 1), generator=generator, device=x.device)
            source = torch.arange(size, device=x.device) + by
            outside = (source < 0) | (source >= size)
            view = (n, 1, size, 1) if axis == 2 else (n, 1, 1, size)
            x = x.gather(axis, source.clamp(0, size - 1).view(view).expand_as(x))
            x = torch.where(outside.view(view), fill, x)
        return x


@dataclass(frozen=True)
class PixelAugmentation:
    """Images and their masks moved alike by one random affine map a sample; images alone made brighter or darker.

    Images are read between pixels and repeat their border; masks are read at the nearest pixel, and what comes in from
    outside is void.

    Args:
        shift: Largest shift, as a share of height and width.
        rotate: Largest rotation, in degrees either way.
        scale: Largest zoom either way: 0.25 means 0.8 to 1.25.
        flip: Whether to mirror left and right half of the time.
        brightness: Deviation of what is added to a whole image, and of the logarithm of what it is multiplied by, in
            standard deviations of the data.
        void: What masks hold for no class.

    Shapes: images (batch, channels, height, width) and masks (batch, height, width), kept.
    """

    shift: float = 0.1
    rotate: float = 5.0
    scale: float = 0.25
    flip: bool = True
    brightness: float = 0.1
    void: int = 255

    def __call__(self, inputs: Tensor, targets: Tensor, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """A changed copy of both."""
        images, masks = inputs, targets.unsqueeze(1)
        if self.shift or self.rotate or self.scale:
            map_ = ImageAugmentation(self.shift, self.rotate, self.scale)
            grid = map_._grid(images, generator)
            images = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
            # Zero is what comes in from outside: void must be zero meanwhile.
            moved = F.grid_sample(masks.to(inputs.dtype) - self.void, grid, mode="nearest", align_corners=False)
            masks = (moved + self.void).round().to(targets.dtype)
        if self.flip:
            mirrored = (torch.rand(len(images), generator=generator, device=images.device) < 0.5).view(-1, 1, 1, 1)
            images = torch.where(mirrored, images.flip(-1), images)
            masks = torch.where(mirrored, masks.flip(-1), masks)
        if self.brightness:
            draws = self.brightness * _normal((2, len(images), 1, 1, 1), images, generator)
            images = images * draws[0].exp() + draws[1]
        return images, masks.squeeze(1)


@dataclass(frozen=True)
class SequenceAugmentation:
    """Random shift and stretch in time, amplitude, tilt and noise.

    Args:
        shift: Largest shift in time, as a share of the length.
        stretch: Largest change of speed: 0.1 means 0.9 to 1.1.
        amplitude: Largest change of amplitude: 0.1 means 0.9 to 1.1.
        tilt: Largest height of a straight line added from end to end (what baseline drift does).
        smooth_noise: Standard deviation of noise correlated over about three steps.
        noise: Standard deviation of independent noise.
        outside: What stands beyond the ends: ``"edge"`` repeats the last value, ``"zero"`` the training mean,
            ``"wrap"`` the other end, lifted so that the curve is continuous.

    Shapes: (batch, channels, time), kept.
    """

    shift: float = 0.05
    stretch: float = 0.0
    amplitude: float = 0.1
    tilt: float = 0.0
    smooth_noise: float = 0.0
    noise: float = 0.02
    outside: Literal["edge", "zero", "wrap"] = "edge"

    def __call__(self, inputs: Tensor, generator: Generator | None = None) -> Tensor:
        """A changed copy of the batch."""
        x = inputs
        n, channels, length = x.shape
        if self.shift or self.stretch:
            x = self._resampled(x, generator)
        if self.amplitude:
            x = x * torch.exp(_uniform(n, -1.0, 1.0, x, generator) * math.log1p(self.amplitude)).view(n, 1, 1)
        if self.tilt:
            line = torch.linspace(-0.5, 0.5, length, dtype=x.dtype, device=x.device)
            x = x + _uniform(n * channels, -self.tilt, self.tilt, x, generator).view(n, channels, 1) * line
        if self.smooth_noise:
            raw = _normal((n, channels, length + 4), x, generator)
            # Window 1 2 3 2 1 over the square root of 19: unit variance, correlated over about three steps.
            rough = raw[..., :-4] + raw[..., 4:] + 2 * (raw[..., 1:-3] + raw[..., 3:-1]) + 3 * raw[..., 2:-2]
            x = x + self.smooth_noise / math.sqrt(19.0) * rough
        if self.noise:
            x = x + self.noise * _normal(x.shape, x, generator)
        return x

    def _resampled(self, x: Tensor, generator: Generator | None) -> Tensor:
        n, _, length = x.shape
        middle = (length - 1) / 2
        speed = torch.exp(_uniform(n, -1.0, 1.0, x, generator) * math.log1p(self.stretch)).view(n, 1)
        by = _uniform(n, -self.shift * length, self.shift * length, x, generator).view(n, 1)
        if not self.stretch:
            by = by.round()  # whole steps: no smoothing by interpolation
        at = (torch.arange(length, dtype=x.dtype, device=x.device) - middle) * speed + middle + by
        left = at.floor()
        share = (at - left).view(n, 1, length)
        return torch.lerp(self._read(x, left.long()), self._read(x, left.long() + 1), share)

    def _read(self, x: Tensor, at: Tensor) -> Tensor:
        n, _, length = x.shape
        if self.outside == "wrap":
            turns = torch.div(at, length, rounding_mode="floor").view(n, 1, length)
            values = x.gather(2, at.remainder(length).view(n, 1, length).expand_as(x))
            return values + turns.to(x.dtype) * (x[..., -1:] - x[..., :1])
        values = x.gather(2, at.clamp(0, length - 1).view(n, 1, length).expand_as(x))
        if self.outside == "zero":
            values = values * ((at >= 0) & (at < length)).view(n, 1, length)
        return values


@dataclass(frozen=True)
class TokenAugmentation:
    """Some tokens become the unknown one: so that it is learnt what to make of it, and no word is relied on alone.

    Word dropout, as in Iyyer et al., *Deep Unordered Composition Rivals Syntactic Methods for Text Classification*, ACL
    2015, section 3.2 (https://aclanthology.org/P15-1162), with the unknown token in place of nothing.

    Args:
        share: Of the tokens.
        unknown: The number of the unknown token; 0 is padding, and stays.

    Shapes: (batch, length) int64, kept.
    """

    share: float = 0.1
    unknown: int = 1

    def __call__(self, inputs: Tensor, generator: Generator | None = None) -> Tensor:
        """A changed copy of the batch."""
        drawn = torch.rand(inputs.shape, generator=generator, device=inputs.device)
        return inputs.masked_fill((drawn < self.share) & (inputs != 0), self.unknown)


@dataclass(frozen=True)
class TableAugmentation:
    """Light noise on every column: `noise` is in standard deviations. Shapes: (batch, features), kept."""

    noise: float = 0.0

    def __call__(self, inputs: Tensor, generator: Generator | None = None) -> Tensor:
        """A changed copy of the batch."""
        return inputs + self.noise * _normal(inputs.shape, inputs, generator) if self.noise else inputs


def cutout(
    inputs: Tensor, generator: Generator | None = None, *, share: float = 0.25, fill: tuple[float, ...] = (0.0,)
) -> Tensor:
    """Set one random square of each image to `fill`; its side is `share` of the image's.

    DeVries and Taylor, *Improved Regularization of CNNs with Cutout*, 2017 (https://arxiv.org/abs/1708.04552).
    Shapes: (batch, channels, height, width), kept.
    """
    n, _, height, width = inputs.shape
    hidden = torch.ones(n, 1, height, width, dtype=torch.bool, device=inputs.device)
    for axis, size in ((2, height), (3, width)):
        centre = _uniform(n, 0.0, size, inputs, generator).view(n, 1)
        near = (torch.arange(size, device=inputs.device) + 0.5 - centre).abs() <= share * size / 2
        hidden = hidden & near.view((n, 1, size, 1) if axis == 2 else (n, 1, 1, size))
    value = torch.tensor(fill, dtype=inputs.dtype, device=inputs.device).view(1, -1, 1, 1)
    return torch.where(hidden, value, inputs)


def mixup(
    inputs: Tensor, targets: Tensor, n_classes: int, generator: Generator | None = None, *, strength: float = 0.2
) -> tuple[Tensor, Tensor]:
    """Blend each sample with another one of its batch; targets become shares of the classes.

    Zhang et al., *mixup: Beyond Empirical Risk Minimization*, ICLR 2018 (https://arxiv.org/abs/1710.09412). One
    departure: the share is uniform in 0..strength, not Beta distributed, so that it needs no rejection sampling.

    Shapes: inputs (batch, ...) kept; targets (batch,) class indices become (batch, n_classes), rows summing to 1.
    """
    order = torch.randperm(len(inputs), generator=generator, device=inputs.device)
    share = _uniform(len(inputs), 0.0, strength, inputs, generator)
    soft = F.one_hot(targets, n_classes).to(inputs.dtype)
    blended = torch.lerp(inputs, inputs[order], share.view(-1, *[1] * (inputs.ndim - 1)))
    return blended, torch.lerp(soft, soft[order], share.view(-1, 1))
