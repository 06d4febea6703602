"""``archwright export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archwright.cli import console, learning, options, places
from archwright.cli.guard import interruptible
from archwright.cli.invocation import examples
from archwright.errors import ExportError

if TYPE_CHECKING:
    from archwright.export import Card
    from archwright.store import Run
    from archwright.trial import Trial

__all__ = ["COMMANDS"]

FORMS = ("weights", "source", "onnx", "pt2")

EXAMPLES = examples(
    {
        "archwright export runs/digits --to phone/ --forms onnx": "the chosen network once more, as ONNX alone",
        "archwright export runs/digits --trial 12": "another trial's network: trained anew, then written to "
        "runs/digits/trial-12",
    }
)


def export(
    where: options.Out,
    trial: Annotated[
        int | None, typer.Option(metavar="N", help="Another network than the chosen one: train this trial's anew.")
    ] = None,
    forms: Annotated[
        list[str] | None,
        typer.Option(metavar="FORMS", help=f"Some of {', '.join(FORMS)}, with commas between. Default: all."),
    ] = None,
    to: options.ToFolder = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the training of another trial.")] = 0,
    run: options.Run = None,
    data: options.MovedData = None,
    as_json: options.AsJson = False,
) -> None:
    """Write a network's files: the chosen one's again, or those of any other trial.

    Each form is run and compared with the original before it is written.
    """
    wanted = [part.strip() for text in forms or [] for part in text.split(",") if part.strip()] or list(FORMS)
    folder = Path(where).expanduser()
    with interruptible():
        if trial is None:
            target = to or folder
            card = _again(folder, target, wanted)
        else:
            place = places.find(where)
            target = to or place.folder / f"trial-{trial}"
            card = _anew(place, run, trial, target, wanted, seed, data)
    if as_json:
        console.emit(card.to_json())
        return
    from archwright.cli.telling import files_table

    console.out().print(files_table(places.Place(target, target / places.STORE), card.to_json()))


def _again(folder: Path, target: Path, forms: list[str]) -> Card:
    """The chosen network from its own files."""
    if folder.is_dir() and not (folder / "card.json").is_file() and (folder / places.STORE).is_file():
        raise ExportError(
            f"{folder} has no network yet: its search ended before the final choice. Go on with archwright resume "
            f"{folder}, or train a trial's network with --trial N"
        )
    with console.Waiting() as waiting:
        waiting.on("loading torch")
        import torch

        from archwright.cli.network import exported_network
        from archwright.export import export as write

        network, card = exported_network(folder)
        waiting.on("writing and checking each form")
        return write(
            network,
            target,
            input_shape=card.input_shape,
            card=card,
            forms=forms,
            dtype=getattr(torch, card.input_dtype),
        )


def _anew(
    place: places.Place, name: str | None, number: int, target: Path, forms: list[str], seed: int, data: str | None
) -> Card:
    """A trial's network, trained on training and validation part together."""
    with console.Waiting() as waiting:
        waiting.on("reading the data")
        from archwright.cli.network import training_of
        from archwright.cli.stored import open_run
        from archwright.export import export as write
        from archwright.report.wording import plural

        with open_run(place, name) as (store, run):
            found = store.trial(run.id, number).trial
        task, space = learning.same_problem(run, data)
        training = training_of(run, task, space)
        epochs = int(run.meta["full_epochs"])
        said = f"training the network of trial {number} for {plural(epochs, 'epoch')}"
        waiting.on(said)
        if not console.err().is_terminal:
            console.note(said)
        module, _ = training.fit(found.architecture, seed, "train+validation", epochs)
        waiting.on("writing and checking each form")
        return write(
            module,
            target,
            input_shape=task.input_shape,
            card=_card(run, found, task, seed, training.costs(found.architecture, ("params", "macs", "bytes"))),
            forms=forms,
            dtype=task.input_dtype,
            examples=task.validation.inputs[:32],
        )


def _card(run: Run, trial: Trial, task: Any, seed: int, costs: dict[str, float]) -> Card:
    from archwright.export import Card

    measured = trial.measurement
    return Card(
        name=task.name,
        task=task.describe(),
        architecture=dict(trial.architecture),
        costs={**costs, **(measured.costs if measured else {})},
        metrics={"validation": dict(measured.metrics) if measured else {}},
        preparation=task.preparation.to_json(),
        seed=seed,
        command=str(run.meta.get("command", "")) or None,
        notes={
            "trial": trial.number,
            "trained": "anew, on the training and the validation part; never measured on the test part",
        },
    )


COMMANDS: list[tuple[Any, str, str]] = [(export, "Use the network", EXAMPLES)]
