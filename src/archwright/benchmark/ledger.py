"""Runs that were made are not made again: an append-only file of JSON lines, one a run."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archwright.benchmark.problem import Benchmark
from archwright.benchmark.simulation import Incumbent, Run, Step
from archwright.errors import StoreError
from archwright.run.budget import Budget
from archwright.space import Architecture, Space
from archwright.strategy import Strategy
from archwright.trial import Proposal

__all__ = ["Key", "Ledger", "identity_of_benchmark", "identity_of_strategy"]

VERSION = 1
PROBES = 16


@dataclass(frozen=True)
class Key:
    """What a run is a function of, but for its budget.

    Args:
        benchmark: Its name.
        benchmark_is: What it measures, as a digest: see `identity_of_benchmark`.
        strategy_is: What the strategy is, as a digest: see `identity_of_strategy`.
        seed: Of the run.
        parallel: Simulated workers.
    """

    benchmark: str
    benchmark_is: str
    strategy_is: str
    seed: int
    parallel: int


class Ledger:
    """The file. A run is one line, written at once, so that a death at any instant loses those being made alone.

    A line that a death cut short is passed over, and the next one begins a line of its own. Two comparisons may write
    to one file: a run that both made is there twice, and equal.

    Args:
        path: The file; None keeps runs in memory.
        spaces: The space of each benchmark whose runs are wanted, by name.

    Raises:
        StoreError: It is not such a file, or cannot be read.
    """

    def __init__(self, path: Path | None, spaces: dict[str, Space]):
        self.path = path
        self._spaces = spaces
        self._runs: dict[Key, list[tuple[Budget, Run]]] = {}
        if path is not None:
            for line in _lines(path):
                self._take(line)

    def find(self, key: Key, budget: Budget) -> tuple[Run | None, bool]:
        """The run of this key to use, and whether it is all that the budget asks for; else it can be gone on from."""
        mine = self._runs.get(key, [])
        for spent, run in mine:
            # On several workers a longer run begins trainings while the last of a shorter one end, so it is no
            # prefix; with one it is. A run that ended early would end there again.
            longer = key.parallel == 1 and _covers(spent, budget)
            if spent == budget or longer or (run.ended and _covers(spent, budget)):
                return run, True
        longest = max((run for _, run in mine), key=lambda run: len(run.steps), default=None)
        return longest, False

    def add(self, key: Key, budget: Budget, run: Run) -> None:
        """Keep a run.

        Raises:
            StoreError: It cannot be written.
        """
        self._runs.setdefault(key, []).append((budget, run))
        if self.path is None:
            return
        space = self._spaces[key.benchmark]
        line = {"archwright": "compare", "version": VERSION, **asdict(key), "budget": budget.to_json()}
        line.update(ended=run.ended, asked=run.asked, ask_s=run.ask_s, tell_s=run.tell_s)
        line["steps"] = [_packed(step, space) for step in run.steps]
        line["incumbents"] = [[i.step, i.value, i.reported] for i in run.incumbents]
        data = (json.dumps(line, separators=(",", ":")) + "\n").encode()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b") as file:
                if file.seek(0, os.SEEK_END):
                    file.seek(-1, os.SEEK_END)
                    data = data if file.read(1) == b"\n" else b"\n" + data
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreError(f"cannot keep runs in {self.path}: {error.strerror}. Choose another --out") from error

    def _take(self, line: dict[str, Any]) -> None:
        key = Key(*(line[name] for name in Key.__dataclass_fields__))
        space = self._spaces.get(key.benchmark)
        if space is None:
            return  # of a benchmark that is not compared now
        steps = tuple(_unpacked(row, space) for row in line["steps"])
        incumbents = tuple(Incumbent(*row) for row in line["incumbents"])
        run = Run(steps, incumbents, line["ended"], line["asked"], line["ask_s"], line["tell_s"])
        self._runs.setdefault(key, []).append((Budget.from_json(line["budget"]), run))


def _covers(spent: Budget, budget: Budget) -> bool:
    pairs = [(getattr(spent, unit), getattr(budget, unit)) for unit in ("trials", "seconds", "epochs")]
    return all((had is None) == (wanted is None) and (had is None or had >= wanted) for had, wanted in pairs)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        data = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}. Choose another --out") from error
    for number, text in enumerate(data.split(b"\n"), 1):
        if not text.strip():
            continue
        try:
            line = json.loads(text)
        except ValueError:
            if text.startswith(b'{"archwright":"compare"'):
                continue  # cut short by a death
            line = None
        if not isinstance(line, dict) or line.get("archwright") != "compare":
            raise StoreError(
                f"line {number} of {path} is no run of archwright compare: choose another --out, or move the file away"
            )
        if line["version"] != VERSION:
            raise StoreError(f"line {number} of {path} is from a newer archwright: choose another --out, or upgrade")
        yield line


def _packed(step: Step, space: Space) -> list[Any]:
    proposal = step.proposal
    codes: Any = space.codes([proposal.architecture])[0].tolist()
    if space.architecture(codes) != proposal.architecture:  # a real between two levels
        codes = dict(proposal.architecture)
    scores = None if step.scores is None else list(step.scores)
    of_proposal = [codes, proposal.epochs, proposal.continues, list(proposal.parents), proposal.origin]
    return [
        step.number,
        of_proposal,
        step.status,
        scores,
        step.full,
        step.again,
        step.queries,
        step.seconds,
        step.epochs,
    ]


def _unpacked(row: list[Any], space: Space) -> Step:
    number, (codes, epochs, continues, parents, origin), status, scores, full, again, queries, seconds, spent = row
    architecture = Architecture(codes) if isinstance(codes, dict) else space.architecture(codes)
    proposal = Proposal(architecture, epochs, continues, tuple(parents), origin)
    scores = None if scores is None else tuple(scores)
    return Step(number, proposal, status, scores, full, again, queries, seconds, spent)


def identity_of_benchmark(benchmark: Benchmark) -> str:
    """A digest of what a benchmark measures: its space, goals, best value, and 16 of its measurements."""
    rng = np.random.default_rng(0)
    seen: list[Any] = [benchmark.space.fingerprint, benchmark.objectives.to_json(), benchmark.best, benchmark.reported]
    seen += [benchmark.max_epochs, benchmark.front]
    for architecture in benchmark.space.sample(rng, PROBES):
        try:
            found = benchmark.measure(architecture)
            seen.append([dict(found.metrics), dict(found.costs), found.seconds, found.epochs])
        except Exception as error:
            seen.append(type(error).__name__)
    return _digest(seen)


def identity_of_strategy(strategy: Strategy) -> str:
    """A digest of what a strategy does: its class, its settings, and the source that its behaviour comes from.

    The source is that of its module and of the modules of `archwright.strategy` that this one imports, so that what a
    changed strategy did before is not taken for what it does now. Parts that are strategies themselves count too.
    """
    return _digest(_described(strategy))


def _described(strategy: Strategy) -> dict[str, Any]:
    kind = type(strategy)
    settings: dict[str, Any] = {}
    for name in inspect.signature(kind).parameters:
        value = getattr(strategy, name, None)
        if isinstance(value, Strategy):
            settings[name] = _described(value)
        elif isinstance(value, (list, tuple)) and any(isinstance(part, Strategy) for part in value):
            settings[name] = [_described(part) if isinstance(part, Strategy) else repr(part) for part in value]
        elif callable(value):
            settings[name] = f"{getattr(value, '__module__', '')}:{getattr(value, '__qualname__', '')}"
        elif not isinstance(value, Space):
            settings[name] = value
    return {"class": f"{kind.__module__}:{kind.__qualname__}", "settings": settings, "source": _source_of(kind)}


def _source_of(kind: type) -> list[str]:
    """Digests of the source files behind a class; of its own text where it has no file, as in a notebook."""
    try:
        first = inspect.getsourcefile(kind)
    except TypeError:
        first = None
    if first is None or not Path(first).is_file():
        try:
            return [_digest(inspect.getsource(kind))]
        except (OSError, TypeError):
            return []
    found: dict[str, str] = {}
    waiting = [first]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        text = Path(path).read_text("utf-8")
        found[path] = _digest(text)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("archwright.strategy."):
                spec = importlib.util.find_spec(str(node.module))
                if spec is not None and spec.origin is not None:
                    waiting.append(spec.origin)
    return sorted(found.values())


def _digest(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=_repr)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _repr(value: Any) -> str:
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))  # where an object lies is not what it is
