"""From the official files of NAS-Bench-201 and NATS-Bench to the table that `nasbench201` reads."""

from __future__ import annotations

import bz2
import os
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from archwright.benchmark.nasbench201 import parse_cell
from archwright.errors import DataError

__all__ = ["convert"]

SETS = {
    "c10": ("cifar10-valid", "x-valid", "cifar10", "ori-test"),
    "c100": ("cifar100", "x-valid", "cifar100", "x-test"),
    "in16": ("ImageNet16-120", "x-valid", "ImageNet16-120", "x-test"),
}
"""How columns begin; then where validation and test accuracies stand: data set of the training, set of the images."""

COSTS = {"c10": "cifar10", "c100": "cifar100", "in16": "imagenet16"}

SCHEDULES = {"12": "12", "200": "200", "less": "12", "full": "200"}
"""Hyper-parameter sets by their names in NATS-Bench and in NAS-Bench-201."""


def convert(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> Path:
    """Write the table of an official benchmark that a user has.

    Args:
        source: ``NATS-tss-v1_0-3ffb9-simple`` (a folder), ``NATS-tss-v1_0-3ffb9.pickle.pbz2``, or
            ``NAS-Bench-201-v1_1-096897.pth``. **Pickled files run code when they are read: use your own download.**
        target: A ``.parquet`` or ``.csv`` file; name it ``nasbench201_all.parquet`` for `nasbench201` to find it.

    Accuracies are means over the seeds that were trained, after the last epoch; seconds those of the training, where
    every cell has them. Neither ``nats_bench`` nor ``nas_201_api`` is needed.

    The structure was taken from the source of these packages; it was tested here on small files made alike, not on
    the official ones.

    Returns:
        The target.
    """
    import pandas as pd

    source, target = Path(source), Path(target)
    if target.suffix not in (".csv", ".parquet"):
        raise DataError(f"cannot write {str(target)!r}: allowed are .csv and .parquet")
    rows = []
    for index, arch, results in _architectures(source):
        where = f"architecture {index} ({arch}) of {str(source)!r}"
        try:
            parse_cell(arch)
            rows.append({"index": index, "arch": arch, **_row(results)})
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise DataError(
                f"{where} has not the structure of the benchmark: {type(error).__name__}: {error}"
            ) from error
    frame = pd.DataFrame(rows).sort_values("index")
    frame = frame.drop(columns=[c for c in frame.columns if "seconds" in c and frame[c].isna().any()])
    if target.suffix == ".csv":
        frame.to_csv(target, index=False)
    else:
        frame.to_parquet(target, index=False)
    return target


def _architectures(source: Path) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Number, official string, and results by schedule of every architecture."""
    if source.is_dir():
        meta = _unpickled(source / "meta.pickle.pbz2")
        for index, arch in enumerate(_part(meta, "meta_archs", source)):
            names = (f"{index:06d}.pickle.pbz2", f"{index}.pickle.pbz2")
            file = next((source / name for name in names if (source / name).is_file()), None)
            if file is None:
                raise DataError(f"folder {str(source)!r} is partial: it has no {names[0]}")
            yield index, arch, _unpickled(file)
        return
    whole = _torch_loaded(source) if source.suffix == ".pth" else _unpickled(source)
    infos = _part(whole, "arch2infos", source)
    for index, arch in enumerate(_part(whole, "meta_archs", source)):
        if index not in infos:
            raise DataError(f"file {str(source)!r} is partial: it lacks architecture {index} ({arch})")
        yield index, arch, infos[index]


def _part(whole: Any, name: str, source: Path) -> Any:
    if not isinstance(whole, Mapping) or name not in whole:
        raise DataError(f"{str(source)!r} is not the benchmark: it has no {name!r}")
    return whole[name]


def _unpickled(file: Path) -> Any:
    try:
        with bz2.open(file, "rb") as stream:
            return pickle.load(stream)
    except (OSError, EOFError, pickle.UnpicklingError) as error:
        raise DataError(f"cannot read {str(file)!r}: {type(error).__name__}: {error}") from error


def _torch_loaded(file: Path) -> Any:
    import torch

    try:
        return torch.load(file, map_location="cpu", weights_only=False)
    except Exception as error:  # torch raises many kinds
        raise DataError(f"cannot read {str(file)!r}: {type(error).__name__}: {error}") from error


def _row(results: Mapping[str, Any]) -> dict[str, float]:
    row: dict[str, float] = {}
    for name, result in results.items():
        if name not in SCHEDULES:  # 01 and 90 epochs
            continue
        epochs = SCHEDULES[name]
        for start, (valid_on, valid, test_on, test) in SETS.items():
            for kind, dataset, images in (("val", valid_on, valid), ("test", test_on, test)):
                runs = _runs(result, dataset)
                accuracies = [run["eval_acc1es"].get(f"{images}@{run['epochs'] - 1}") for run in runs]
                if accuracies and None not in accuracies:
                    row[f"{start}_{kind}_{epochs}"] = float(np.mean(accuracies))
                if kind == "val" and runs:
                    row[f"{start}_seconds_{epochs}"] = _seconds(runs)
                    # Given in millions.
                    row[f"params_{COSTS[start]}"] = float(round(runs[0]["params"] * 1e6))
                    row[f"flops_{COSTS[start]}"] = float(round(runs[0]["flop"] * 1e6))
    return row


def _runs(result: Mapping[str, Any], dataset: str) -> list[Mapping[str, Any]]:
    """The trainings on one data set, one a seed."""
    return [result["all_results"][dataset, seed] for seed in result["dataset_seed"].get(dataset, ())]


def _seconds(runs: list[Mapping[str, Any]]) -> float:
    times = [run["train_times"] for run in runs]
    known = [float(sum(t.values())) for t in times if t]
    return float(np.mean(known)) if known else float("nan")
