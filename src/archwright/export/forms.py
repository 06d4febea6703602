"""The forms in which a network leaves: each is made as bytes, and read back from its file as a user would."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from archwright.errors import ExportError, MissingExtraError
from archwright.export.quiet import quiet

__all__ = ["FILES", "LOADING", "open_form", "write_onnx", "write_pt2", "write_weights"]

FILES = {"weights": "weights.safetensors", "source": "model.py", "onnx": "model.onnx", "pt2": "model.pt2"}
"""The file of each form."""

LOADING = {
    "weights": 'safetensors.torch.load_file("weights.safetensors")',
    "source": "from model import load; network = load()    # beside weights.safetensors; needs torch alone",
    "onnx": 'onnxruntime.InferenceSession("model.onnx").run(None, {"input": array})[0]',
    "pt2": 'network = torch.export.load("model.pt2").module()',
}
"""How to load each form, in Python."""

TRACED_BATCH = 3
"""The batch that exporters trace with: one that no layer takes for a special case, as it would 0 or 1."""

MOST_STEPS = 1000
"""Exporters follow a recurrent layer step by step, at 0.02 to 0.07 s each: more steps than this would take minutes."""

Runs = Callable[[Tensor], Any]


def write_weights(network: nn.Module) -> bytes:
    """All weights by name as a ``.safetensors`` file. Tensors that share memory are written once for each name."""
    from safetensors.torch import save

    return save({name: t.detach().clone().contiguous() for name, t in network.state_dict().items()})


def exported(network: nn.Module, input_shape: Sequence[int], dtype: torch.dtype) -> torch.export.ExportedProgram:
    """The network as an exported program whose batch may have any size.

    Raises:
        ExportError: Its recurrent layers take more than `MOST_STEPS` steps on one input.
    """
    example = torch.zeros(TRACED_BATCH, *input_shape, dtype=dtype)
    steps = recurrent_steps(network, example)
    if steps > MOST_STEPS:
        raise ExportError(
            f"its recurrent layers take {steps:,} steps, which exporters follow one by one: more than {MOST_STEPS:,} "
            "would take minutes. The source form has no such limit"
        )
    with quiet(), torch.no_grad():
        return torch.export.export(network, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))


def recurrent_steps(network: nn.Module, example: Tensor) -> int:
    """Over how many positions the recurrent layers go, layers and directions counted one by one."""
    counted = []

    def count(layer: nn.Module, given: tuple[Any, ...]) -> None:
        assert isinstance(layer, nn.RNNBase)
        length = given[0].shape[1 if layer.batch_first and given[0].dim() == 3 else 0]
        counted.append(length * layer.num_layers * (2 if layer.bidirectional else 1))

    recurrent = [part for part in network.modules() if isinstance(part, nn.RNNBase)]
    hooks = [part.register_forward_pre_hook(count) for part in recurrent]
    try:
        if recurrent:
            with torch.no_grad():
                network(example)
    finally:
        for hook in hooks:
            hook.remove()
    return sum(counted)


def write_pt2(program: torch.export.ExportedProgram) -> bytes:
    """The program as a ``.pt2`` file."""
    file = io.BytesIO()
    with quiet():
        torch.export.save(program, file)
    return file.getvalue()


def write_onnx(program: torch.export.ExportedProgram) -> bytes:
    """The program as an ONNX file, with ``input`` and ``output`` (or ``output_0``, ``output_1``...) by name.

    Raises:
        MissingExtraError: onnx, onnxscript or onnxruntime is not installed.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, extra="onnx", purpose="to write and check model.onnx")
    example = program.example_inputs
    count = len(program.graph_signature.user_outputs)
    names = ["output"] if count == 1 else [f"output_{i}" for i in range(count)]
    with quiet():
        written = torch.onnx.export(
            program,
            example[0] if example else (),
            dynamo=True,
            verbose=False,
            input_names=["input"],
            output_names=names,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )
        assert written is not None  # dynamo=True returns the program
        return bytes(written.model_proto.SerializeToString())


def open_form(folder: Path, form: str) -> Runs:
    """Read a form from its file and return what runs it: a batch in, the network's outputs out.

    ``source`` executes the folder's model.py: open only folders that you trust.
    """
    path = folder / FILES[form]
    if not path.is_file():
        raise ExportError(f"{folder} has no {FILES[form]}: it was not exported, or was removed")
    if form == "onnx" and importlib.util.find_spec("onnxruntime") is None:
        raise MissingExtraError("onnxruntime", extra="onnx", purpose="to run model.onnx")
    try:
        return {"source": _open_source, "onnx": _open_onnx, "pt2": _open_pt2}[form](path)
    except Exception as error:  # any of three loaders, and the source is any Python
        raise ExportError(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error


def _open_source(path: Path) -> Runs:
    space: dict[str, Any] = {"__name__": "exported_model", "__file__": str(path.absolute())}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), space)
    network: nn.Module = space["load"](path.parent.absolute())
    return network


def _open_pt2(path: Path) -> Runs:
    with quiet():
        return torch.export.load(path).module()


def _open_onnx(path: Path) -> Runs:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # its C++ code writes to the terminal by itself
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(x: Tensor) -> list[Tensor]:
        return [torch.from_numpy(a) for a in session.run(None, {name: x.numpy()})]

    return run
