"""Hand-made reference networks: what a search is compared with.

Small residual networks and a residual MLP in plain torch, with lazy input sizes. `width` scales them, and
`fitted` finds the widest that keeps to a number of parameters. Nothing was searched for in them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from archwright.errors import DataError
from archwright.nn.adversarial import deployed

__all__ = ["KimCNN", "RecurrentLanguage", "ResidualConv", "ResidualMLP", "fitted", "parameters"]

_LAYERS: dict[int, tuple[Any, Any, Any, Any]] = {
    1: (nn.LazyConv1d, nn.Conv1d, nn.BatchNorm1d, nn.AdaptiveAvgPool1d),
    2: (nn.LazyConv2d, nn.Conv2d, nn.BatchNorm2d, nn.AdaptiveAvgPool2d),
}

RECURRENT = (torch.rnn_tanh, torch.rnn_relu, torch.gru, torch.lstm)


class _Block(nn.Module):
    """Two convolutions with a residual connection (He et al., CVPR 2016); strided where `stride` is 2."""

    def __init__(self, dimensions: int, inputs: int, outputs: int, kernel: int, stride: int):
        super().__init__()
        _, conv, norm, _ = _LAYERS[dimensions]
        pad = kernel // 2
        self.body = nn.Sequential(
            conv(inputs, outputs, kernel, stride, pad, bias=False),
            norm(outputs),
            nn.ReLU(),
            conv(outputs, outputs, kernel, 1, pad, bias=False),
            norm(outputs),
        )
        self.skip: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.skip = nn.Sequential(conv(inputs, outputs, 1, stride, bias=False), norm(outputs))
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.body(x) + self.skip(x))


class ResidualConv(nn.Module):
    """A small residual network for images or sequences: a stem and three blocks of widths w, 3w/2 and 2w.

    Shapes: (batch, channels, height, width) for two `dimensions`, (batch, channels, time) for one; the result is
    (batch, n_outputs).

    Args:
        n_outputs: How many numbers come out.
        dimensions: 2 for images, 1 for sequences.
        width: Channels of the stem and the first block.
        kernel: Side of the convolutions; odd.
        strides: Of the stem and the three blocks.
    """

    def __init__(
        self,
        n_outputs: int,
        *,
        dimensions: int = 2,
        width: int = 32,
        kernel: int = 3,
        strides: tuple[int, int, int, int] = (1, 1, 2, 2),
    ):
        super().__init__()
        lazy, _, norm, pool = _LAYERS[dimensions]
        widths = (width, round(width * 1.5), width * 2)
        self.stem = nn.Sequential(lazy(width, kernel, strides[0], kernel // 2, bias=False), norm(width), nn.ReLU())
        sizes = zip((width, *widths[:-1]), widths, strides[1:], strict=True)
        self.blocks = nn.Sequential(*(_Block(dimensions, a, b, kernel, stride) for a, b, stride in sizes))
        self.head = nn.Sequential(pool(1), nn.Flatten(), nn.Linear(widths[-1], n_outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Logits or quantities, (batch, n_outputs)."""
        return self.head(self.blocks(self.stem(x)))


class ResidualMLP(nn.Module):
    """A residual multilayer perceptron for tables.

    After Gorishniy et al., *Revisiting Deep Learning Models for Tabular Data*, NeurIPS 2021
    (https://arxiv.org/abs/2106.11959), the ResNet of section 3.2.

    Shapes: (batch, features) to (batch, n_outputs).
    """

    def __init__(self, n_outputs: int, *, width: int = 64, blocks: int = 2, dropout: float = 0.1):
        super().__init__()
        self.stem = nn.LazyLinear(width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm1d(width),
                nn.Linear(width, width),
                nn.ReLU(),
                nn.Dropout(dropout),
                nn.Linear(width, width),
            )
            for _ in range(blocks)
        )
        self.head = nn.Sequential(nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, n_outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Logits or quantities, (batch, n_outputs)."""
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(x)


class KimCNN(nn.Module):
    """Convolutions over windows of three, four and five words, the maximum of each over the text, and a linear layer.

    Kim, *Convolutional Neural Networks for Sentence Classification*, EMNLP 2014 (https://arxiv.org/abs/1408.5882), the
    variant CNN-rand: vectors of words begin at random. Texts shorter than five tokens are filled up.

    Shapes: (batch, time) int64, 0 for padding, to (batch, n_outputs).
    """

    def __init__(self, n_outputs: int, vocabulary: int, *, width: int = 100, embedding: int = 128):
        super().__init__()
        embedding = min(embedding, 2 * width)
        self.embedding = nn.Embedding(vocabulary, embedding, padding_idx=0)
        nn.init.uniform_(self.embedding.weight, -0.25, 0.25)
        nn.init.zeros_(self.embedding.weight[0].detach())
        self.filters = nn.ModuleList(nn.Conv1d(embedding, width, size, padding=2) for size in (3, 4, 5))
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(3 * width, n_outputs))

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits, (batch, n_outputs)."""
        x = self.embedding(tokens).transpose(1, 2)
        return self.head(torch.cat([torch.relu(filters(x)).amax(2) for filters in self.filters], 1))


class RecurrentLanguage(nn.Module):
    """A gated recurrent layer (Cho et al. 2014) between an embedding and scores of the next token.

    Shapes: (batch, time) int64 to (batch, vocabulary, time).
    """

    def __init__(self, vocabulary: int, *, width: int = 128, dropout: float = 0.1):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, max(1, width // 2))
        self.layer = nn.GRU(max(1, width // 2), width, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, vocabulary))

    def forward(self, tokens: Tensor) -> Tensor:
        """Scores, (batch, vocabulary, time)."""
        return self.head(self.layer(self.embedding(tokens))[0]).transpose(1, 2)


class _NoSteps(TorchFunctionMode):
    """Recurrent layers without arithmetic: shapes alone. Tensors on no device go through them step by step in Python.

    That takes seconds for some hundred steps, and a minute for the networks that `fitted` counts.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """What `func` gives; of recurrent layers on batches that come first, empty tensors of that shape."""
        if func in RECURRENT and args[-1] is True:
            x, start, bidirectional = args[0], args[1], args[-2]
            states = start if isinstance(start, tuple) else (start,)
            return (x.new_empty(*x.shape[:2], states[0].shape[-1] * (2 if bidirectional else 1)), *states)
        return func(*args, **(kwargs or {}))


def parameters(make: Callable[[], nn.Module], input_shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> int:
    """How many parameters the network has once its lazy sizes are known, without what is for training alone.

    Nothing is allocated.
    """
    with torch.device("meta"), _NoSteps():
        module = make().eval()
        with torch.no_grad():
            module(torch.zeros(2, *input_shape, dtype=dtype))
    return sum(p.numel() for p in deployed(module).parameters())


def fitted(
    make: Callable[[int], nn.Module],
    input_shape: tuple[int, ...],
    max_params: int,
    *,
    widest: int = 1024,
    dtype: torch.dtype = torch.float32,
) -> nn.Module:
    """The network ``make(width)`` of the largest width with at most `max_params` parameters."""
    lo, hi = 0, widest
    while lo < hi:
        middle = (lo + hi + 1) // 2
        if parameters(lambda width=middle: make(width), input_shape, dtype) <= max_params:  # type: ignore[misc]
            lo = middle
        else:
            hi = middle - 1
    if lo == 0:
        least = parameters(lambda: make(1), input_shape, dtype)
        raise DataError(
            f"baseline(max_params={max_params}): even the narrowest has {least} parameters; ask for at least that many"
        )
    return make(lo)
