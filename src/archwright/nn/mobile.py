"""MobileNet's blocks: squeeze-and-excite, and the inverted residual."""

from __future__ import annotations

from torch import nn

from archwright.errors import SpaceError
from archwright.nn.activations import ACTIVATIONS, activation
from archwright.nn.check import at_least, one_of, rank_of
from archwright.nn.conv import conv, conv_unit
from archwright.nn.inferred import Block
from archwright.nn.init import INITS, initialize
from archwright.nn.merge import Add, Scaled
from archwright.nn.norms import NORMS

__all__ = ["InvertedResidual", "SqueezeExcite"]


def squeeze_excite(where: str, shape: tuple[int, ...], squeeze: int, act: str) -> nn.Module:
    """``x * gate`` with one gate a channel, read from the mean over all positions."""
    rank, channels = rank_of(where, shape), shape[1]
    pooled = (shape[0], channels) + (1,) * rank
    return Scaled(
        nn.Sequential(
            (nn.AdaptiveAvgPool2d if rank == 2 else nn.AdaptiveAvgPool1d)(1),
            conv(where, pooled, squeeze),
            activation(act),
            conv(where, (shape[0], squeeze, *pooled[2:]), channels),
            nn.Sigmoid(),
        )
    )


class SqueezeExcite(Block):
    """Channels weighed by what the whole input shows (Hu et al., CVPR 2018, https://arxiv.org/abs/1709.01507).

    Shapes: (B, C, T) and (B, C, H, W), kept.

    Args:
        ratio: Width of the gate's hidden layer, as a share of the channels (a quarter is usual); at least 2 wide.
        activation: Of the hidden layer.
        init: One of `archwright.nn.INITS`.
    """

    def __init__(self, ratio: float = 0.25, activation: str = "relu", init: str = "default"):
        super().__init__()
        _check_ratio("SqueezeExcite", ratio, zero=False)
        one_of("SqueezeExcite", "activation", activation, ACTIVATIONS)
        one_of("SqueezeExcite", "init", init, INITS)
        self.ratio, self.activation, self.init = ratio, activation, init

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        rank_of("SqueezeExcite", shape)
        made = squeeze_excite("SqueezeExcite", shape, _squeezed(shape[1], self.ratio), self.activation)
        return initialize(made, self.init)


class InvertedResidual(Block):
    """Widen, convolve depthwise, narrow; with a shortcut when the shape stays.

    Sandler et al., *MobileNetV2*, CVPR 2018 (https://arxiv.org/abs/1801.04381), with the squeeze-excite of Howard et
    al., *Searching for MobileNetV3*, ICCV 2019 (https://arxiv.org/abs/1905.02244).
    Shapes: (B, C, ...) -> (B, width, ...).

    Args:
        width: Output channels; None keeps the input's.
        expansion: The depthwise convolution's width in multiples of the input's; 1 leaves out the widening.
        kernel: Positions that the depthwise kernel covers on each axis.
        stride: Step of the depthwise kernel.
        squeeze: Squeeze-excite's hidden width as a share of the input channels; 0 for none.
        activation: One of `archwright.nn.ACTIVATIONS`; there is none after the narrowing, as in the papers.
        norm: One of `archwright.nn.NORMS`.
        init: One of `archwright.nn.INITS`.
    """

    def __init__(
        self,
        width: int | None = None,
        expansion: float = 4,
        kernel: int = 3,
        stride: int = 1,
        squeeze: float = 0.0,
        activation: str = "relu",
        norm: str = "batch",
        init: str = "default",
    ):
        super().__init__()
        at_least("InvertedResidual", 1, width=width, kernel=kernel, stride=stride)
        _check_ratio("InvertedResidual", squeeze, zero=True)
        if not expansion > 0:
            raise SpaceError(f"InvertedResidual: expansion must be above 0; got {expansion!r}")
        one_of("InvertedResidual", "activation", activation, ACTIVATIONS)
        one_of("InvertedResidual", "norm", norm, NORMS)
        one_of("InvertedResidual", "init", init, INITS)
        self.width, self.expansion, self.kernel, self.stride, self.squeeze = width, expansion, kernel, stride, squeeze
        self.activation, self.norm, self.init = activation, norm, init

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        where = "InvertedResidual"
        rank_of(where, shape)
        channels = shape[1]
        width, inner = self.width or channels, max(1, round(channels * self.expansion))
        parts: list[nn.Module] = []
        if inner != channels:
            parts += conv_unit(where, shape, inner, norm=self.norm, act=self.activation)
        wide = (shape[0], inner, *shape[2:])
        parts += conv_unit(
            where, wide, inner, self.kernel, norm=self.norm, act=self.activation, stride=self.stride, groups=inner
        )
        if self.squeeze:
            parts.append(squeeze_excite(where, wide, _squeezed(channels, self.squeeze), self.activation))
        small = (shape[0], inner, *(-(-size // self.stride) for size in shape[2:]))
        parts += conv_unit(where, small, width, norm=self.norm, act="none")
        body = nn.Sequential(*parts)
        same = width == channels and self.stride == 1 and self.kernel % 2 == 1
        return initialize(Add(body) if same else body, self.init)


def _squeezed(channels: int, ratio: float) -> int:
    return max(2, round(channels * ratio))


def _check_ratio(where: str, ratio: float, *, zero: bool) -> None:
    if not (0 < ratio <= 1 or (zero and ratio == 0)):
        raise SpaceError(f"{where}: the squeeze-excite ratio must lie in 0..1; got {ratio!r}")
