"""Every kind of task on real data: what a search of ten minutes reaches, beside what must be reached.

Each row is a task of a kind, on data that are no part of this repository: a folder that ARCHWRIGHT_DATA names holds
them (or its folder ``sets``). The search has its defaults and two worker processes; beside it stand the task's simple
methods (`Task.references`) and, as method `fixed`, its hand-made network, trained by the same recipe on training and
validation part with two seeds. Test is measured once a run, at its end.

Each finished run is appended to a file; runs that are there already are not repeated, so an interrupted benchmark is
begun again with the same command. On an idle machine, with nothing beside it:

    ARCHWRIGHT_DATA=data python benchmarks/tasks.py                  # every row, 3 seeds; half an hour a row and method
    ARCHWRIGHT_DATA=data python benchmarks/tasks.py --rows trec --seeds 1 --minutes 2
    python benchmarks/tasks.py --table                               # only print what the file holds
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from connected_digits import SAMPLE_RATE, made_parts
from machine import describe, heading, row, table_head
from PIL import Image
from sklearn.datasets import load_digits

from archwright import task as tasks
from archwright.errors import DataError
from archwright.evaluator import Training
from archwright.objective import Goal, Objectives, at_most
from archwright.run import search
from archwright.run.finish import finish
from archwright.run.plan import FinalPlan
from archwright.space import Space, choice, searchable
from archwright.task import Task
from archwright.trial import Proposal, Trial
from archwright.worker import Processes

FINALS = 2


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Args:
        make: The task.
        metric: What is to be reached.
        reach: How much of it.
        beside: What others reach there, for people.
        max_params: A ceiling for the search and the hand-made network, which then also trains for as long as the search
            takes; None for none, and the hand-made network trains as its recipe says.
    """

    make: Callable[[], Task]
    metric: str
    reach: float
    beside: str = ""
    max_params: int | None = None


def data_file(name: str) -> Path:
    """A file of real data."""
    given = Path(os.environ.get("ARCHWRIGHT_DATA", "data"))
    for folder in (given / "sets", given):
        if (folder / name).is_file():
            return folder / name
    raise DataError(f"{name} is not in {given} or {given / 'sets'}: name its folder with ARCHWRIGHT_DATA")


def texts(name: str) -> Task:
    """TREC (questions), SST2 and MR (opinions of films); MR has no official test part."""
    frame = pd.read_parquet(data_file("text_classification.parquet"))
    frame = frame[frame["dataset"] == name]
    official = frame["split"] == "test"
    train, test = frame[~official], frame[official]
    held = {"x_test": test["text"], "y_test": test["label"]} if len(test) else {}
    # The field counts accuracy, so that rare classes weigh no more than their share.
    return tasks.TextClassification(train["text"], train["label"], name=name, class_weight=None, **held)


def spoken_digits() -> tuple[dict[bool, list[np.ndarray]], dict[bool, np.ndarray]]:
    """Clips of the Free Spoken Digit Dataset, 8,000 samples a second, and their digits; by whether they are test clips.

    The official split: of each speaker and digit, takes 0 to 4 of 50 are the test.
    """
    data = dict(np.load(data_file("fsdd_8khz_int16.npz")))
    clips = [data["signal"][a:b] for a, b in itertools.pairwise(data["offset"])]
    held = data["take"] < 5
    parts = {part: np.flatnonzero(held == part) for part in (False, True)}
    return {p: [clips[i] for i in at] for p, at in parts.items()}, {p: data["digit"][at] for p, at in parts.items()}


def fsdd() -> Task:
    """Which digit is spoken? Raw sound of six speakers."""
    x, y = spoken_digits()
    return tasks.AudioClassification(x[False], y[False], x_test=x[True], y_test=y[True], sample_rate=8000, name="fsdd")


def connected_digits() -> Task:
    """What is said in three to six digits of one speaker, without a break that would say where one ends?"""
    made = made_parts(dict(np.load(data_file("fsdd_8khz_int16.npz"))))
    held = {f"{a}_{part}": made[part][i] for part in ("validation", "test") for i, a in enumerate("xy")}
    return tasks.SpeechRecognition(
        *made["train"], sample_rate=SAMPLE_RATE, level="word", name="connected digits", **held
    )


def shakespeare() -> Task:
    """A million characters of plays, read by characters."""
    return tasks.LanguageModelling.from_file(data_file("tinyshakespeare.txt"))


def camvid() -> Task:
    """Streets, 72 x 96 pixels, 11 classes; with its own validation and test parts."""
    data = np.load(data_file("camvid_96x72.npz"))
    parts = {"validation": "val", "test": "test"}
    held = {f"{a}_{part}": data[f"{a}_{short}"] for a in "xy" for part, short in parts.items()}
    return tasks.Segmentation(
        data["x_train"], data["y_train"], void=11, names=data["class_names"].tolist(), name="camvid", **held
    )


def multi30k() -> Task:
    """English to German: the first 10,000 pairs of training, its validation part, and its test part of 2016."""
    frame = pd.read_parquet(data_file("multi30k_en_de_fr.parquet"))
    parts = dict(list(frame.groupby("split")))
    held = {"validation": parts["val"], "test": parts["test_2016_flickr"]}
    return tasks.Translation.from_table(parts["train"][:10_000], text="en", target="de", name="multi30k", **held)


def bccd() -> Task:
    """Blood cells under a microscope, 120 x 160 pixels, in their own parts; one box of no area is left out."""
    data = np.load(data_file("bccd_320x240_jpeg.npz"))
    file, starts = data["jpeg"].tobytes(), data["offset"]
    images = [Image.open(io.BytesIO(file[a:b])).convert("RGB") for a, b in itertools.pairwise(starts)]
    pixels = np.array([320, 240, 320, 240])

    def part(name: str) -> tuple[list[Any], list[Any], list[Any]]:
        at = np.flatnonzero(data["split"] == name)
        rows = [data["box_image"] == i for i in at]
        boxes = [data["box_xyxy_rel"][r] * pixels for r in rows]
        return [images[i] for i in at], boxes, [data["class_names"][data["box_class"][r]] for r in rows]

    return tasks.Detection(
        *part("train"), validation=part("val"), test=part("test"), name="bccd", resize=(120, 160), on_bad_box="clip",
        augmentation=tasks.BoxAugmentation(flip_vertical=True),  # a drop of blood has no up
    )  # fmt: skip


def cora() -> Task:
    """Papers that cite each other, with the public parts: 140, 500 and 1,000 nodes."""
    import scipy.sparse as sparse

    with np.load(data_file("cora_planetoid.npz")) as file:
        x = sparse.csr_matrix((file["x_data"], file["x_indices"], file["x_indptr"]), shape=tuple(file["shape"]))
        parts = {"train": file["train_idx"], "validation": file["val_idx"], "test": file["test_idx"]}
        return tasks.NodeClassification(x, file["edge_index"], file["y"], name="cora", **parts)


def movielens() -> Task:
    """A hundred thousand ratings of films, 80/10/10 at random."""
    return tasks.Recommendation(data_file("movielens100k.parquet"), name="movielens", validation_share=1 / 9)


def movielens_clicks() -> Task:
    """The same films: which of a hundred is the one that a user saw last?"""
    return tasks.Recommendation.of_clicks(data_file("movielens100k.parquet"), name="movielens clicks")


def class_and_parity() -> tasks.MultiTask:
    """Digits: which one, and whether it is odd."""
    data = load_digits()
    return tasks.MultiTask(data.images, {"digit": data.target, "odd": data.target % 2}, name="digits, twice")


def halves_of_digits() -> tasks.Multimodal:
    """A constructed pair: the upper half of a digit as an image, the lower half as a table of 32 numbers."""
    data = load_digits()
    x = {"upper": (15 * data.images[:, :4]).astype(np.uint8), "lower": data.images[:, 4:].reshape(-1, 32)}
    return tasks.Multimodal(x, data.target, name="halves of digits")


EQUAL = "as many parameters, at equal time: method fixed"
ROWS: dict[str, Row] = {
    "trec": Row(lambda: texts("TREC"), "accuracy", 0.90, "Kim's network with random vectors 0.912"),
    "mr": Row(lambda: texts("MR"), "accuracy", 0.75, "Kim's network with random vectors 0.761"),
    "sst2": Row(lambda: texts("SST2"), "accuracy", 0.80, "Kim's network with random vectors 0.827"),
    "shakespeare": Row(shakespeare, "nats", 1.80, "validation loss of a small fixed GPT on a processor about 1.88"),
    "electricity": Row(lambda: tasks.load("electricity"), "mase", 1.0),
    "co2": Row(lambda: tasks.load("co2"), "mase", 1.0),
    "msft": Row(lambda: tasks.load("msft"), "mase", 1.0),
    # What must be reached is what either input reaches alone: the next two rows.
    "halves": Row(halves_of_digits, "accuracy", 0.0, "either half alone: the next two rows", 10_000),
    "upper_half": Row(lambda: halves_of_digits().alone("upper"), "accuracy", 0.0, max_params=10_000),
    "lower_half": Row(lambda: halves_of_digits().alone("lower"), "accuracy", 0.0, max_params=10_000),
    # Fewer parameters for both than for two networks, one for each, as good as theirs: compare the three rows.
    "both": Row(class_and_parity, "mean", 0.985, "two networks of 4,000 parameters each: the next two rows", 6_000),
    "digit_alone": Row(lambda: class_and_parity().alone("digit"), "mean", 0.0, max_params=4_000),
    "odd_alone": Row(lambda: class_and_parity().alone("odd"), "mean", 0.0, max_params=4_000),
    "cora": Row(cora, "accuracy", 0.80, "graph convolution of two layers 0.815 (Kipf & Welling 2017)"),
    "movielens": Row(movielens, "rmse", 0.93, "matrix factorisation as its recipe says: method fixed"),
    # What must be reached is what popularity reaches, among the simple methods: 0 only stands for it here.
    "movielens_clicks": Row(movielens_clicks, "hr10", 0.0, "popularity, and matrix factorisation: method fixed"),
    "digits_images": Row(lambda: tasks.load("digits", kind="generation"), "frechet", 0.0, EQUAL, 150_000),
    "mnist5k_images": Row(lambda: tasks.load("mnist5k", kind="generation"), "frechet", 0.0, EQUAL, 300_000),
    "multi30k": Row(multi30k, "bleu", 0.0, "as many parameters, at equal time: method fixed", 2_000_000),
    "bccd": Row(bccd, "map50", 0.50, "as many parameters, at equal time: method fixed", 200_000),
    "fsdd": Row(fsdd, "accuracy", 0.97, "as many parameters, at equal time: method fixed", 100_000),
    "connected_digits": Row(connected_digits, "wer", 0.10, "as many parameters, at equal time: method fixed", 200_000),
    # What must be reached is what method `fixed` reaches: 0 only stands for it here.
    "camvid": Row(camvid, "mean_iou", 0.0, "a U-Net of as many parameters, at equal time: method fixed", 100_000),
}


# Methods


def searched(of: Row, seconds: float, workers: int, seed: int) -> dict[str, Any]:
    """A search with its defaults."""
    task = of.make()
    ceilings = [] if of.max_params is None else [at_most(params=of.max_params)]
    goals = Objectives.of([Goal(task.metric, task.metrics[task.metric].direction), *ceilings])
    result = search(task, objectives=goals, budget=seconds, workers=workers, seed=seed, progress=False)
    statuses = [t.status for t in result.trials]
    outcome = dict(result.chosen.outcome) if result.chosen else {}
    return {
        **told(outcome),
        "architecture": outcome.get("architecture"),
        "search_epochs": result.meta["recipe"]["epochs"],
        "trials": {status: statuses.count(status) for status in dict.fromkeys(statuses)},
        "recipe": result.meta["recipe"],
    }


def fixed(of: Row, seconds: float, workers: int, seed: int) -> dict[str, Any]:
    """The task's hand-made network in a space that holds it alone, so that all else goes the same way."""
    task = of.make()
    space = Space(searchable(lambda width: task.baseline(max_params=of.max_params))(choice(0, name="width")))
    training = Training(space, task)
    proposal = Proposal(next(iter(space)))
    _, once = training.fit(proposal.architecture, seed)
    trial = Trial(0, proposal, "done", once, (0.0,), key="by hand")
    plan = FinalPlan(0, 0, 0, FINALS, training.recipe.epochs)
    if of.max_params is not None:  # all the time that the search had, at the pace of now
        more = len(task.train_and_validation()) / len(task.train)
        plan = FinalPlan(0, 0, once.epochs, FINALS, once.epochs, stretch=100.0)
        plan = plan.fitted(seconds, workers, more * once.seconds / once.epochs)
    goal = Objectives.from_json(json.dumps(goal_of(task)))
    with tempfile.TemporaryDirectory() as folder, Processes(n=workers, module="archwright.evaluator.training") as pool:
        chosen = finish(training, [trial], goal, plan, workers=pool, folder=Path(folder), seed=seed)
    assert chosen is not None
    return {**told(dict(chosen.outcome)), "recipe": training.recipe.to_json()}


def goal_of(task: Task) -> dict[str, Any]:
    """The task's own goal as `Objectives` writes it."""
    return json.loads(Objectives.of([Goal(task.metric, task.metrics[task.metric].direction)]).to_json())


def told(outcome: dict[str, Any]) -> dict[str, Any]:
    """What a final choice says of itself, as JSON."""
    names = ("test", "test_size", "references", "plan", "costs")
    return {name: outcome.get(name) for name in names}


METHODS: dict[str, Callable[[Row, float, int, int], dict[str, Any]]] = {"search": searched, "fixed": fixed}

# Runs, their file, and the table


def run(name: str, method: str, seconds: float, workers: int, seed: int) -> dict[str, Any]:
    about = describe()
    began = time.monotonic()
    found = METHODS[method](ROWS[name], seconds, workers, seed)
    keys = {"row": name, "method": method, "seconds": seconds, "workers": workers, "seed": seed}
    return {**keys, "took_s": round(time.monotonic() - began, 1), **found, "about": about}


def read(place: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in place.read_text().splitlines()] if place.exists() else []


def append(place: Path, record: dict[str, Any]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("a") as file:
        file.write(json.dumps(record) + "\n")


def table(records: Sequence[dict[str, Any]]) -> str:
    """A row for each task, method and length, over its seeds."""
    titles = ("task", "metric", "must reach", "method", "seconds", "test, mean ± deviation over runs", "each run")
    lines = [table_head(*titles, "other metrics", "parameters", "trials", "simple methods", "elsewhere", "idle")]
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for record in records:
        keys = tuple(record[k] for k in ("row", "method", "seconds", "workers"))
        groups.setdefault(keys, []).append(record)
    for (name, method, seconds, _), group in sorted(groups.items()):
        of = ROWS[name]
        values = [r["test"][of.metric]["mean"] for r in group if r["test"]]
        mean = statistics.mean(values) if values else float("nan")
        figure = f"{mean:.4f} ± {statistics.stdev(values) if len(values) > 1 else 0:.4f}"
        lower = of.metric in LOWER_IS_BETTER
        reached = bool(values) and (mean <= of.reach if lower else mean >= of.reach)
        others = {m: statistics.mean(r["test"][m]["mean"] for r in group if r["test"]) for m in also(group, of.metric)}
        simple = {n: s[of.metric] for r in group[:1] for n, s in (r["references"] or {}).items() if of.metric in s}
        trials = ", ".join(str(sum(r["trials"].values())) for r in group if r.get("trials"))
        lines.append(
            row(
                name, of.metric, f"{'under ' if lower else ''}{of.reach:g}", method, f"{seconds:g}",
                f"**{figure}**" if reached else figure,
                " ".join(f"{v:.4f}" for v in values),
                ", ".join(f"{m} {v:.4f}" for m, v in others.items()),
                " ".join(f"{r['costs']['params']:.0f}" for r in group if r.get("costs")),
                trials,
                ", ".join(f"{n} {v:.4f}" for n, v in simple.items()),
                of.beside,
                "yes" if all(r["about"]["busy"].startswith("idle") for r in group) else "no",
            )
        )  # fmt: skip
    return "\n".join(lines)


LOWER_IS_BETTER = frozenset({"nats", "bits", "perplexity", "mase", "rmse", "frechet", "wer", "cer"})


def also(group: Sequence[dict[str, Any]], metric: str) -> list[str]:
    """The field's other metrics that were measured."""
    wanted = (
        "accuracy",
        "f1",
        "bits",
        "perplexity",
        "rmse",
        "mae",
        "ndcg10",
        "hr10_all",
        "ndcg10_all",
        "smape",
        "beats_naive",
        "pixel_accuracy",
        "chrf",
        "cer",
        "nats",
        "map",
        "precision",
        "recall",
    )
    there = next((r["test"] for r in group if r["test"]), {})
    return [m for m in wanted if m in there and m != metric]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS), metavar="ROW")
    arguments.add_argument("--only", nargs="+", choices=list(METHODS), default=list(METHODS), metavar="METHOD")
    arguments.add_argument("--seeds", type=int, default=3, help="how many seeds, from --first-seed on")
    arguments.add_argument("--first-seed", type=int, default=0)
    arguments.add_argument("--minutes", type=float, default=10.0)
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--file", type=Path, default=Path("runs/tasks.jsonl"))
    arguments.add_argument("--table", action="store_true", help="only print the table of the file")
    given = arguments.parse_args()
    if not given.table:
        torch.set_num_threads(1)  # whatever trains in this process does so as workers do
        jobs = [
            (name, method, 60 * given.minutes, given.workers, seed)
            for seed in range(given.first_seed, given.first_seed + given.seeds)
            for name in given.rows
            for method in given.only
        ]
        done = {tuple(r[k] for k in ("row", "method", "seconds", "workers", "seed")) for r in read(given.file)}
        for i, job in enumerate(jobs, start=1):
            what = f"{i} of {len(jobs)}: {job[1]} on {job[0]}, seed {job[4]}"
            if job in done:
                print(f"{what}: in {given.file} already", flush=True)
                continue
            record = run(*job)
            append(given.file, record)
            metric = ROWS[job[0]].metric
            print(f"{what}: {json.dumps((record['test'] or {}).get(metric))}, {record['took_s']} s", flush=True)
    print(heading("Tasks"))
    print(f"Bold: what must be reached was reached on average.\n\n{table(read(given.file))}\n")


if __name__ == "__main__":
    main()
