"""Convolution blocks for sequences and images: the rank of the first input decides which."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from archwright.errors import EvaluationError, SpaceError
from archwright.nn.activations import ACTIVATIONS, activation
from archwright.nn.check import at_least, fraction, one_of, rank_of
from archwright.nn.inferred import Block
from archwright.nn.init import INITS, initialize
from archwright.nn.merge import Grow
from archwright.nn.norms import NORMS, normalization

__all__ = ["ConvBlock", "DenseBlock", "SeparableBlock", "Windows", "conv", "conv_unit"]

PADDINGS = ("same", "valid")


def conv(
    where: str,
    shape: tuple[int, ...],
    width: int,
    kernel: int = 1,
    *,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    padding: str = "same",
    bias: bool = True,
) -> nn.Module:
    """A convolution for inputs of `shape`; ``same`` pads so that an odd kernel at stride 1 keeps the size.

    Raises:
        EvaluationError: The kernel is larger than the padded input, or `groups` divides no channels.
    """
    rank, channels = rank_of(where, shape), shape[1]
    reach = dilation * (kernel - 1) + 1
    pad = (reach - 1) // 2 if padding == "same" else 0
    if min(shape[2:]) + 2 * pad < reach:
        raise EvaluationError(
            f"{where}: kernel {kernel} (dilation {dilation}) reaches over {reach} positions, but the padded input has "
            f"{min(shape[2:]) + 2 * pad}; use a smaller kernel, fewer poolings or padding='same'"
        )
    if channels % groups or width % groups:
        raise EvaluationError(f"{where}: groups {groups} must divide both {channels} input channels and width {width}")
    kind = nn.Conv2d if rank == 2 else nn.Conv1d
    return kind(channels, width, kernel, stride, pad, dilation, groups, bias)


def positions_after(shape: tuple[int, ...], layer: nn.Module) -> int:
    """How many positions a convolution leaves of an input of `shape`."""
    per_axis = zip(shape[2:], layer.kernel_size, layer.stride, layer.padding, layer.dilation, strict=True)  # type: ignore[arg-type]
    return math.prod((size + 2 * p - d * (k - 1) - 1) // s + 1 for size, k, s, p, d in per_axis)


def conv_unit(
    where: str,
    shape: tuple[int, ...],
    width: int,
    kernel: int = 1,
    *,
    norm: str = "batch",
    act: str = "relu",
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    padding: str = "same",
) -> list[nn.Module]:
    """Convolution, normalisation, activation; what is ``none`` is left out, and so is a bias that a norm undoes."""
    layer = conv(
        where,
        shape,
        width,
        kernel,
        stride=stride,
        dilation=dilation,
        groups=groups,
        padding=padding,
        bias=norm == "none",
    )
    parts = [layer]
    if norm != "none":
        parts.append(normalization(norm, width, len(shape) - 2, positions_after(shape, layer)))
    if act != "none":
        parts.append(activation(act))
    return parts


class ConvBlock(Block):
    """Convolution, normalisation, activation and dropout.

    Shapes: (B, C, T) -> (B, width, T') or (B, C, H, W) -> (B, width, H', W').

    Args:
        width: Output channels; None keeps the input's.
        kernel: Positions that the kernel covers on each axis.
        stride: Step of the kernel.
        dilation: Distance between the kernel's taps.
        groups: Channel groups that do not mix; 0 means depthwise (one group an input channel).
        activation: One of `archwright.nn.ACTIVATIONS`.
        norm: One of `archwright.nn.NORMS`.
        dropout: Share of channels that are dropped (whole channels at once).
        init: One of `archwright.nn.INITS`.
        padding: ``same`` or ``valid`` (none).
    """

    def __init__(
        self,
        width: int | None = None,
        kernel: int = 3,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        activation: str = "relu",
        norm: str = "batch",
        dropout: float = 0.0,
        init: str = "default",
        padding: str = "same",
    ):
        super().__init__()
        at_least("ConvBlock", 1, width=width, kernel=kernel, stride=stride, dilation=dilation)
        at_least("ConvBlock", 0, groups=groups)
        one_of("ConvBlock", "activation", activation, ACTIVATIONS)
        one_of("ConvBlock", "norm", norm, NORMS)
        one_of("ConvBlock", "init", init, INITS)
        one_of("ConvBlock", "padding", padding, PADDINGS)
        fraction("ConvBlock", dropout=dropout)
        self.width, self.kernel, self.stride, self.dilation, self.groups = width, kernel, stride, dilation, groups
        self.activation, self.norm, self.dropout, self.init, self.padding = activation, norm, dropout, init, padding

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        parts = conv_unit(
            "ConvBlock",
            shape,
            self.width or shape[1],
            self.kernel,
            norm=self.norm,
            act=self.activation,
            stride=self.stride,
            dilation=self.dilation,
            groups=self.groups or shape[1],
            padding=self.padding,
        )
        if self.dropout:
            parts.append((nn.Dropout2d if len(shape) == 4 else nn.Dropout1d)(self.dropout))
        return initialize(nn.Sequential(*parts), self.init)


class SeparableBlock(Block):
    """A depthwise convolution, then a pointwise one, each with norm and activation.

    Howard et al., *MobileNets*, 2017 (https://arxiv.org/abs/1704.04861). With a kernel k and width w it has about
    ``k w + w w`` weights where `ConvBlock` has ``k w w`` (k squared in 2-D). Shapes as `ConvBlock`.

    Args:
        width: Output channels; None keeps the input's.
        kernel: Positions that the depthwise kernel covers on each axis.
        stride: Step of the depthwise kernel.
        dilation: Distance between its taps.
        activation: After both convolutions.
        norm: After both convolutions.
        init: One of `archwright.nn.INITS`.
        middle: Whether norm and activation also stand between the two; without them (as in Xception) it is smaller.
    """

    def __init__(
        self,
        width: int | None = None,
        kernel: int = 3,
        stride: int = 1,
        dilation: int = 1,
        activation: str = "relu",
        norm: str = "batch",
        init: str = "default",
        middle: bool = True,
    ):
        super().__init__()
        at_least("SeparableBlock", 1, width=width, kernel=kernel, stride=stride, dilation=dilation)
        one_of("SeparableBlock", "activation", activation, ACTIVATIONS)
        one_of("SeparableBlock", "norm", norm, NORMS)
        one_of("SeparableBlock", "init", init, INITS)
        self.width, self.kernel, self.stride, self.dilation = width, kernel, stride, dilation
        self.activation, self.norm, self.init, self.middle = activation, norm, init, middle

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        channels = shape[1]
        depthwise = conv_unit(
            "SeparableBlock",
            shape,
            channels,
            self.kernel,
            norm=self.norm if self.middle else "none",
            act=self.activation if self.middle else "none",
            stride=self.stride,
            dilation=self.dilation,
            groups=channels,
        )
        pointwise = conv_unit("SeparableBlock", shape, self.width or channels, norm=self.norm, act=self.activation)
        return initialize(nn.Sequential(*depthwise, *pointwise), self.init)


class DenseBlock(Block):
    """Layers that each read all that came before and add `growth` channels to it.

    Huang et al., *Densely Connected Convolutional Networks*, CVPR 2017 (https://arxiv.org/abs/1608.06993); norm and
    activation stand before each convolution, as there. Shapes: (B, C, ...) -> (B, C + layers * growth, ...).

    Args:
        layers: How many.
        growth: Channels that each adds; *k* in the paper.
        kernel: Positions that the kernel covers on each axis.
        bottleneck: Width of a pointwise convolution before each, in multiples of `growth`; 0 for none, 4 in the paper.
        activation: One of `archwright.nn.ACTIVATIONS`.
        norm: One of `archwright.nn.NORMS`.
        dropout: Share of channels dropped after each layer.
        init: One of `archwright.nn.INITS`.
    """

    def __init__(
        self,
        layers: int = 4,
        growth: int = 12,
        kernel: int = 3,
        bottleneck: int = 0,
        activation: str = "relu",
        norm: str = "batch",
        dropout: float = 0.0,
        init: str = "default",
    ):
        super().__init__()
        at_least("DenseBlock", 1, layers=layers, growth=growth, kernel=kernel)
        at_least("DenseBlock", 0, bottleneck=bottleneck)
        one_of("DenseBlock", "activation", activation, ACTIVATIONS)
        one_of("DenseBlock", "norm", norm, NORMS)
        one_of("DenseBlock", "init", init, INITS)
        fraction("DenseBlock", dropout=dropout)
        self.layers, self.growth, self.kernel, self.bottleneck = layers, growth, kernel, bottleneck
        self.activation, self.norm, self.dropout, self.init = activation, norm, dropout, init

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        if self.kernel % 2 == 0:
            raise EvaluationError(f"DenseBlock: kernel must be odd to keep the size, got {self.kernel}")
        made = []
        for i in range(self.layers):
            made.append(nn.Sequential(*self._layer((shape[0], shape[1] + i * self.growth, *shape[2:]))))
        return initialize(Grow(made), self.init)

    def _layer(self, shape: tuple[int, ...]) -> list[nn.Module]:
        positions = math.prod(shape[2:])

        def before(channels: int) -> list[nn.Module]:
            return [normalization(self.norm, channels, len(shape) - 2, positions), activation(self.activation)]

        parts = before(shape[1])
        if self.bottleneck:
            narrow = self.bottleneck * self.growth
            parts.append(conv("DenseBlock", shape, narrow, bias=False))
            parts.extend(before(narrow))
            shape = (shape[0], narrow, *shape[2:])
        parts.append(conv("DenseBlock", shape, self.growth, self.kernel, bias=False))
        if self.dropout:
            parts.append((nn.Dropout2d if len(shape) == 4 else nn.Dropout1d)(self.dropout))
        return parts


class _SideBySide(nn.Module):
    """Branches on the same input, concatenated along the channels."""

    def __init__(self, branches: Sequence[nn.Module]):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


def _sizes(text: str) -> list[int]:
    """``"3+4+5"`` as numbers."""
    sizes = text.split("+")
    if not all(size.strip().isdigit() for size in sizes):
        raise SpaceError(f"Windows: windows cannot be {text!r}: write sizes with + between, such as '3+4+5'")
    return [int(size) for size in sizes]


def _window(channels: int, width: int, size: int) -> nn.Module:
    """A convolution that keeps the positions, for even sizes too."""
    if size % 2:
        return nn.Conv1d(channels, width, size, padding=size // 2)
    return nn.Sequential(nn.ConstantPad1d((size // 2 - 1, size // 2), 0.0), nn.Conv1d(channels, width, size))


class Windows(Block):
    """Convolutions over windows of several sizes, side by side. Shapes: (B, C, T) -> (B, width * len(windows), T).

    The filters of Kim, *Convolutional Neural Networks for Sentence Classification*, EMNLP 2014
    (https://arxiv.org/abs/1408.5882). One departure: windows may reach over the ends, so that positions are kept.

    Args:
        width: Filters for each size.
        windows: How many positions each covers; even ones reach one further to the right. Also as a text, ``"3+4+5"``,
            which reads better in architectures.
        activation: One of `archwright.nn.ACTIVATIONS`.
        init: One of `archwright.nn.INITS`.
    """

    def __init__(
        self, width: int, windows: Sequence[int] | str = (3, 4, 5), activation: str = "relu", init: str = "default"
    ):
        super().__init__()
        sizes = _sizes(windows) if isinstance(windows, str) else list(windows)
        at_least("Windows", 1, width=width, sizes=len(sizes), **{f"windows[{i}]": w for i, w in enumerate(sizes)})
        one_of("Windows", "activation", activation, ACTIVATIONS)
        one_of("Windows", "init", init, INITS)
        self.width, self.windows, self.activation, self.init = width, tuple(sizes), activation, init

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        rank_of("Windows", shape, (3,))
        if shape[2] < max(self.windows):
            raise EvaluationError(
                f"Windows: a window of {max(self.windows)} is longer than the {shape[2]} positions of the input; "
                f"take smaller ones"
            )
        filters = [_window(shape[1], self.width, w) for w in self.windows]
        parts = [_SideBySide(filters) if len(filters) > 1 else filters[0]]
        if self.activation != "none":
            parts.append(activation(self.activation))
        return initialize(nn.Sequential(*parts), self.init)
