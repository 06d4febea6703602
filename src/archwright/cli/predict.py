"""``archwright predict``."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from archwright.cli import console, options
from archwright.cli.invocation import examples
from archwright.errors import ExportError

if TYPE_CHECKING:
    from archwright.export import Prediction

__all__ = ["COMMANDS"]

EXAMPLES = examples(
    {
        "archwright predict runs/digits new.npz": "answers for the array x of new.npz",
        "archwright predict runs/photos inbox/ --csv answers.csv": "a folder of images, all answers into a table",
        "archwright predict runs/streets new/ --masks found/": "a class for each pixel: masks as PNG files",
        "archwright predict runs/cells new/ --boxes drawn/ --json": "things: their boxes, also drawn into the images",
        "archwright predict runs/faces --samples 64 --out grid.png": "64 new images of a network that makes some",
        "archwright predict runs/digits new.npz --form onnx --json": "through ONNX Runtime, for a program",
    }
)


def predict(
    where: options.Out,
    data: options.NewData = None,
    form: Annotated[
        str | None,
        typer.Option(metavar="FORM", help="Which to run: source, pt2, onnx. Default: the first that is there."),
    ] = None,
    table: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="All answers into a file; '-' is standard output.")
    ] = None,
    as_json: options.AsJson = False,
    n: Annotated[int, typer.Option("-n", metavar="N", help="How many answers to show.")] = 20,
    tokens: Annotated[
        int, typer.Option(metavar="N", help="How many tokens a language model goes on with each text for.")
    ] = 200,
    temperature: Annotated[
        float, typer.Option(metavar="T", help="How freely it writes; 0 takes the likeliest token each time.")
    ] = 0.8,
    masks: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Of a network that says a class for each pixel: all masks as PNG files."),
    ] = None,
    boxes: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Of a network that finds things: all images with boxes drawn, as PNG files."
        ),
    ] = None,
    samples: Annotated[
        int | None, typer.Option(metavar="N", help="Of a network that makes images: how many to make, instead of DATA.")
    ] = None,
    grid: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="All images that were made, side by side in one file.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of what is drawn: texts that go on, and images.")] = 0,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Refuse files that changed since they were exported.")
    ] = True,
) -> None:
    """Answers for new data from the network of a search.

    The form 'source' runs the folder's model.py: use only folders that you trust.
    """
    with console.Waiting() as waiting:
        waiting.on("loading the network")
        from archwright.export import predict as answer

        answers = answer(
            where, data, form=form, verify=verify, tokens=tokens, temperature=temperature, seed=seed, samples=samples
        )
    if grid is not None:
        from archwright.export import save_grid

        save_grid(answers, grid)
        console.err().print(f"{len(answers):,} images in {grid}")
    if masks is not None:
        for one in answers:
            one.save_mask(masks)
        console.err().print(f"{len(answers):,} masks in {masks}")
    if boxes is not None:
        for one in answers:
            one.save_drawing(boxes)
        console.err().print(f"{len(answers):,} images with boxes in {boxes}")
    if as_json:
        console.emit({"out": where, "data": data, "predictions": [a.to_json() for a in answers]})
    if table is not None:
        with _opened(table) as file:
            _write_csv(answers, file)
        if str(table) != "-":
            console.err().print(f"{len(answers):,} answers in {table}")
    elif not as_json:
        _show(answers, n)


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    if str(path) == "-":
        yield sys.stdout
        return
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise ExportError(f"{path} cannot be written ({error.strerror}): give another file to --csv") from None


def _rows(answers: Sequence[Prediction]) -> tuple[list[str], list[list[Any]]]:
    """A header, and a row for each answer: label and probability, or one column for each value."""
    if any(a.label is not None for a in answers):
        return ["sample", "label", "probability"], [[a.sample, a.label, a.probability] for a in answers]
    if answers and all(isinstance(a.value, dict) for a in answers):
        return _rows_by_name(answers)
    if any(a.drawing is not None for a in answers):
        return _rows_of_boxes(answers)
    values = [list(a.value) if isinstance(a.value, (list, tuple)) else [a.value] for a in answers]
    wide = max(map(len, values), default=1)
    header = ["value"] if wide == 1 else [f"value_{i}" for i in range(wide)]
    return ["sample", *header], [[a.sample, *row] for a, row in zip(answers, values, strict=True)]


def _rows_of_boxes(answers: Sequence[Prediction]) -> tuple[list[str], list[list[Any]]]:
    """A row for each thing that was found; an image that shows none has none."""
    rows = [[a.sample, b["label"], b["score"], *b["box"]] for a in answers for b in a.value]
    return ["sample", "label", "score", "left", "top", "right", "bottom"], rows


def _rows_by_name(answers: Sequence[Prediction]) -> tuple[list[str], list[list[Any]]]:
    """Values by name: of forecasts a row for each step, counted from 1; of single numbers a row for each sample."""
    names = list(answers[0].value)
    if not isinstance(answers[0].value[names[0]], list):
        return ["sample", *names], [[a.sample, *a.value.values()] for a in answers]
    steps = [(a.sample, i, row) for a in answers for i, row in enumerate(zip(*a.value.values(), strict=True), start=1)]
    return ["sample", "step", *names], [[sample, i, *row] for sample, i, row in steps]


def _write_csv(answers: Sequence[Prediction], file: TextIO) -> None:
    header, rows = _rows(answers)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)


def _show(answers: Sequence[Prediction], n: int) -> None:
    """The first answers, and how often each label was given."""
    from rich.table import Table
    from rich.text import Text

    header, rows = _rows(answers)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in header:
        table.add_column(name, justify="right" if name != "sample" and name != "label" else "left")
    for row in rows[: max(0, n)]:
        table.add_row(*(Text(f"{cell:.4f}" if isinstance(cell, float) else str(cell)) for cell in row))
    shown = console.out()
    shown.print(table)
    if len(rows) > n:
        shown.print(Text(f"... and {len(rows) - n:,} more: --csv FILE or --json gives them all", style="dim"))
    if "label" in header and len(rows) > 1:
        counts = Counter(str(row[header.index("label")]) for row in rows).most_common()
        listed = ", ".join(f"{label} {count:,}" for label, count in counts[:12]) + (", ..." if len(counts) > 12 else "")
        shown.print(Text(f"{len(rows):,} answers: {listed}"))


COMMANDS: list[tuple[Any, str, str]] = [(predict, "Use the network", EXAMPLES)]
