"""The line of Python that makes a layer: found by its arguments' names, then made and compared."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from archwright.export.carry import CannotWriteError, Carried

__all__ = ["ASSEMBLE", "constructor", "empty_tensor", "literal"]

ASSEMBLE = '''def assemble(cls, **parts):
    """Make a module of class `cls` from its parts, without calling its constructor."""
    module = cls.__new__(cls)
    nn.Module.__init__(module)
    for name, part in parts.items():
        if isinstance(part, torch.Tensor) and not isinstance(part, nn.Parameter):
            module.register_buffer(name, part)
        else:
            setattr(module, name, part)
    return module'''
"""Written into the exported file when a class of the user's does not keep its arguments."""

BY_POSITION = 2
"""So many leading arguments are written without their names, as people do: ``nn.Conv2d(16, 32, kernel_size=3)``."""


def constructor(layer: nn.Module, carried: Carried) -> str:
    """An expression that makes an equal layer (its weights aside).

    Raises:
        CannotWriteError: No such expression was found.
    """
    if layer._forward_hooks or layer._forward_pre_hooks:
        raise CannotWriteError(f"{type(layer).__name__} has forward hooks, which source cannot hold")
    if isinstance(layer, (nn.Sequential, nn.ModuleList)) and type(layer).__module__.startswith("torch.nn"):
        names = [n for n, _ in layer.named_children()]
        if names == [str(i) for i in range(len(names))]:
            parts = ", ".join(constructor(c, carried) for c in layer.children())
            return f"nn.Sequential({parts})" if isinstance(layer, nn.Sequential) else f"nn.ModuleList([{parts}])"
    name = carried.reference(type(layer))
    for arguments, needed in candidates(layer, carried):
        try:
            with torch.random.fork_rng(devices=[]):
                made = type(layer)(**arguments)
        except Exception:  # a candidate that does not fit; the user's constructor may raise anything
            continue
        if equal(layer, made):
            try:
                return f"{name}({_written(arguments, needed)})"
            except CannotWriteError:
                continue
    if not type(layer).__module__.startswith("torch."):
        return _assembled(layer, name, carried)
    raise CannotWriteError(f"no constructor was found for {layer!r}")


def candidates(layer: nn.Module, carried: Carried) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Arguments to try, and which of them are required: the simplest to read first."""
    defaults, required = _signature(layer)
    found = _attributes(layer, [*required, *defaults])
    if not set(required) <= set(found):
        return
    dtype = next((p.dtype for p in layer.parameters()), torch.float32)
    if "dtype" in defaults and dtype != torch.float32:
        found["dtype"] = dtype
    shown = {n: v for n, v in found.items() if n in required or not _same(v, defaults.get(n))}
    short = {n: _short(v) for n, v in shown.items()}
    short = {n: v for n, v in short.items() if n in required or not _same(v, defaults.get(n))}
    yield short, required
    yield shown, required
    yield found, required


def equal(a: nn.Module, b: nn.Module) -> bool:
    """Whether two modules are the same but for the values of their weights."""
    if type(a) is not type(b) or set(a._modules) != set(b._modules):
        return False
    tensors = [{n: _outline(t) for n, t in {**m._parameters, **m._buffers}.items()} for m in (a, b)]
    if tensors[0] != tensors[1] or a._non_persistent_buffers_set != b._non_persistent_buffers_set:
        return False
    if not all(_same(a._buffers[n], b._buffers[n]) for n in a._non_persistent_buffers_set):
        return False
    mine, other = _plain(a), _plain(b)
    torch_own = type(a).__module__.startswith("torch.nn.")  # for its layers, 3 and (3, 3) mean the same
    if set(mine) != set(other) or not all(
        _same(_short(v), _short(other[k])) if torch_own else _same(v, other[k]) for k, v in mine.items()
    ):
        return False
    return all(
        (c is None) == (b._modules[n] is None) and (c is None or equal(c, b._modules[n]))  # type: ignore[arg-type]
        for n, c in a._modules.items()
    )


def literal(value: Any) -> str:
    """A plain value as Python source."""
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return f'float("{value}")'
    if value is None or value is Ellipsis or isinstance(value, (bool, int, float, str)):
        plain_text = isinstance(value, str) and repr(value)[1:-1] == value and '"' not in value
        return "..." if value is Ellipsis else f'"{value}"' if plain_text else repr(value)
    if isinstance(value, (torch.dtype, torch.memory_format, torch.layout)):
        return str(value)
    if isinstance(value, torch.device):
        return f"torch.device({str(value)!r})"
    if isinstance(value, tuple):  # torch.Size too
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(k)}: {literal(v)}" for k, v in value.items()) + "}"
    raise CannotWriteError(f"a value of type {type(value).__name__} cannot be written as source")


def empty_tensor(tensor: Tensor) -> str:
    """An expression for an unfilled tensor: its numbers come from the weights file."""
    size = f"{tuple(tensor.shape)!r}" if tensor.dim() != 1 else str(len(tensor))
    dtype = "" if tensor.dtype == torch.float32 else f", dtype={tensor.dtype}"
    empty = f"torch.empty({size}{dtype})"
    if isinstance(tensor, nn.Parameter):
        return f"nn.Parameter({empty}{'' if tensor.requires_grad else ', requires_grad=False'})"
    return empty


def _signature(layer: nn.Module) -> tuple[dict[str, Any], list[str]]:
    """Defaults of the optional arguments, and the names of the required ones."""
    if isinstance(layer, nn.RNNBase) and type(layer).__module__.startswith("torch.nn"):
        names = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        extra = {"proj_size": 0} if isinstance(layer, nn.LSTM) else {}
        kind = {"nonlinearity": "tanh"} if isinstance(layer, nn.RNN) else {}
        return {**names, **extra, **kind, "dtype": None}, ["input_size", "hidden_size"]
    parameters = [
        p
        for p in inspect.signature(type(layer).__init__).parameters.values()
        if p.name not in ("self", "device") and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    required = [p.name for p in parameters if p.default is p.empty]
    return {p.name: p.default for p in parameters if p.default is not p.empty}, required


def _attributes(layer: nn.Module, names: list[str]) -> dict[str, Any]:
    """What the layer was made with, as far as its attributes tell."""
    special: dict[str, Any] = {}
    if isinstance(layer, nn.MultiheadAttention):
        special = {"bias": layer.in_proj_bias is not None, "add_bias_kv": layer.bias_k is not None}
        special |= {k: None for k in ("kdim", "vdim") if getattr(layer, k) == layer.embed_dim}
    elif isinstance(layer, nn.TransformerEncoderLayer):
        activation = {nn.functional.relu: nn.functional.relu, nn.functional.gelu: "gelu"}
        special = {
            "d_model": layer.self_attn.embed_dim,
            "nhead": layer.self_attn.num_heads,
            "dim_feedforward": layer.linear1.out_features,
            "dropout": layer.dropout.p,
            "activation": activation.get(layer.activation, layer.activation),
            "layer_norm_eps": layer.norm1.eps,
            "batch_first": layer.self_attn.batch_first,
            "bias": layer.linear1.bias is not None,
        }
    elif "Pool" in type(layer).__name__ and getattr(layer, "stride", None) == getattr(layer, "kernel_size", 0):
        special = {"stride": None}  # what it is by default
    elif isinstance(getattr(layer, "bias", False), (Tensor, type(None))):
        special = {"bias": layer.bias is not None}
    return {n: special[n] if n in special else getattr(layer, n) for n in names if n in special or hasattr(layer, n)}


def _outline(tensor: Tensor | None) -> tuple[Any, ...] | None:
    return None if tensor is None else (tuple(tensor.shape), tensor.dtype)


def _plain(module: nn.Module) -> dict[str, Any]:
    return {k: v for k, v in vars(module).items() if not k.startswith("_") and k != "training"}


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return isinstance(a, Tensor) and isinstance(b, Tensor) and a.shape == b.shape and bool(torch.equal(a, b))
    if type(a) is not type(b) and not (isinstance(a, (int, float)) and isinstance(b, (int, float))):
        return False
    return a is b or bool(a == b)


def _short(value: Any) -> Any:
    """``3`` for ``(3, 3)``: a convolution's arguments as people write them."""
    if isinstance(value, tuple) and value and all(isinstance(v, int) for v in value) and len(set(value)) == 1:
        return value[0]
    return value


def _written(arguments: dict[str, Any], required: list[str]) -> str:
    leading = [n for n in arguments if n in required][:BY_POSITION]
    if leading != list(arguments)[: len(leading)]:
        leading = []
    return ", ".join(literal(v) if n in leading else f"{n}={literal(v)}" for n, v in arguments.items())


def _assembled(layer: nn.Module, name: str, carried: Carried) -> str:
    """The user's module put together from its parts, when its arguments cannot be told from its attributes."""
    if layer._non_persistent_buffers_set:
        raise CannotWriteError(f"{name} holds buffers that are not saved with its weights")
    carried.definitions.setdefault("assemble", ASSEMBLE)
    parts = {n: constructor(c, carried) for n, c in layer.named_children()}
    tensors = [*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False)]
    parts |= {n: empty_tensor(t) for n, t in tensors}
    for key, value in _plain(layer).items():
        parts[key] = carried.reference(value) if inspect.isroutine(value) else literal(value)
    if any(not key.isidentifier() for key in parts):
        raise CannotWriteError(f"{name} has a part whose name is no Python name")
    return f"assemble({', '.join([name, *(f'{k}={v}' for k, v in parts.items())])})"
