"""The options of the commands, each with its help; commands name them as the types of their arguments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from archwright.cli import names
from archwright.cli.oneshot import ONESHOT
from archwright.cli.strategy import STRATEGIES

MOST_WORKERS = 8
DEFAULT_BUDGET = "5m"


def _option(help: str, metavar: str | None, panel: str | None, *flags: str, complete: Callable[..., Any] | None = None):  # type: ignore[no-untyped-def]
    return typer.Option(
        *flags, help=help, metavar=metavar, rich_help_panel=panel, autocompletion=complete, show_default=True
    )


def _argument(help: str, metavar: str, complete: Callable[..., Any] | None = None):  # type: ignore[no-untyped-def]
    return typer.Argument(help=help, metavar=metavar, autocompletion=complete, show_default=False)


# Where

Data = Annotated[
    str,
    _argument(
        "A name (see 'archwright tasks'), a folder with one folder of images or sounds a class or with images and "
        "masks, an .npz, a .csv or .parquet.",
        "DATA",
        names.complete_data,
    ),
]
Out = Annotated[str, _argument("The folder of a search.", "OUT", names.complete_run)]
AnyOut = Annotated[str | None, _argument("The folder of a search, or its store.", "OUT", names.complete_run)]
NewData = Annotated[
    str | None,
    _argument(
        "An image or a sound, a folder of them, a .csv, .parquet, .npy, or .npz with x, for texts a .txt: raw, as for "
        "training. Of a network that makes images: --samples instead.",
        "[DATA]",
        names.complete_data,
    ),
]
Run = Annotated[str | None, _option("Which run, where the store holds several. Default: the newest.", "NAME", None)]
MovedData = Annotated[
    str | None,
    _option("Where the data are now, if they have moved.", "DATA", None, complete=names.complete_data),
]
AsJson = Annotated[bool, _option("The result as JSON on standard output.", None, None, "--json")]
Quiet = Annotated[bool, _option("No progress.", None, None, "--quiet", "-q")]

# Budget

_BUDGET = "Budget"
Budget = Annotated[
    str | None,
    _option(
        f"Time for everything, as 90s, 2m, 1h30m; or '100 trials'. Default: {DEFAULT_BUDGET}, if no other is given.",
        "TIME",
        _BUDGET,
    ),
]
MoreBudget = Annotated[
    str | None,
    _option("A new budget, what was spent included: 20m, '200 trials'. Default: the old one.", "TIME", _BUDGET),
]
Trials = Annotated[str | None, _option("At most so many trials.", "N", _BUDGET)]
Epochs = Annotated[str | None, _option("At most so many epochs over all trials.", "N", _BUDGET)]
Timeout = Annotated[str | None, _option("A trial that takes longer fails: 30s, 5m.", "TIME", _BUDGET)]
MemoryLimit = Annotated[str | None, _option("A trial whose worker uses more fails: 2GB.", "SIZE", _BUDGET)]

# Goals and ceilings

_GOALS = "Goals and ceilings"
Maximize = Annotated[
    list[str] | None,
    _option("A metric or cost to make large; repeatable. Default: the task's own metric.", "METRIC", _GOALS),
]
Minimize = Annotated[
    list[str] | None,
    _option("A metric or cost to make small, such as latency_ms; repeatable.", "METRIC", _GOALS),
]
MaxParams = Annotated[str | None, _option("Parameters at most: 50k.", "N", _GOALS)]
MaxMacs = Annotated[str | None, _option("Multiply-adds of one inference at most: 2M.", "N", _GOALS)]
MaxBytes = Annotated[str | None, _option("Size at most: 200KB.", "SIZE", _GOALS)]
MaxPeakMemory = Annotated[str | None, _option("Memory of activations at most: 64KB.", "SIZE", _GOALS)]
MaxLatency = Annotated[str | None, _option("Time of one inference here at most: 5ms.", "TIME", _GOALS)]
MaxGap = Annotated[
    str | None,
    _option("Gap between groups of --group at most, of the task's metric or another: 0.05, f1=0.1.", "GAP", _GOALS),
]

# How to search

_HOW = "How to search"
Space = Annotated[
    str | None,
    _option(
        "What to search (see 'archwright spaces'). Default: the task's own.",
        "NAME",
        _HOW,
        complete=names.complete_space,
    ),
]
Strategy = Annotated[
    str,
    _option(
        f"What decides: {', '.join(STRATEGIES)}; or, with a supernet first, {', '.join(ONESHOT)}.",
        "NAME",
        _HOW,
        complete=names.complete_strategy,
    ),
]
Workers = Annotated[
    int | None,
    _option(f"Processes that train, one thread each. Default: usable CPUs, at most {MOST_WORKERS}.", "N", _HOW),
]
MoreWorkers = Annotated[int | None, _option("Processes that train. Default: as many as before.", "N", _HOW)]
Seed = Annotated[int, _option("All randomness is a function of it.", "N", _HOW)]
Deterministic = Annotated[bool, _option("Same history, whichever worker is faster.", None, _HOW, "--deterministic")]
SupernetEpochs = Annotated[
    int | None,
    _option("How long a one-shot algorithm trains its supernet. Default: as the time allows, else 20.", "N", _HOW),
]
TrainEpochs = Annotated[
    int | None, _option("How long a network is trained. Default: 60, fewer where time is short.", "N", _HOW)
]
Baseline = Annotated[
    bool | None,
    _option(
        "Random search beside it, for comparison. Default: from a budget of 20 minutes on.",
        None,
        _HOW,
        "--baseline/--no-baseline",
    ),
]
WarmStart = Annotated[
    str | None,
    _option(
        "The folder of an earlier search of the same space: begin with its trials, or, where its data were others, "
        "with its best architectures.",
        "OUT",
        _HOW,
        complete=names.complete_run,
    ),
]

# Data

_DATA = "Data"
Target = Annotated[
    str | None, _option("The column to predict; several as a,b. Default: the last one.", "COLUMN", _DATA)
]
Kind = Annotated[
    str | None,
    _option(
        "What a file holds, where that is not plain: images, generation, segmentation, detection, sequences, audio, "
        "speech, text, translation, language, forecast, recommendation, clicks, nodes, graphs, table, classification, "
        "regression or several.",
        "KIND",
        _DATA,
    ),
]
Text = Annotated[str | None, _option("The column of texts. Default: the one with the longest.", "COLUMN", _DATA)]
Horizon = Annotated[int | None, _option("Forecast so many rows of a time series. Default: a season.", "N", _DATA)]
Context = Annotated[int | None, _option("Read so many rows before. Default: thrice the horizon.", "N", _DATA)]
Season = Annotated[int | None, _option("Rows in a season. Default: as is usual for the dates.", "N", _DATA)]
Time = Annotated[str | None, _option("The column of times. Default: the first with dates.", "COLUMN", _DATA)]
Group = Annotated[
    str | None,
    _option(
        "The column that tells several series apart; else that of groups to compare. Of speech in a folder: 'folder'.",
        "COLUMN",
        _DATA,
    ),
]
User = Annotated[
    str | None, _option("The column of users, of ratings or clicks. Default: by its name.", "COLUMN", _DATA)
]
Item = Annotated[str | None, _option("The column of items. Default: by its name.", "COLUMN", _DATA)]
Resize = Annotated[str | None, _option("Bring images to one size: 28x28.", "HxW", _DATA)]
Memory = Annotated[
    str | None,
    _option(
        "A folder of images that takes more is decoded once, into a file, and each batch is read from there: 1GiB. "
        "Default: 512MiB.",
        "SIZE",
        _DATA,
    ),
]
OnBadImage = Annotated[
    str | None, _option("Where images cannot be read: 'stop' (the default) or 'skip' them.", "WHAT", _DATA)
]
Resample = Annotated[
    int | None, _option("Bring clips of sound to so many samples a second. Default: the usual rate.", "HZ", _DATA)
]
ClipSeconds = Annotated[
    float | None,
    _option("Pad or cut clips of sound to this length. Default: 95 % are as short.", "S", _DATA, "--seconds"),
]
OnBadClip = Annotated[
    str | None, _option("Where clips of sound cannot be read: 'stop' (the default) or 'skip' them.", "WHAT", _DATA)
]
OnBadBox = Annotated[
    str | None, _option("Where boxes lie outside their image: 'stop' (the default) or 'clip' them.", "WHAT", _DATA)
]

# What comes out

_OUTPUT = "Output"
OutFolder = Annotated[
    str | None, _option("Folder for the network, the report and all trials. Default: runs/NAME.", "FOLDER", _OUTPUT)
]
ToFolder = Annotated[
    Path | None, _option("Folder to write to. Default: OUT, or OUT/trial-N for another trial.", "FOLDER", None, "--to")
]
ToFile = Annotated[Path | None, _option("The file. Default: report.html in the run's folder.", "FILE", None, "--to")]
