"""The source of one network: a file that a person can read, and that needs nothing but torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from archwright.export.agreement import random_inputs
from archwright.export.carry import CannotWriteError, Carried
from archwright.export.constructor import constructor, empty_tensor
from archwright.export.flat import Flat
from archwright.export.forward import statements

__all__ = ["Words", "write_source"]

WIDTH = 110

DTYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip

READ_WEIGHTS = '''def read_weights(path):
    """Tensors by name from a .safetensors file: the header's length, the header as JSON, then the numbers."""
    data = Path(path).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    weights = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        weights[name] = torch.empty(entry["shape"], dtype=DTYPES[entry["dtype"]])
        if last > first:
            numbers = bytearray(data[start + first : start + last])
            weights[name] = torch.frombuffer(numbers, dtype=DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return weights


def load(folder=Path(__file__).parent):
    """The trained network, in evaluation mode."""
    network = Network()
    network.load_state_dict(read_weights(Path(folder) / "weights.safetensors"))
    return network.eval()'''


@dataclass(frozen=True)
class Words:
    """What the file says about the network beside its code.

    Attributes:
        name: What it was made for.
        costs: Figures by name.
        metrics: Figures by name, as the card has them.
        labels: The class of each output, for a classifier.
        prepared: Whether the card says how raw data becomes an input.
    """

    name: str = ""
    costs: Mapping[str, Any] | None = None
    metrics: Mapping[str, Any] | None = None
    labels: Sequence[Any] | None = None
    prepared: bool = False


def write_source(flat: Flat, input_shape: Sequence[int], dtype: torch.dtype, words: Words) -> str:
    """The text of ``model.py``.

    Raises:
        CannotWriteError: Some part of the network has no source that needs only torch; the message says which.
    """
    carried = Carried()
    example = random_inputs(input_shape, dtype)[1]
    if flat.graph is None:
        return _kept_whole(flat, input_shape, dtype, words, carried)
    body = statements(flat.module, flat.graph, flat.places, example, carried)
    lines = list(_constructor_lines(flat.module, carried))
    name = _free_class(carried)
    code = f"class {name}(nn.Module):\n"
    code += f"    def __init__(self):\n{_block(['super().__init__()', *lines])}\n"
    code += f"    def forward(self, x):\n{_block(body)}"
    return _file(name, code, carried, flat.module, input_shape, dtype, words)


def _kept_whole(flat: Flat, input_shape: Sequence[int], dtype: torch.dtype, words: Words, carried: Carried) -> str:
    """A network that could not be traced: its classes' own source, and a function that makes it."""
    made = constructor(flat.module, carried)
    name = _free_class(carried)
    lines = ['"""The network, its weights not loaded yet."""', f"return {made}"]
    code = f"def {name}():\n{''.join(line + chr(10) for part in lines for line in _broken(part, '    '))}"
    return _file(name, code, carried, flat.module, input_shape, dtype, words)


def _constructor_lines(module: nn.Module, carried: Carried) -> Iterator[str]:
    owners: dict[int, str] = {}
    for name, layer in module.named_children():
        yield f"self.{name} = {constructor(layer, carried)}"
    for name, parameter in module.named_parameters(recurse=False):
        yield f"self.{name} = {empty_tensor(parameter)}"
    for name, buffer in module.named_buffers(recurse=False):
        yield f'self.register_buffer("{name}", {empty_tensor(buffer)})'
    for path, parameter in module.named_parameters(remove_duplicate=False):
        owner = owners.setdefault(id(parameter), path)
        if owner != path and owner.isascii() and not any(w.isdigit() for w in f"{owner}.{path}".split(".")):
            yield f"self.{path} = self.{owner}"


def _free_class(carried: Carried) -> str:
    """``Network``, unless a class of the user's that came along has that name."""
    return next(n for n in ("Network", "ExportedNetwork", "ArchwrightNetwork") if n not in carried.definitions)


def _file(
    name: str,
    code: str,
    carried: Carried,
    module: nn.Module,
    input_shape: Sequence[int],
    dtype: torch.dtype,
    words: Words,
) -> str:
    definitions = "\n\n\n".join([*carried.definitions.values(), code.rstrip()])
    imports = {"import json", "from pathlib import Path", "import torch", "from torch import nn", *carried.imports}
    if "F." in definitions:
        imports.add("import torch.nn.functional as F")
    if "math." in definitions:
        imports.add("import math")
    kinds = dict.fromkeys(t.dtype for t in module.state_dict().values())
    if not set(kinds) <= set(DTYPES):
        raise CannotWriteError(f"weights of type {next(iter(set(kinds) - set(DTYPES)))} cannot be written")
    table = ", ".join(f'"{DTYPES[k]}": {k}' for k in kinds or [torch.float32])
    future = "from __future__ import annotations\n\n" if carried.definitions else ""
    return (
        f'"""{_docstring(module, input_shape, dtype, words)}"""\n\n{future}'
        + _import_block(imports)
        + f"\n\nDTYPES = {{{table}}}\n\n\n{definitions}\n\n\n{READ_WEIGHTS.replace('Network()', name + '()')}\n\n\n"
        + _main(input_shape, dtype)
    )


def _import_block(lines: set[str]) -> str:
    """The standard library's, then torch's; each sorted as import sorters do."""
    ours = sorted((i for i in lines if i.split()[1].split(".")[0] == "torch"), key=lambda i: (i[0] == "f", i))
    standard = sorted(lines - set(ours), key=lambda i: (i[0] == "f", i))
    return "\n".join(standard) + "\n\n" + "\n".join(ours)


def _docstring(module: nn.Module, input_shape: Sequence[int], dtype: torch.dtype, words: Words) -> str:
    shape = ", ".join(["batch", *map(str, input_shape)])
    parameters = sum(p.numel() for p in module.parameters())
    lines = [
        f"A network of {parameters:,} parameters{f' for {words.name}' if words.name else ''}, found by archwright.",
        "",
        f"Input:   ({shape}), {str(dtype).removeprefix('torch.')}"
        + (", prepared as card.json says" if words.prepared else ""),
    ]
    if words.labels:
        shown = ", ".join(map(str, words.labels[:12])) + (", ..." if len(words.labels) > 12 else "")
        lines.append(f"Output:  a score for each class: {shown}")
    if words.costs:
        lines.append("Costs:   " + ", ".join(f"{k} {_figure(v)}" for k, v in words.costs.items()))
    for name, value in (words.metrics or {}).items():
        lines.append(f"Metric:  {name} {_figure(value)}")
    lines += ["", "    from model import load", "    network = load()", ""]
    text = "\n".join(part for line in lines for part in (_folded(line) if len(line) > WIDTH else [line]))
    return text.replace("\\", "\\\\").replace('"""', "'''")


def _folded(line: str) -> list[str]:
    cut = line.rfind(" ", 0, WIDTH)
    return [line] if cut < 10 else [line[:cut], *(_folded(" " * 9 + line[cut + 1 :]))]


def _figure(value: Any) -> str:
    if isinstance(value, Mapping):
        shown = {k: v for k, v in value.items() if not isinstance(v, (list, tuple)) or k == "interval"}
        return ", ".join(f"{k} {_figure(v)}" for k, v in shown.items())
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() else f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{_figure(value[0])} to {_figure(value[1])}" if _is_pair(value) else str(value)


def _is_pair(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and all(isinstance(v, (int, float)) for v in value)


def _main(input_shape: Sequence[int], dtype: torch.dtype) -> str:
    size = ", ".join(map(str, (1, *input_shape)))
    made = f"torch.randn({size})" if dtype == torch.float32 else f"torch.zeros({size}, dtype={dtype})"
    return (
        f'if __name__ == "__main__":\n    example = {made}\n    with torch.no_grad():\n        print(load()(example))\n'
    )


def _block(lines: Sequence[str]) -> str:
    return "".join(f"{part}\n" for line in lines for part in _broken(line, " " * 8))


def _broken(line: str, indent: str) -> list[str]:
    """A line too long, with the arguments of its last call one below the other."""
    if len(indent) + len(line) <= WIDTH or line.startswith("#") or not line.endswith(")"):
        return [indent + line]
    opening = _matching(line)
    inside = line[opening + 1 : -1]
    return [
        indent + line[: opening + 1],
        *(part for a in _arguments(inside) for part in _broken_argument(a, indent + "    ")),
        indent + ")",
    ]


def _broken_argument(argument: str, indent: str) -> list[str]:
    parts = _broken(argument, indent)
    return [*parts[:-1], parts[-1] + ","]


def _matching(line: str) -> int:
    depth = 0
    for i in range(len(line) - 1, -1, -1):
        depth += (line[i] in ")]}") - (line[i] in "([{")
        if depth == 0:
            return i
    return line.index("(")


def _arguments(inside: str) -> list[str]:
    parts, depth, start, quote = [], 0, 0, ""
    for i, c in enumerate(inside):
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == "," and depth == 0:
            parts.append(inside[start:i].strip())
            start = i + 1
    return [*parts, inside[start:].strip()] if inside[start:].strip() else parts
