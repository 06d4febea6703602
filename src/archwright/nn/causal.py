"""WaveNet's gated unit: a causal convolution that sees far back by dilation."""

from __future__ import annotations

from torch import nn

from archwright.nn.check import at_least, fraction, one_of, rank_of
from archwright.nn.conv import conv
from archwright.nn.inferred import Block
from archwright.nn.init import INITS, initialize
from archwright.nn.merge import Add, Gated
from archwright.nn.norms import normalization

__all__ = ["CausalBlock"]

CAUSAL_NORMS = ("batch", "none")
"""``layer``, ``group`` and ``instance`` average over time, and so would let the past see the future."""


class CausalBlock(Block):
    """``shortcut(x) + W (tanh(F x) * sigmoid(G x))`` with causal dilated F and G.

    Van den Oord et al., *WaveNet*, 2016 (https://arxiv.org/abs/1609.03499), section 2.3. The output at time t reads the
    input at t and before only. Shapes: (B, C, T) -> (B, width, T). One departure: the result goes one way, on to
    the next block; there is no separate skip output.

    Args:
        width: Output channels; None keeps the input's. The shortcut is a pointwise convolution where they differ.
        kernel: Taps of F and G.
        dilation: Distance between taps; each block usually doubles it.
        dropout: Share of channels dropped before the last convolution.
        norm: ``batch`` or ``none``, after the last convolution.
        init: One of `archwright.nn.INITS`.
    """

    def __init__(
        self,
        width: int | None = None,
        kernel: int = 2,
        dilation: int = 1,
        dropout: float = 0.0,
        norm: str = "none",
        init: str = "default",
    ):
        super().__init__()
        at_least("CausalBlock", 1, width=width, kernel=kernel, dilation=dilation)
        one_of("CausalBlock", "norm", norm, CAUSAL_NORMS)
        one_of("CausalBlock", "init", init, INITS)
        fraction("CausalBlock", dropout=dropout)
        self.width, self.kernel, self.dilation = width, kernel, dilation
        self.dropout, self.norm, self.init = dropout, norm, init

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        rank_of("CausalBlock", shape, (3,))
        channels, width = shape[1], self.width or shape[1]
        back = self.dilation * (self.kernel - 1)
        padded = (shape[0], channels, shape[2] + back)

        def taps() -> nn.Module:
            return conv("CausalBlock", padded, width, self.kernel, dilation=self.dilation, padding="valid")

        parts: list[nn.Module] = [nn.ConstantPad1d((back, 0), 0.0)] if back else []
        parts.append(Gated(nn.Sequential(taps(), nn.Tanh()), nn.Sequential(taps(), nn.Sigmoid())))
        if self.dropout:
            parts.append(nn.Dropout1d(self.dropout))
        parts.append(nn.Conv1d(width, width, 1, bias=self.norm == "none"))
        if self.norm != "none":
            parts.append(normalization(self.norm, width, 1))
        shortcut = None if width == channels else nn.Conv1d(channels, width, 1)
        return initialize(Add(nn.Sequential(*parts), shortcut), self.init)
