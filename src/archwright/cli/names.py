"""Names belong to the command line: which word means which class, and what a shell can complete.

The library has no registry; here, and for strategies in `archwright.cli.strategy`, is where things have short names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from archwright.cli.oneshot import ONESHOT
from archwright.cli.strategy import STRATEGIES

__all__ = ["DATA", "PROXIES", "SPACES", "SpaceName"]


@dataclass(frozen=True)
class SpaceName:
    """A default space.

    Args:
        name: What people write, and the function in `archwright.nn.spaces`.
        reads: What its networks read.
        purpose: What is in it.
        example_shape: An input to show it on where no data are given.
        example_outputs: How many numbers its networks then give.
    """

    name: str
    reads: str
    purpose: str
    example_shape: tuple[int, ...]
    example_outputs: int = 10


SPACES = {
    entry.name: entry
    for entry in (
        SpaceName(
            "convnet",
            "images, sequences",
            "stages of residual, separable or plain convolutions; LeNet-5 from 28x28 up",
            (3, 32, 32),
        ),
        SpaceName("mobile", "images, sequences", "stages of inverted residuals, as MobileNetV3", (3, 32, 32)),
        SpaceName("sequence", "sequences", "convolution, causal convolution, recurrence or attention", (1, 128)),
        SpaceName("audio", "sounds", "a log-mel front end; convolution, causal convolution or recurrence", (1, 16000)),
        SpaceName("speech", "sounds", "what is said: a log-mel front end, fewer frames, an encoder, CTC", (1, 16000)),
        SpaceName("text", "texts", "an average of words, convolution, recurrence or attention", (40,)),
        SpaceName("forecast", "time series", "how they go on, by what sequence has, linear maps or mixers", (1, 96)),
        SpaceName("language", "texts", "what comes next, by recurrence, causal convolution or decoders", (128,)),
        SpaceName("translation", "texts", "another text: recurrent and Transformer encoders and decoders", (40,)),
        SpaceName("recommender", "users and items", "how they suit: factors, or layers over their vectors", (2,), 1),
        SpaceName("shared", "images", "several targets at once: a trunk that branches, a head for each", (1, 28, 28)),
        SpaceName("detector", "images", "boxes around things: a backbone, levels, a head of centres", (3, 64, 64)),
        SpaceName("towers", "several inputs", "a tower for each, their fusion, and layers behind it", (16,)),
        SpaceName("unet", "images", "a class for every pixel: down to small sizes and up again", (3, 64, 64)),
        SpaceName("gan", "random numbers", "images: a generator of cells that grow, and its discriminator", (64,)),
        SpaceName("graph", "nodes of a graph", "which neighbourhoods count, and layers behind", (17, 32)),
        SpaceName("graphs", "whole graphs", "messages between nodes, layer by layer, and how all are read", (25, 30)),
        SpaceName("mlp", "tables", "linear layers, plain and residual", (16,)),
    )
}

DATA = {
    "digits": "1,797 handwritten digits, 8x8",
    "mnist1d": "4,000 + 1,000 synthetic 1D digits",
    "mnist5k": "5,000 MNIST digits, 28x28",
    "breast_cancer": "569 tumours, a table",
    "first_names": "names of the US census, female or male: read by letters",
    "electricity": "half-hourly demand for electricity: a forecast of the next day",
    "co2": "weekly carbon dioxide: a forecast of half a year",
    "msft": "daily prices of a share: a forecast of 5 days",
    "python_manual": "what Python's help() knows: a text to model",
    "rings": "made graphs: a ring of five or of six in a random tree",
    "diabetes": "442 patients, regression on a table",
}
"""Named data, without the import that asking the tasks themselves takes: for completion and help."""

PROXIES = {
    "params": "parameters",
    "macs": "multiply-adds",
    "l2_norm": "size of the initial weights",
    "grad_norm": "size of the gradients",
    "snip": "sensitivity of the loss to weights",
    "grasp": "what weights do for the gradient flow",
    "fisher": "sensitivity of the loss to channels",
    "synflow": "signal that all paths carry",
    "jacob_cov": "how little the Jacobians of inputs agree",
    "naswot": "how different the activation patterns of inputs are",
    "zen": "how far features move with the input",
    "expressivity": "AZ-NAS: how many directions features use",
    "progressivity": "AZ-NAS: growth of it from block to block",
    "trainability": "AZ-NAS: how well gradients keep their size",
    "az_nas": "the rank of a network among others by these three and multiply-adds",
}
"""Zero-cost proxies, likewise without the import of torch."""


# What a shell completes: pairs of a word and what it means.


def complete_data(incomplete: str) -> Iterator[tuple[str, str]]:
    """Names of data, then files and folders that could be data."""
    yield from _starting(incomplete, DATA)
    yield from _paths(incomplete, (".csv", ".tsv", ".parquet", ".npz", ".txt"))


def complete_strategy(incomplete: str) -> Iterator[tuple[str, str]]:
    """Names of strategies; after that of one that is made around another, those of the others."""
    before, slash, _ = incomplete.rpartition("/")
    known = {name: entry.purpose for name, entry in STRATEGIES.items()}
    if not slash:
        known |= {name: entry.purpose for name, entry in ONESHOT.items()}
    yield from _starting(incomplete, {f"{before}{slash}{name}": purpose for name, purpose in known.items()})


def complete_space(incomplete: str) -> Iterator[tuple[str, str]]:
    """Names of spaces."""
    yield from _starting(incomplete, {n: f"for {s.reads}" for n, s in SPACES.items()})


def complete_proxy(incomplete: str) -> Iterator[tuple[str, str]]:
    """Names of zero-cost proxies."""
    yield from _starting(incomplete, PROXIES)


def complete_run(incomplete: str) -> Iterator[tuple[str, str]]:
    """Folders of earlier searches below ``runs/``, then other folders and stores."""
    found = {str(p.parent): "an earlier search" for p in sorted(Path("runs").glob("*/run.db"))}
    yield from _starting(incomplete, found)
    for path, meaning in _paths(incomplete, (".db",)):
        if path not in found:
            yield path, meaning


def _starting(incomplete: str, words: dict[str, str]) -> Iterator[tuple[str, str]]:
    return ((word, meaning) for word, meaning in words.items() if word.startswith(incomplete))


def _paths(incomplete: str, suffixes: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    start = Path(incomplete)
    folder = start if incomplete.endswith("/") or not incomplete else start.parent
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        hidden = entry.name.startswith(".")
        if hidden or not str(entry).startswith(incomplete.removeprefix("./")):
            continue
        if entry.is_dir():
            yield f"{entry}/", "folder"
        elif entry.suffix.lower() in suffixes:
            yield str(entry), "file"
