"""From samples of sound to log-mel spectrograms, in operations that every form of an exported network has."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archwright.errors import EvaluationError, SpaceError
from archwright.nn.check import at_least, fraction, rank_of
from archwright.nn.inferred import Block

__all__ = ["AsImage", "LogMel", "fourier_size", "mel_filters"]

FLOOR = 1e-6
"""Added to the energy of a band before its logarithm: about that of a hiss of a thousandth of full scale."""


def _mel(hertz: float) -> float:
    return 2595.0 * math.log10(1.0 + hertz / 700.0)


def mel_filters(sample_rate: int, n_fft: int, mels: int) -> np.ndarray:
    """Triangles over the frequencies of a Fourier transform: (mels, n_fft // 2 + 1) float64, each of height 1.

    Their corners are equally far apart in mel, from 0 Hz to half the sample rate, where mel is
    ``2595 log10(1 + f / 700)``: O'Shaughnessy, *Speech Communication*, 1987, as in section 5.4 of The HTK Book (Young
    et al., 2006).

    Args:
        sample_rate: Samples a second.
        n_fft: Samples that the transform takes.
        mels: How many triangles.
    """
    corners = 700.0 * (10.0 ** (np.linspace(0.0, _mel(sample_rate / 2), mels + 2) / 2595.0) - 1.0)
    frequencies = np.arange(n_fft // 2 + 1) * sample_rate / n_fft
    low, middle, high = (corners[i : mels + i, None] for i in range(3))
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    return np.maximum(0.0, np.minimum(rising, falling))


def fourier_size(sample_rate: int, window: int, mels: int) -> int:
    """The smallest size that holds a window, and whose frequencies are so near each other that no band is empty.

    >>> fourier_size(8000, 200, 40), fourier_size(8000, 128, 64)
    (200, 192)
    """
    size = window
    while not mel_filters(sample_rate, size, mels).any(1).all():
        size += 4
    return size


class _Spectrogram(nn.Module):
    """(B, 1, T) -> (B, mels, 1 + T // hop), the middle of the first frame being the first sample.

    The Fourier transform is a product with cosines and sines, which every format has. Both are counted from the middle
    of a frame: there one is even and the other odd, so each needs half of the frame, folded, and half as many products.
    """

    cosines: Tensor
    sines: Tensor
    filters: Tensor

    def __init__(self, sample_rate: int, mels: int, window: int, hop: int):
        super().__init__()
        n_fft = fourier_size(sample_rate, window, mels)
        filters = mel_filters(sample_rate, n_fft, mels)
        used = np.flatnonzero(filters.any(0))
        self.reach, self.hop = window // 2, hop
        away = np.arange(self.reach)[:, None]  # from the middle, where Hann's window is 1
        hann = 0.5 + 0.5 * np.cos(np.pi * away / self.reach)
        angles = 2 * np.pi * used * away / n_fft
        # Buffers, for nothing of them is learnt. The middle is met from either side.
        self.register_buffer("cosines", _float(hann * np.cos(angles) * np.where(away == 0, 0.5, 1.0)))
        self.register_buffer("sines", _float(hann * np.sin(angles)))
        self.register_buffer("filters", _float(filters[:, used].T))

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda"):
            # Eight bits a sample, as in bfloat16, drown what is soft in what is loud.
            with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
                return self._of(x.float())
        return self._of(x)

    def _of(self, x: Tensor) -> Tensor:
        frames = F.pad(x, (self.reach, self.reach)).squeeze(1).unfold(1, 2 * self.reach, self.hop)
        after, before = frames[:, :, self.reach :], frames[:, :, 1 : self.reach + 1].flip(2)
        real, imaginary = (after + before) @ self.cosines, (after - before) @ self.sines
        energy = (real * real + imaginary * imaginary) @ self.filters
        return torch.log(energy + FLOOR).transpose(1, 2)


def _float(array: np.ndarray) -> Tensor:
    return torch.tensor(array, dtype=torch.float32)


class _Masks(nn.Module):
    """In training one stripe of bands and one of frames of each spectrogram is set to zero, its mean."""

    def __init__(self, share: float):
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        return self._masked(x) if self.training else x

    def _masked(self, x: Tensor) -> Tensor:
        for axis in (1, 2):
            size = x.shape[axis]
            width = torch.rand(x.shape[0], 1, 1, device=x.device) * self.share * size
            start = torch.rand(x.shape[0], 1, 1, device=x.device) * (size - width)
            at = torch.arange(size, device=x.device).view((1, -1, 1) if axis == 1 else (1, 1, -1)) + 0.5
            x = x.masked_fill((at >= start) & (at < start + width), 0.0)
        return x


class LogMel(Block):
    """A log-mel spectrogram, standardised band by band (batch norm). Shapes: (B, 1, T) -> (B, mels, 1 + T // hop).

    A front end for sound, inside the network, so that this reads raw samples wherever it is exported to. Masks are
    those of Park et al., *SpecAugment*, Interspeech 2019 (https://arxiv.org/abs/1904.08779), one of bands and one of
    frames, without warping in time.

    Args:
        sample_rate: Samples a second of what comes in.
        mels: How many bands; see `mel_filters`.
        window_ms: Length of a frame (Hann's window), in milliseconds.
        hop_ms: From one frame to the next, in milliseconds.
        mask: Most of the bands, and of the frames, that are hidden in training, as a share; 0 hides none.
    """

    def __init__(
        self, sample_rate: int = 16_000, mels: int = 40, window_ms: float = 25, hop_ms: float = 10, mask: float = 0.0
    ):
        super().__init__()
        at_least("LogMel", 1, sample_rate=sample_rate, mels=mels)
        fraction("LogMel", mask=mask)
        self.window, self.hop = 2 * round(sample_rate * window_ms / 2000), round(sample_rate * hop_ms / 1000)
        for name, samples, ms in (("window_ms", self.window, window_ms), ("hop_ms", self.hop, hop_ms)):
            if samples < (2 if name == "window_ms" else 1):
                raise SpaceError(f"LogMel: {name}={ms!r} is {samples} samples at {sample_rate} a second: take more")
        self.sample_rate, self.mels, self.mask = sample_rate, mels, mask

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        rank_of("LogMel", shape, (3,))
        if shape[1] != 1:
            raise EvaluationError(f"LogMel: sound has one channel here, this has {shape[1]}: average them")
        spectrogram = _Spectrogram(self.sample_rate, self.mels, self.window, self.hop)
        parts: list[nn.Module] = [spectrogram, nn.BatchNorm1d(self.mels, affine=False)]
        return nn.Sequential(*parts, *([_Masks(self.mask)] if self.mask else []))


class AsImage(nn.Module):
    """Bands and frames as an image of one channel. Shapes: (B, M, T) -> (B, 1, M, T)."""

    def forward(self, x: Tensor) -> Tensor:
        """The same numbers."""
        return x.unsqueeze(1)
