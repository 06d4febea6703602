"""``archwright tasks``: data by name, kinds of learning problems, and what is in one set of data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archwright.cli import console, learning, names, options
from archwright.cli.invocation import examples

if TYPE_CHECKING:
    from archwright.task import Task

__all__ = ["COMMANDS", "KINDS", "Kind"]

EXAMPLES = examples(
    {
        "archwright tasks": "data by name, kinds of problems and of files, and which packages are missing",
        "archwright tasks digits": "what is in these data, its metrics and spaces, and what may be wrong with them",
        "archwright tasks houses.csv --target price": "the same of your own: all problems in one list",
        "archwright tasks --json": "for a program",
    }
)

UCR = "ucr:"
FILES = {
    "folder/": "one folder of images a class; or train/ and test/ with these",
    "folder/ --kind generation": "images, with or without folders of classes: to make more like them",
    "folder/ of .wav, .flac, ...": "one folder of sounds a class; or train/ and test/ with these",
    "folder/images, folder/masks": "files of the same names; or these in train/, val/ and test/",
    "name.npz": "arrays x and y: images (n, h, w[, c]), with labels or masks (n, h, w); sequences (n, c, t), tables "
    "(n, f); sounds (n, t) with a sample_rate; x_test, y_test; group; boxes with labels and counts",
    "name.json, folder/": "boxes around things, as COCO, Pascal VOC or YOLO keep them",
    "folder/nodes.csv, folder/edges.csv": "a graph: id, features, label and split of each node; two nodes an edge",
    "folder/graphs.csv, nodes.csv, edges.csv": "many graphs: id, label, split of each; graph, id, features of a node; "
    "graph and two nodes of an edge; or the files of the TU collection",
    "name.txt": "a text: a language model, which goes on with what is begun",
    "name.csv, name.parquet": "a header, a row a sample; --target names the column to predict, or several as a,b; "
    "--text that of texts; --horizon N forecasts; names of sound files are sounds; "
    "--kind recommendation, or clicks, for users and items",
}


@dataclass(frozen=True)
class Kind:
    """One kind of learning problem.

    Args:
        name: For ``--kind``; empty where Python alone makes it.
        makes: The class of `archwright.task`.
        metrics: What it measures, the usual main one first.
        data: What it is made of.
    """

    name: str
    makes: str
    metrics: tuple[str, ...]
    data: str


CLASSES = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "ece")
QUANTITIES = ("rmse", "mae", "r2")
KINDS = (
    Kind("images", "ImageClassification", CLASSES, "a folder, .npz, arrays, a Hugging Face data set"),
    Kind(
        "generation", "ImageGeneration", ("frechet", "precision", "recall"),
        "with --kind: a folder of images, .npz with x, arrays",
    ),
    Kind("sequences", "SequenceClassification", CLASSES, ".npz, arrays"),
    Kind(
        "audio", "AudioClassification", CLASSES,
        "a folder of sounds, .csv, .parquet with their names, .npz, arrays, lists, a Hugging Face data set",
    ),
    Kind(
        "speech", "SpeechRecognition", ("wer", "cer"),
        "a folder of sounds with a .txt beside each, .csv, .parquet with files and texts, lists, Hugging Face data",
    ),
    Kind("classification", "TabularClassification", CLASSES, ".csv, .parquet, .npz, a DataFrame, arrays"),
    Kind("regression", "TabularRegression", QUANTITIES, ".csv, .parquet, .npz, a DataFrame, arrays"),
    Kind("text", "TextClassification", CLASSES, ".csv, .parquet, lists of texts, a Hugging Face data set"),
    Kind(
        "forecast", "Forecasting", ("mase", "mae", "rmse", "smape", "beats_naive"),
        ".csv, .parquet, a DataFrame, arrays",
    ),
    Kind("language", "LanguageModelling", ("bits", "nats", "perplexity", "accuracy"), ".txt, a text"),
    Kind(
        "translation", "Translation", ("nats", "perplexity", "accuracy", "bleu", "chrf"),
        ".csv, .parquet with two columns of texts, lists",
    ),
    Kind(
        "segmentation", "Segmentation", ("mean_iou", "pixel_accuracy", "mean_accuracy"),
        "a folder of images and masks, .npz, arrays",
    ),
    Kind(
        "detection", "Detection", ("map50", "map"),
        "a folder of images with boxes beside them, a .json as of COCO, .npz, arrays",
    ),
    Kind(
        "recommendation", "Recommendation", QUANTITIES,
        ".csv, .parquet, a DataFrame with users, items and ratings; tables of users and of items",
    ),
    Kind(
        "clicks", "Recommendation", ("ndcg10", "hr10", "ndcg10_all", "hr10_all"),
        "the same without ratings: what is clicked next",
    ),
    Kind("nodes", "NodeClassification", CLASSES, "a folder with nodes.csv and edges.csv, .npz with edges, arrays"),
    Kind(
        "graphs", "GraphClassification", CLASSES,
        "a folder with graphs.csv, nodes.csv and edges.csv, or of the TU collection, lists of graphs",
    ),
    Kind("several", "MultiTask", ("mean",), ".csv, .parquet with --target a,b, arrays; and each target's own metrics"),
    Kind("", "Multimodal", CLASSES, "from Python: several inputs of one sample, classes or quantities"),
    Kind("", "CustomTask", ("loss",), "from Python: your Dataset, your loss, your metrics"),
)  # fmt: skip


def tasks(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATA]", help="Describe these data.", autocompletion=names.complete_data, show_default=False
        ),
    ] = None,
    target: options.Target = None,
    kind: options.Kind = None,
    text: options.Text = None,
    horizon: options.Horizon = None,
    context: options.Context = None,
    season: options.Season = None,
    time: options.Time = None,
    group: options.Group = None,
    user: options.User = None,
    item: options.Item = None,
    resize: options.Resize = None,
    memory: options.Memory = None,
    on_bad_image: options.OnBadImage = None,
    resample: options.Resample = None,
    clip_seconds: options.ClipSeconds = None,
    on_bad_clip: options.OnBadClip = None,
    as_json: options.AsJson = False,
) -> None:
    """Data by name, the files that can be searched on; or what is in DATA, and what may be wrong with them."""
    with console.Waiting() as waiting:
        if data is not None:
            waiting.on(f"reading {data}")
            reading = learning.data_options(
                target=target, kind=kind, resize=resize, on_bad_image=on_bad_image, text=text, horizon=horizon,
                context=context, season=season, time=time, group=group, user=user, item=item, memory=memory,
                resample=resample, seconds=clip_seconds, on_bad_clip=on_bad_clip,
            )  # fmt: skip
            found = learning.load_task(data, reading, waiting)
            waiting.stop()
            _describe(found, as_json)
            return
        waiting.on("looking for packages")
        from archwright.task import names as named

        entries = named()
    if as_json:
        fields = ("name", "description", "package", "extra", "installed")
        rows = [{field: getattr(e, field) for field in fields} for e in entries]
        console.emit({"data": rows, "files": FILES, "kinds": [asdict(k) for k in KINDS]})
        return
    table = console.columns("data", "what they are", "package")
    for entry in [e for e in entries if not e.name.startswith(UCR)]:
        table.add_row(f"[bold]{entry.name}[/]", entry.description, _there(entry))
    series = [e for e in entries if e.name.startswith(UCR)]
    if series:
        known = ", ".join(e.name.removeprefix(UCR) for e in series)
        table.add_row(f"[bold]{UCR}NAME[/]", f"time series of the UCR archive: {known}", _there(series[0]))
    for name, description in FILES.items():
        table.add_row(f"[bold]{name}[/]", description, "your own")
    kinds = console.columns("kind", "made of", "metrics")
    for one in KINDS:
        kinds.add_row(f"[bold]{one.name or one.makes}[/]", one.data, ", ".join(one.metrics))
    shown = console.out()
    shown.print(table)
    shown.print()
    shown.print(kinds)


def _describe(task: Task, as_json: bool) -> None:
    """What is in the data, what is measured, what can be searched, and what may be wrong."""
    if as_json:
        spaces = {"spaces": list(task.spaces), "default_space": task.default_space}
        console.emit({**task.describe(), **spaces, "doubts": list(task.doubts)})
        return
    from rich.table import Table
    from rich.text import Text

    from archwright.cli.telling import describe_task

    told = task.describe()
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("data", Text.assemble((task.name, "bold"), f": {describe_task(task)}"))
    facts.add_row("kind", type(task).__name__)
    if told.get("source"):
        facts.add_row("from", Text(str(told["source"])))
    if told.get("classes"):
        pairs = [f"{c} {n:,}" for c, n in zip(told["classes"], told["class_counts"], strict=True)]
        facts.add_row(
            "classes", Text(", ".join(pairs[:20]) + (f" and {len(pairs) - 20} more" if len(pairs) > 20 else ""))
        )
    if told.get("columns"):
        facts.add_row("columns", Text(", ".join(f"{name} ({kind})" for name, kind in told["columns"].items())))
    if task.groups is not None:
        sizes = {label: sum(n.values()) for label, n in told["groups"].items()}
        facts.add_row("groups", Text(f"{task.groups.name}: " + ", ".join(f"{g} {n:,}" for g, n in sizes.items())))
    metrics = [f"{m.name} ({m.direction})" for m in task.metrics.values() if not m.grouped and m.name != task.metric]
    own = task.metrics[task.metric]
    facts.add_row("metrics", Text.assemble((f"{own.name} ({own.direction})", "bold"), *(f", {m}" for m in metrics)))
    others = [name for name in task.spaces if name != task.default_space]
    facts.add_row(
        "spaces", Text.assemble((task.default_space or "your own", "bold"), *(f", {name}" for name in others))
    )
    for doubt in task.doubts:
        facts.add_row(Text("warning", style="not dim yellow"), Text(doubt))
    if not task.doubts:
        facts.add_row("warnings", "none")
    console.out().print(facts)


def _there(entry: Any) -> str:
    return "[green]installed[/]" if entry.installed else f"[yellow]needs archwright\\[{entry.extra}][/]"


COMMANDS: list[tuple[Any, str, str]] = [(tasks, "Choose", EXAMPLES)]
