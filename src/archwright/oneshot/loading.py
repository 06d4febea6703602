"""A trained supernet read back from the checkpoint of its run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from archwright.errors import ResumeError
from archwright.oneshot.options import objectives_for
from archwright.oneshot.result import Result
from archwright.oneshot.session import FILE
from archwright.supernet import Supernet

if TYPE_CHECKING:
    from archwright.space import Space
    from archwright.task import Task

__all__ = ["load"]


def load(folder: str | os.PathLike[str], space: Space, task: Task, *, metric: str | None = None) -> Result:
    """The supernet whose training wrote a checkpoint into `folder`, as a result without anything read out.

    What it is for: `Result.evaluator`, `Result.subnet` of an architecture, and `archwright.oneshot.trust`; nothing is
    trained and no architecture chosen.

    Args:
        folder: As it was given to the algorithm.
        space: The space of then.
        task: The task of then.
        metric: What to rank by; the task's own by default.

    Raises:
        ResumeError: There is no checkpoint, it cannot be read, or it is of another space.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        raise ResumeError(f"{folder} holds no supernet: there is no {FILE} in it. Train one first")
    try:
        values: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        same, weights = values["same"], values["parts"]["supernet"]
    except Exception as error:
        raise ResumeError(f"{path} cannot be read as a checkpoint ({type(error).__name__}: {error})") from error
    if same["space"] != space.fingerprint:
        raise ResumeError(f"{path} is of another space than the one given: give the space that it was trained on")
    supernet = Supernet(space, task.input_shape)
    supernet.load_state_dict(weights)
    return Result(
        algorithm=same["algorithm"].strip("'"),
        task=task,
        supernet=supernet,
        top=(),
        history=(),
        stopped=values["stopped"],
        metric=metric or objectives_for(None, task).goals[0].metric,
        seconds=values["seconds"],
    )
