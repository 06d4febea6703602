"""Networks of earlier searches: the exported one of a folder, and that of any trial."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from archwright.errors import ExportError

if TYPE_CHECKING:
    from torch import nn

    from archwright.evaluator import Training
    from archwright.export import Card
    from archwright.space import Space
    from archwright.store import Run
    from archwright.task import Task

__all__ = ["exported_network", "training_of"]


def exported_network(folder: Path) -> tuple[nn.Module, Card]:
    """The trained network of a folder, by its ``model.py``, and its card.

    Raises:
        ExportError: There is none, or it was changed since it was written.
    """
    from archwright.export import read_card
    from archwright.export.forms import FILES, open_form
    from archwright.export.writing import digest

    card = read_card(folder)
    for form in ("source", "weights"):
        file, path = card.file(form), folder / FILES[form]
        if file is None:
            raise ExportError(
                f"{folder} has no {path.name} ({card.left_out.get(form, 'it was not asked for')}): train the network "
                f"anew with archwright export {folder} --trial N"
            )
        if not path.is_file() or digest(path) != file.sha256:
            raise ExportError(
                f"{path} changed since it was exported, or is gone: train the network anew with archwright export "
                f"{folder} --trial N"
            )
    network: Any = open_form(folder, "source")
    return network, card


def training_of(run: Run, task: Task, space: Space) -> Training:
    """The training that a run's trials had, for the same task and space.

    Raises:
        ResumeError: The space or the data have changed since; the message shows how.
    """
    from archwright.evaluator import Recipe, Training
    from archwright.run.settings import check_same_space, check_same_task

    check_same_space(run.meta["space"], space)
    check_same_task(run.meta["task"], task)
    return Training(space, task, Recipe.from_json(run.meta["recipe"]), device=run.meta.get("device", "auto"))
