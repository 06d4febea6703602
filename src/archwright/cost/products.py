"""Multiply-accumulates of each operation that multiplies matrices, by formula.

`ANSWERED` operations are not run: a rule takes their arguments and gives (multiply-accumulates, zeros shaped as the
result), or None where the sizes do not fit. `COUNTED` ones run, and a rule counts from result and arguments.
`WHOLE` ones hold no product, and are seen as one operation though torch could take them apart. Everything
else counts zero: additions, biases, activations, normalisations, pooling, look-ups.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["ANSWERED", "COUNTED", "WHOLE"]

aten = torch.ops.aten
Answer = tuple[int, Any] | None


def _convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Answer:
    """Each output element takes one pass over a filter; transposed, each input element does."""
    spatial = x.shape[2:]
    stride, padding, dilation, output_padding = (
        list(v) * len(spatial) if len(v) == 1 else list(v) for v in (stride, padding, dilation, output_padding)
    )
    reach = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    if transposed:
        sizes = [
            (n - 1) * s - 2 * p + r + o + 1
            for n, s, p, r, o in zip(spatial, stride, padding, reach, output_padding, strict=True)
        ]
        channels, fits = weight.shape[1] * groups, x.shape[1] == weight.shape[0]
    else:
        sizes = [(n + 2 * p - r - 1) // s + 1 for n, p, r, s in zip(spatial, padding, reach, stride, strict=True)]
        channels, fits = weight.shape[0], x.shape[1] == weight.shape[1] * groups
    if not fits or min(sizes, default=1) < 1 or x.dtype != weight.dtype:
        return None
    out = x.new_zeros((x.shape[0], channels, *sizes))
    return (x if transposed else out).numel() * weight[0].numel(), out


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Answer:
    if x.ndim == 0 or weight.ndim != 2 or x.shape[-1] != weight.shape[1] or x.dtype != weight.dtype:
        return None
    out = x.new_zeros((*x.shape[:-1], weight.shape[0]))
    return out.numel() * weight.shape[1], out


def _mm(a: Tensor, b: Tensor) -> Answer:
    """Of matrices, or of batches of matrices."""
    if a.shape[-1] != b.shape[-2] or a.shape[:-2] != b.shape[:-2] or a.dtype != b.dtype:
        return None
    out = a.new_zeros((*a.shape[:-1], b.shape[-1]))
    return out.numel() * a.shape[-1], out


def _addmm(added: Tensor, a: Tensor, b: Tensor, **scales: Any) -> Answer:
    return _mm(a, b)


def _attention(q: Tensor, k: Tensor, v: Tensor, *rest: Any, enable_gqa: bool = False, **options: Any) -> Answer:
    """Every query meets every key (also those a mask hides), and gathers every value. Fused: no score matrix."""
    if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2] or not q.dtype == k.dtype == v.dtype:
        return None
    lead = q.shape[:-2] if enable_gqa else torch.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    out = q.new_zeros((*lead, q.shape[-2], v.shape[-1]))
    return math.prod(lead) * q.shape[-2] * k.shape[-2] * (q.shape[-1] + v.shape[-1]), out


def _recurrent(x: Tensor, second: Any, third: Any, fourth: Any, *rest: Any) -> Answer:
    """RNN, GRU, LSTM: every weight matrix is used once a step, whatever the layers, directions and projections.

    Two forms: ``(input, state, weights, has_biases, ...)``, and for packed sequences
    ``(data, batch_sizes, state, weights, ...)``. Gates' element-wise products are not counted.
    """
    packed = not isinstance(fourth, bool)
    state, weights = (third, fourth) if packed else (second, third)
    bidirectional = rest[4] if packed else rest[3]
    states = tuple(state) if isinstance(state, (tuple, list)) else (state,)
    steps = x.shape[0] if packed else x.shape[0] * x.shape[1]
    out = x.new_zeros((*x.shape[:-1], states[0].shape[-1] * (2 if bidirectional else 1)))
    macs = steps * sum(w.numel() for w in weights if w.ndim == 2)
    return macs, (out, *(torch.zeros_like(s) for s in states))


def _matmul(out: Tensor, a: Tensor, b: Tensor) -> int:
    return out.numel() * a.shape[-1]


ANSWERED: dict[Any, Callable[..., Answer]] = {
    aten.convolution: _convolution,
    aten.linear: _linear,
    aten.mm: _mm,
    aten.bmm: _mm,
    aten.addmm: _addmm,
    aten.baddbmm: _addmm,
    aten.scaled_dot_product_attention: _attention,
    **dict.fromkeys((aten.lstm, aten.gru, aten.rnn_tanh, aten.rnn_relu), _recurrent),
}

COUNTED: dict[Any, Callable[..., int]] = {
    aten.matmul: _matmul,
    aten.mv: _matmul,
    aten.dot: _matmul,
    aten.vdot: _matmul,
    aten.addmv: lambda out, added, a, b, **scales: a.numel(),
    aten.addbmm: lambda out, added, a, b, **scales: a.numel() * b.shape[-1],
    # Each weight meets one product of the two inputs; that product itself is not counted.
    aten.bilinear: lambda out, a, b, weight, *bias: out.numel() * weight[0].numel(),
}

WHOLE: frozenset[Any] = frozenset(
    getattr(aten, name)
    for name in (
        *(f"{kind}_pool{n}d" for kind in ("max", "avg", "adaptive_avg", "adaptive_max") for n in (1, 2, 3)),
        *("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm"),
        *("softmax", "log_softmax", "dropout", "feature_dropout", "alpha_dropout", "embedding_bag"),
        *("flatten", "unflatten", "reshape", "contiguous", "chunk", "narrow", "movedim", "pad", "to"),
        *("relu6", "selu", "prelu", "silu", "mish", "type_as", "expand_as", "size", "square"),
    )
    if hasattr(aten, name)
)
