"""Weights on disk, so that a later trial goes on where an earlier one stopped."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

import torch

from archwright.errors import EvaluationError
from archwright.evaluator.evaluator import path_of
from archwright.evaluator.loop import Best, State
from archwright.space import Architecture

__all__ = ["path_of", "restore", "save", "write"]


def save(path: Path, state: State, architecture: Architecture) -> None:
    """Write `state` whole or not at all: a file of that name is always complete.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    values = {
        "architecture": architecture.to_json(),
        "epoch": state.epoch,
        "module": state.module.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "average": None if state.average is None else state.average.module.state_dict(),
        "updates": 0 if state.average is None else state.average.updates,
        "best": None if state.best is None else vars(state.best),
    }
    write(path, values)


def write(path: Path, values: dict[str, Any]) -> None:
    """Write values that torch saves, whole or not at all.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            torch.save(values, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, RuntimeError):  # how torch reports a failed write
            raise OSError(f"cannot write {path}: {error}") from error
        raise


def restore(path: Path, state: State, architecture: Architecture) -> bool:
    """Bring `state`, a fresh one for `architecture`, to where the file left off; False where there is no file.

    Raises:
        EvaluationError: the file cannot be read, or holds another architecture.
    """
    try:
        values: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return False
    except Exception as error:
        raise EvaluationError(f"{path} cannot be read as weights ({type(error).__name__}: {error})") from error
    if Architecture.from_json(values["architecture"]) != architecture:
        raise EvaluationError(f"{path} holds the weights of another architecture: {values['architecture']}")
    state.module.load_state_dict(values["module"])
    state.optimizer.load_state_dict(values["optimizer"])
    if state.average is not None:
        state.average.module.load_state_dict(values["average"] or values["module"])
        state.average.updates = values["updates"]
    state.epoch = values["epoch"]
    state.best = None if values["best"] is None else Best(**values["best"])
    return True
