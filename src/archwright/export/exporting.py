"""From a trained network to a folder that can be given away: every form run and compared before it is written."""

from __future__ import annotations

import importlib.metadata
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from archwright.errors import ArchwrightError, ExportError, did_you_mean
from archwright.export.agreement import TOLERANCE, Agreement, agree, random_inputs, tensors
from archwright.export.card import CARD, Card, File, card_text
from archwright.export.flat import Flat, flatten, ready
from archwright.export.forms import FILES, LOADING, exported, open_form, write_onnx, write_pt2, write_weights
from archwright.export.source import Words, write_source
from archwright.export.writing import Staging, digest, staging

__all__ = ["FORMS", "export"]

FORMS = ("weights", "source", "onnx", "pt2")


def export(
    module: nn.Module,
    folder: str | Path,
    *,
    input_shape: Sequence[int],
    card: Card | None = None,
    forms: Sequence[str] = FORMS,
    dtype: torch.dtype = torch.float32,
    examples: Tensor | None = None,
) -> Card:
    """Write a trained network into a folder, each form checked against the original.

    A form that cannot be made, or whose outputs differ from the original's by more than a ten-thousandth of the
    greatest output, is left out, and the card says why: one form's failure never costs the others.

    Args:
        module: The network; it is neither changed nor moved.
        folder: Made if needed. Files of an earlier export in it are replaced, others are left alone.
        input_shape: One input, without the batch.
        card: What is known about the network; its file fields are filled in.
        forms: Some of ``weights``, ``source`` (which brings the weights with it), ``onnx``, ``pt2``.
        dtype: What the network reads, float32 or int64.
        examples: Some prepared inputs, (n, *input_shape), to compare on beside random ones.

    Returns:
        The card as written.

    Raises:
        ExportError: The network does not run, or the folder cannot be written; nothing is left half-written.
    """
    for form in forms:
        if form not in FORMS:
            raise ExportError(f"no form is called {form!r}. {did_you_mean(form, FORMS)}")
    shape = tuple(int(n) for n in input_shape)
    wanted = [f for f in FORMS if f in forms or (f == "weights" and "source" in forms)]
    original = ready(module, shape, dtype)
    flat = flatten(original, shape, dtype=dtype)
    inputs = list(random_inputs(shape, dtype))
    if examples is not None and len(examples):
        if tuple(examples.shape[1:]) != shape:
            raise ExportError(
                f"examples have shape {tuple(examples.shape)}: allowed is (n, {', '.join(map(str, shape))})"
            )
        inputs.append(examples[:64].to(dtype=dtype, device="cpu"))
    with torch.no_grad():
        outputs = list(tensors(original(inputs[0])))
    card = card or Card()
    card = replace(
        card,
        labels=card.labels or _labels(card.preparation),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        input_shape=shape,
        input_dtype=str(dtype).removeprefix("torch."),
        output_shape=tuple(outputs[0].shape[1:]) if len(outputs) == 1 else (),
        versions=_versions(),
    )
    with staging(Path(folder)) as stage:
        writer = _Writer(original, flat, card, dtype, inputs, stage)
        files, left_out = [], {}
        for form in wanted:
            result = writer.write(form)
            if isinstance(result, File):
                files.append(result)
            else:
                left_out[form] = result
        card = replace(card, files=tuple(files), left_out=left_out)
        stage.write(CARD, card_text(card).encode())
        stage.publish(last=CARD, also=tuple(FILES.values()))
    return card


class _Writer:
    """Makes each form, and compares what its file gives with the original."""

    def __init__(
        self, original: nn.Module, flat: Flat, card: Card, dtype: torch.dtype, inputs: list[Tensor], stage: Staging
    ):
        self.original, self.flat, self.card, self.dtype = original, flat, card, dtype
        self.inputs, self.stage = inputs, stage
        self._program: torch.export.ExportedProgram | None = None

    def write(self, form: str) -> File | str:
        """The file, or why there is none. Only the disk's own errors are raised."""
        started = time.perf_counter()
        makers: dict[str, Callable[[], bytes]] = {
            "weights": lambda: write_weights(self.flat.module),
            "source": self._source,
            "onnx": lambda: write_onnx(self.program),
            "pt2": lambda: write_pt2(self.program),
        }
        try:
            content = makers[form]()
        except ArchwrightError as error:
            return str(error)
        except Exception as error:  # three exporters and the user's own code: any of them may raise anything
            if type(error).__name__ == "GuardOnDataDependentSymNode":
                return "its Python code branches on the values of the data, which torch.export cannot follow"
            return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        path = self.stage.write(FILES[form], content)
        try:
            figure = self._compare(form)
        except Exception as error:
            self.stage.drop(path.name)
            return f"it cannot be run: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
        if not figure.passed:
            self.stage.drop(path.name)
            return (
                f"its outputs differ from the original's by up to {figure.difference:.3g}, more than "
                f"{TOLERANCE * figure.scale:.3g} ({TOLERANCE:g} of the greatest output, {figure.scale:.3g})"
            )
        seconds = round(time.perf_counter() - started, 3)
        return File(path.name, form, len(content), digest(path), figure.to_json(), LOADING[form], seconds)

    @property
    def program(self) -> torch.export.ExportedProgram:
        """The exported program, made once for the two forms that need it."""
        if self._program is None:
            self._program = exported(self.flat.module, self.card.input_shape, self.dtype)
        return self._program

    def _source(self) -> bytes:
        labels, preparation = self.card.labels, self.card.preparation
        words = Words(self.card.name, self.card.costs, self.card.metrics, labels, preparation is not None)
        return write_source(self.flat, self.card.input_shape, self.dtype, words).encode()

    def _compare(self, form: str) -> Agreement:
        if form != "weights":
            return agree(self.original, open_form(self.stage.folder, form), self.inputs)
        from safetensors.torch import load_file

        weights = load_file(self.stage.folder / FILES[form])
        call, network = torch.func.functional_call, self.flat.module
        return agree(self.original, lambda x: call(network, weights, (x,), tie_weights=False), self.inputs)


def _labels(preparation: Mapping[str, Any] | None) -> tuple[Any, ...] | None:
    """The classes that a preparation names, if it is a classifier's."""
    targets = (preparation or {}).get("targets") or {}
    return tuple(targets["labels"]) if targets.get("labels") else None


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("archwright", "torch", "safetensors", "onnx", "onnxscript", "onnxruntime"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
