"""How the tensors of a layer are cut from larger ones: a rule for each kind of layer.

Each tensor is seen as an array of *axes* that mean something: the weight of an LSTM, (4 * hidden, inputs), as
(4, hidden, inputs); the projection of attention as (3, heads, head width, channels). A smaller layer takes the first
so many of each axis, and of a kernel's axes those in the middle (Cai et al., *Once-for-All*, ICLR 2020,
https://arxiv.org/abs/1908.09791).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from archwright.nn.attention import _Attend, _Table
from archwright.nn.messages import _GAT, _GIN, _GraphNorm
from archwright.nn.translate import _Positions

__all__ = ["Axes", "Layer", "layers"]


@dataclass(frozen=True)
class Axes:
    """A tensor's shape, taken apart into axes that are cut one by one.

    Args:
        sizes: Of each axis; their product is the tensor's size.
        centred: Axes that are cut from the middle.
    """

    sizes: tuple[int, ...]
    centred: frozenset[int] = frozenset()


@dataclass(frozen=True, eq=False)
class Layer:
    """A module with parameters or state of its own.

    Args:
        module: The module.
        kinds: What it may count as, best first; only layers of one kind share. Two where a shape tells too little: a
            convolution of one channel is depthwise and is not.
        axes: For each kind, the axes of each tensor by name.
        opaque: No rule is known for it.
    """

    module: nn.Module
    kinds: tuple[Any, ...]
    axes: tuple[dict[str, Axes], ...]
    opaque: bool = False

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Own parameters and the buffers that a state dict holds, by name."""
        return _tensors(self.module)


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in module._parameters.items():
        if parameter is not None:
            yield name, parameter
    for name, buffer in module._buffers.items():
        if buffer is not None and name not in module._non_persistent_buffers_set:
            yield name, buffer


def layers(module: nn.Module, outside: Collection[int] = ()) -> list[Layer]:
    """The layers inside `module`, in order, without those inside modules whose id is `outside`."""
    found: list[Layer] = []
    seen: set[int] = set(outside)

    def visit(part: nn.Module, parent: nn.Module | None, name: str) -> None:
        if id(part) in seen:
            return
        seen.add(id(part))
        # Fixed tables are constants, made anew at every size.
        if (part._parameters or part._buffers) and not (isinstance(part, _TABLES) and part._buffers):
            tensors = list(_tensors(part))
            if tensors:
                found.append(_layer(part, parent, name, tensors))
        for inner, child in part._modules.items():
            if child is not None:
                visit(child, part, inner)

    visit(module, None, "")
    return found


def _layer(module: nn.Module, parent: nn.Module | None, name: str, tensors: list[tuple[str, Tensor]]) -> Layer:
    rule = _rule(type(module), type(parent))
    if rule is not None:
        options = rule(module, parent, name)
        names = {n for n, _ in tensors}
        if all(names == axes.keys() for _, axes in options):
            kinds = tuple((type(module).__qualname__, *kind) for kind, _ in options)
            return Layer(module, kinds, tuple(axes for _, axes in options))
    axes = {n: Axes(tuple(t.shape)) for n, t in tensors}
    ranks = tuple((n, len(a.sizes), n in module._parameters) for n, a in axes.items())
    return Layer(module, (("opaque", f"{type(module).__module__}.{type(module).__qualname__}", ranks),), (axes,), True)


def _rule(kind: type, parent: type) -> Callable[..., Options] | None:
    if (kind, parent) not in _found:
        matching = (r for kinds, within, r in _RULES if issubclass(kind, kinds) and issubclass(parent, within))
        _found[kind, parent] = next(matching, None)
    return _found[kind, parent]


_found: dict[tuple[type, type], Callable[..., Options] | None] = {}

Options = list[tuple[tuple[Any, ...], dict[str, Axes]]]


def _leading(module: nn.Module, parent: nn.Module | None, name: str) -> Options:
    """The first of every axis: linear layers, normalisations, embeddings."""
    return [((), {n: Axes(tuple(t.shape)) for n, t in _tensors(module)})]


def _convolution(module: Any, parent: nn.Module | None, name: str) -> Options:
    """Leading channels, a kernel's middle; with groups, the leading channels of each."""
    weight, groups = module.weight, module.groups
    transposed = isinstance(module, _ConvTransposeNd)
    kernel = tuple(weight.shape[2:])
    before, each = module.in_channels // groups, module.out_channels // groups
    options: Options = []

    def option(kind: Any, sizes: tuple[int, ...], bias: tuple[int, ...]) -> None:
        centred = frozenset(range(len(sizes), len(sizes) + len(kernel)))
        axes = {"weight": Axes((*sizes, *kernel), centred)}
        if module.bias is not None:
            axes["bias"] = Axes(bias)
        options.append(((kind,), axes))

    if groups == 1:
        option("full", (before, each) if transposed else (each, before), (each,))
    if before == 1:
        option("depthwise", (groups, 1, each) if transposed else (groups, each, 1), (groups, each))
    if groups > 1:
        option(("groups", groups), (groups, before, each) if transposed else (groups, each, before), (groups, each))
    return options


def _recurrent(module: Any, parent: nn.Module | None, name: str) -> Options:
    """Leading units of each gate, and of each direction of the layer below."""
    hidden = module.hidden_size
    directions = 2 if getattr(module, "bidirectional", False) else 1
    axes = {}
    for n, t in _tensors(module):
        sizes: tuple[int, ...] = tuple(t.shape)
        if "_hr_" not in n:
            sizes = (sizes[0] // hidden, hidden, *sizes[1:])
            if n.startswith("weight_ih_l") and not n.startswith("weight_ih_l0"):
                sizes = (*sizes[:-1], directions, sizes[-1] // directions)
        axes[n] = Axes(sizes)
    return [((getattr(module, "nonlinearity", ""),), axes)]


def _projection(module: Any, parent: Any, name: str) -> Options:
    """The two linear layers of `archwright.nn.attention`: leading heads, and leading units of each."""
    heads = parent.split.unflattened_size[1]
    if name == "project":
        width = module.out_features // (3 * heads)
        return [
            (("project",), {"weight": Axes((3, heads, width, module.in_features)), "bias": Axes((3, heads, width))})
        ]
    width = module.in_features // heads
    return [(("out",), {"weight": Axes((module.out_features, heads, width)), "bias": Axes((module.out_features,))})]


def _multihead(module: Any, parent: nn.Module | None, name: str) -> Options:
    heads, width = module.num_heads, module.head_dim
    axes = {}
    for n, t in _tensors(module):
        if n.startswith("in_proj"):
            axes[n] = Axes((3, heads, width, *t.shape[1:]))
        elif n in ("bias_k", "bias_v"):
            axes[n] = Axes((1, 1, heads, width))
        else:
            axes[n] = Axes((heads, width, *t.shape[1:]))
    return [((), axes)]


def _multihead_out(module: Any, parent: Any, name: str) -> Options:
    axes = {"weight": Axes((module.out_features, parent.num_heads, parent.head_dim))}
    if module.bias is not None:
        axes["bias"] = Axes((module.out_features,))
    return [(("out",), axes)]


_TABLES = (_Table, _Positions)

_LEADING = (
    nn.Linear,
    nn.Bilinear,
    _NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
    nn.Embedding,
    nn.EmbeddingBag,
    nn.PReLU,
    *_TABLES,
    _GIN,
    _GAT,
    _GraphNorm,
)

_RULES: tuple[tuple[Any, type, Callable[..., Options]], ...] = (
    (nn.Linear, _Attend, _projection),
    (nn.Linear, nn.MultiheadAttention, _multihead_out),
    (_ConvNd, object, _convolution),
    ((nn.RNNBase, nn.RNNCellBase), object, _recurrent),
    (nn.MultiheadAttention, object, _multihead),
    (_LEADING, object, _leading),
)
