"""A trained network as a plain one: the modules that only connect others are gone, the layers stay."""

from __future__ import annotations

import copy
import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.utils import parametrize

from archwright.errors import ExportError
from archwright.export.agreement import agree, random_inputs

__all__ = ["Flat", "flatten", "plain"]

KINDS = (
    (r"ConvTranspose\dd", "deconv"),
    (r"Conv\dd", "conv"),
    (r".*(BatchNorm|InstanceNorm)\dd|LayerNorm|GroupNorm|RMSNorm|LocalResponseNorm", "norm"),
    (r".*Pool\dd", "pool"),
    (r".*Dropout\d?d?", "dropout"),
    (r"MultiheadAttention", "attention"),
    (r"TransformerEncoder(Layer)?", "encoder"),
    (r"(Zero|Constant|Reflection|Replication|Circular)Pad\dd", "pad"),
)
"""What a layer is called in the plain network, where its class name in snake case would say it worse."""


@dataclass(frozen=True)
class Flat:
    """A plain network, and what is needed to write it as source.

    Attributes:
        module: The network; its layers are direct children with readable names (``conv1``, ``norm1``).
        graph: Its computation, or None when `module` is a copy of the original that could not be traced.
        places: For each node of the graph, the original's part it came from, e.g. ``("2", "ConvBlock")``.
        reason: Why `graph` is None.
    """

    module: nn.Module
    graph: fx.Graph | None
    places: dict[fx.Node, tuple[str, str]] = field(default_factory=dict)
    reason: str = ""


def plain(module: nn.Module, input_shape: Sequence[int], *, dtype: torch.dtype = torch.float32) -> nn.Module:
    """A copy of a trained network that needs no archwright to unpickle, run or train further.

    The connecting modules (sequences, residuals, cells, blocks) are dissolved into one forward over
    ``torch.nn`` layers. A module of the user's that cannot be traced (its Python depends on the data) stays
    as it is, and unpickling then needs its class. What depends on ``self.training`` in Python code keeps the
    behaviour of evaluation; layers such as ``nn.Dropout`` still follow ``train()``.

    Args:
        module: The network. It is not changed.
        input_shape: One input, without the batch.
        dtype: What the network reads: float32, or int64 for a network that begins with an embedding.

    Returns:
        The network on the CPU, in evaluation mode.
    """
    return flatten(module, input_shape, dtype=dtype).module


def flatten(module: nn.Module, input_shape: Sequence[int], *, dtype: torch.dtype = torch.float32) -> Flat:
    """`plain` with the traced graph beside it. Raises `ExportError` when the network cannot run at all."""
    original = ready(module, input_shape, dtype)
    inputs = random_inputs(input_shape, dtype)
    network = settled(original)
    try:
        root, graph = trace(network)
        flat = named(root, graph)
    except Exception as error:  # tracing runs any user's code: whatever it raises, the copy still works
        return Flat(original, None, reason=f"tracing failed: {_line(error)}")
    figure = agree(original, flat.module, inputs)
    if not figure.passed:
        return Flat(original, None, reason=f"the traced network differs from the original by {figure.difference:.3g}")
    return flat


def ready(module: nn.Module, input_shape: Sequence[int], dtype: torch.dtype) -> nn.Module:
    """A copy on the CPU, in evaluation mode, with no lazy parameter left, that runs on the input shape."""
    if not isinstance(module, nn.Module):
        raise ExportError(f"only a torch.nn.Module can be exported, got {type(module).__name__}")
    try:
        network = copy.deepcopy(module).cpu().eval()
    except Exception as error:
        raise ExportError(f"the network cannot be copied: {_line(error)}") from error
    example = random_inputs(input_shape, dtype)[1]
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):  # lazy layers draw their weights here
            network(example)
    except Exception as error:
        raise ExportError(
            f"the network does not run on an input of shape {(len(example), *input_shape)}: {_line(error)}. "
            "Give the input_shape (without the batch) that it was trained on"
        ) from error
    return network


def settled(network: nn.Module) -> nn.Module:
    """A copy whose parametrised weights (weight norm, spectral norm) are plain tensors, laid out contiguously."""
    network = copy.deepcopy(network)
    for part in network.modules():
        if parametrize.is_parametrized(part):
            # Not torch's remove_parametrizations: copies share a class that it would change for the original too.
            values = {name: getattr(part, name).detach() for name in part.parametrizations}  # type: ignore[union-attr]
            del part.parametrizations
            part.__class__ = type(part).__bases__[0]
            for name, value in values.items():
                part.register_parameter(name, nn.Parameter(value))
    for parameter in network.parameters():
        parameter.data = parameter.data.contiguous()
        parameter.grad = None
    return network


class Whole(nn.Module):
    """The network with one argument, so that its other arguments keep their defaults while it is traced."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Any:
        """Run the network."""
        return self.network(x)


class Tracer(fx.Tracer):
    """Traces into every module but the layers of ``torch.nn`` and the given ones; remembers where it stood."""

    def __init__(self, kept: Sequence[nn.Module]):
        super().__init__()
        self.kept = kept
        self.stack: list[nn.Module] = []

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return any(m is k for k in self.kept) or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        leaf = self.is_leaf_module(m, "")
        if not leaf:
            self.stack.append(m)
        result = super().call_module(m, forward, args, kwargs)
        if not leaf:
            self.stack.pop()
        return result


def trace(network: nn.Module) -> tuple[nn.Module, fx.Graph]:
    """The graph of a network; a module in which tracing fails is kept whole, and tracing begins again."""
    root = Whole(network).eval()
    kept: list[nn.Module] = []
    while True:
        tracer = Tracer(kept)
        try:
            graph = tracer.trace(root)
            graph._tracer_cls = None  # a pickle would name this file's tracer
        except Exception:
            if not tracer.stack:
                raise
            kept.append(tracer.stack[-1])
        else:
            return root, graph


def named(root: nn.Module, graph: fx.Graph) -> Flat:
    """Give every layer and tensor of the graph a short name, share equal layers without weights, drop idle ones."""
    layers = dict(root.named_modules(remove_duplicate=False))
    drop_idle(graph, layers)
    attributes: dict[str, Any] = {}
    renamed: dict[str, str] = {}
    equal: dict[str, str] = {}
    used = [str(n.target) for n in graph.nodes if n.op == "call_module"]
    kinds = {target: kind_of(layers[target]) for target in dict.fromkeys(used)}
    distinct: dict[str, list[str]] = {}
    for target, kind in kinds.items():
        layer = layers[target]
        token = repr(layer) if is_stateless(layer) else target
        if token not in equal:
            equal[token] = target
            distinct.setdefault(kind, []).append(target)
    for kind, targets in distinct.items():
        for i, target in enumerate(targets, 1):
            renamed[target] = kind if len(targets) == 1 else f"{kind}{i}"
            attributes[renamed[target]] = layers[target]
    for target in kinds:
        layer = layers[target]
        renamed[target] = renamed[equal[repr(layer) if is_stateless(layer) else target]]
    for target in dict.fromkeys(str(n.target) for n in graph.nodes if n.op == "get_attr"):
        renamed[target] = _free_name(target, attributes)
        attributes[renamed[target]] = _attribute(root, target)
    for node in graph.nodes:
        node.type = None  # annotations may name what only their own file imports; pickling would look for it
        if node.op in ("call_module", "get_attr"):
            node.target = renamed[str(node.target)]
    module = fx.GraphModule(attributes, graph, class_name="Network").eval()
    return Flat(module, module.graph, _origins(graph, module.graph))


def kind_of(layer: nn.Module) -> str:
    """What a layer is called: ``conv``, ``norm``, ``linear``, ``relu``..."""
    name = type(layer).__name__
    for pattern, kind in KINDS:
        if re.fullmatch(pattern, name):
            return kind
    if name.isupper() or name[1:] == name[1:].lower() or re.fullmatch(r"[A-Z][A-Za-z]{0,2}LU\d?", name):
        return name.lower()
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def is_stateless(layer: nn.Module) -> bool:
    """Whether a torch layer holds nothing, so that one of equal ones can stand for all."""
    hooked = layer._forward_hooks or layer._forward_pre_hooks
    return (
        type(layer).__module__.startswith("torch.nn")
        and not hooked
        and not [*layer.parameters(), *layer.buffers(), *layer.children()]
    )


def drop_idle(graph: fx.Graph, layers: dict[str, nn.Module]) -> None:
    """Remove identities, dropout that never drops, and values that nobody reads."""
    for node in reversed(list(graph.nodes)):
        if node.op == "call_module" and _is_idle(layers[str(node.target)]) and node.args:
            node.replace_all_uses_with(node.args[0])
        if node.op not in ("placeholder", "output") and not node.users and not is_in_place(node, layers):
            graph.erase_node(node)


def is_in_place(node: fx.Node, layers: dict[str, nn.Module]) -> bool:
    """Whether a step may change one of its inputs, so that it cannot be moved or dropped."""
    if node.op == "call_module":
        layer = layers[str(node.target)]
        return any(getattr(part, "inplace", False) for part in layer.modules())
    if node.kwargs.get("inplace") or node.kwargs.get("out") is not None:
        return True
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    return node.op != "get_attr" and (
        (name.endswith("_") and not name.endswith("__"))
        or name in ("iadd", "isub", "imul", "itruediv", "ipow", "setitem", "ifloordiv", "iand", "ior", "imatmul")
    )


def _is_idle(layer: nn.Module) -> bool:
    if layer._forward_hooks or layer._forward_pre_hooks:
        return False
    return type(layer) is nn.Identity or (isinstance(layer, nn.modules.dropout._DropoutNd) and layer.p == 0)


def _attribute(root: nn.Module, target: str) -> Any:
    found: Any = root
    for part in target.split("."):
        found = getattr(found, part)
    return found.detach() if isinstance(found, Tensor) and not isinstance(found, nn.Parameter) else found


def _free_name(target: str, taken: dict[str, Any]) -> str:
    """The last word of a path, with more of the path before it when that is taken or means something else."""
    words = [re.sub(r"\W", "_", w) for w in target.split(".")]
    reserved = nn.Module()
    for n in range(1, len(words) + 1):
        name = "_".join(words[-n:]).strip("_")
        good = name.isidentifier() and not keyword.iskeyword(name) and name not in ("x", "torch", "nn", "F")
        if good and name not in taken and not hasattr(reserved, name):
            return name
    name = "tensor"
    while name in taken:
        name += "_"
    return name


def _origins(traced: fx.Graph, copied: fx.Graph) -> dict[fx.Node, tuple[str, str]]:
    """The part of the original network that each node stands in: the first level at which there is more than one."""
    stacks = {}
    for old, new in zip(traced.nodes, copied.nodes, strict=True):
        stack = old.meta.get("nn_module_stack") or {}
        stacks[new] = [(path, kind) for path, kind in stack.values()] if stack else []
    depth = 0
    lived = [s for s in stacks.values() if s]
    while lived and all(len(s) > depth for s in lived) and len({s[depth][0] for s in lived}) == 1:
        depth += 1
    return {
        node: (s[depth][0].removeprefix("network."), getattr(s[depth][1], "__name__", str(s[depth][1])))
        for node, s in stacks.items()
        if len(s) > depth + (node.op == "call_module")  # a layer alone needs no heading
    }


def _line(error: BaseException) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
