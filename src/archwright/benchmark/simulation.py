"""One run of one strategy on a benchmark: the loop of a search, on a simulated clock."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from archwright.benchmark.problem import Benchmark
from archwright.errors import SpaceExhaustedError
from archwright.run.budget import Budget
from archwright.run.loop import evaluation_seed
from archwright.strategy import Known, Strategy, make
from archwright.trial import Measurement, Proposal, Status, Trial
from archwright.worker import Job, run

__all__ = ["Incumbent", "Run", "Step", "known_of", "simulate"]

Factory = Callable[..., Strategy]

MOST_INFEASIBLE = 5_000
"""Infeasible proposals in a row after which a run ends: they cost nothing, so that no budget would end it."""

DRAWS = 32
"""Measurements of one architecture that its true value is the mean of; those that are equal count once."""


@dataclass(frozen=True)
class Step:
    """A trial as it was told, and what had been spent by then.

    Args:
        number: Of the trial.
        proposal: What was asked for.
        status: What became of it.
        scores: As those of `Trial`.
        full: Whether it had been trained in full.
        again: Whether the same function had begun its training before, and nothing was continued: paid for twice.
        queries: Trainings begun from nothing that had ended by then, this one included.
        seconds: The simulated time at which it ended.
        epochs: Epochs trained by then, over all trials.
    """

    number: int
    proposal: Proposal
    status: Status
    scores: tuple[float, ...] | None
    full: bool
    again: bool
    queries: int
    seconds: float
    epochs: int


@dataclass(frozen=True)
class Incumbent:
    """An architecture that was the best until the next one was.

    Args:
        step: Its place in `Run.steps`.
        value: The true value of the first goal's metric: after a full training, the mean where trainings differ.
        reported: The same of the metric that the benchmark reports; None where it has none.
    """

    step: int
    value: float
    reported: float | None


@dataclass(frozen=True)
class Run:
    """What a strategy did on a benchmark from one seed.

    Args:
        steps: Its trials in the order told.
        incumbents: Those that were the best, in time; of one trained longer than all before, or as long and better.
        ended: Why it ended before its budget; empty where it did not.
        asked: How many proposals the strategy was asked for.
        ask_s: Seconds that asking for them took, on the clock on the wall.
        tell_s: Seconds that telling their trials took.
    """

    steps: tuple[Step, ...]
    incumbents: tuple[Incumbent, ...]
    ended: str = ""
    asked: int = 0
    ask_s: float = 0.0
    tell_s: float = 0.0


@dataclass(frozen=True)
class _Flight:
    """A training that has begun: what it will give, which nobody knows before it ends."""

    trial: Trial
    began_anew: bool
    seconds: float
    epochs: int  # paid for by this one
    trained: int  # since the first, those of what it continues included


def known_of(benchmark: Benchmark) -> Known:
    """What a strategy may know of a benchmark before its first trial."""
    costs = getattr(benchmark.evaluator, "costs", None)
    objectives = benchmark.objectives
    return Known(
        objectives=objectives,
        max_epochs=benchmark.max_epochs or None,
        costs=None
        if costs is None or not objectives.costs
        else partial(_costs, costs, tuple(sorted(objectives.costs))),
    )


def _costs(costs: Callable[..., Mapping[str, float]], names: tuple[str, ...], architecture: Any) -> Mapping[str, float]:
    return costs(architecture, names)


def simulate(
    benchmark: Benchmark,
    factory: Factory,
    seed: int,
    budget: Budget,
    *,
    parallel: int = 1,
    earlier: Run | None = None,
) -> Run:
    """Run a strategy until its budget is begun in full, its space exhausted, or 5,000 in a row were infeasible.

    The generator of every ask and the seed of every evaluation are functions of (seed, trial number), so that all
    strategies meet the same luck. A training that continues another has the seed of the first: they are one training.

    What is charged: a training that begins from nothing is a query, also one of an architecture that was trained
    before, and one that fails; what continues a training is none. Seconds and epochs are those of that evaluation; a
    failure is charged the epochs it was asked for, at the pace of the trainings so far. Infeasible proposals are free.

    Args:
        benchmark: Where.
        factory: Makes the strategy from the space; told what it declares (`archwright.strategy.make`).
        seed: All randomness is a function of it and of trial numbers.
        budget: Its trials are queries, its seconds simulated.
        parallel: Simulated workers: so many trainings run at a time, and are told as they end.
        earlier: A run of the same strategy and seed on a smaller budget, to go on from: its proposals are not asked
            for again. The strategy is told of them when it is first needed.
    """
    known = {step.number: step.proposal for step in earlier.steps} if earlier is not None else {}
    teller = _Teller(benchmark, factory, earlier)
    truth = _Truth(benchmark)
    flights: list[tuple[float, int, _Flight]] = []
    ended_flights: dict[int, _Flight] = {}
    steps: list[Step] = []
    incumbents: list[Incumbent] = []
    clock, spent_epochs = 0.0, 0
    begun_queries = ended_queries = begun_epochs = number = barren = 0
    pace = _Pace()
    begun: set[str] = set()  # canonical keys of what was trained
    best: tuple[int, float] | None = None  # (epochs trained, score) of the incumbent
    ended = ""

    def over() -> bool:
        return bool(
            (budget.trials and begun_queries >= budget.trials)
            or (budget.seconds and clock >= budget.seconds)
            or (budget.epochs and begun_epochs >= budget.epochs)
        )

    while True:
        while not ended and len(flights) < parallel and not over():
            proposal = known.get(number)
            if proposal is None:
                pending = tuple(f.trial.proposal for _, _, f in sorted(flights, key=lambda entry: entry[1]))
                try:
                    proposal = teller.ask(np.random.default_rng([seed, number]), pending)
                except SpaceExhaustedError as error:
                    ended = str(error)
                    break
            flight = _begin(benchmark, proposal, number, seed, ended_flights, pace)
            heapq.heappush(flights, (clock + flight.seconds, number, flight))
            begun_queries += flight.began_anew
            begun_epochs += flight.epochs
            number += 1
        if not flights:
            break
        clock, landed, flight = heapq.heappop(flights)
        ended_flights[landed] = flight
        trial = replace(flight.trial, finished=clock)
        teller.tell(trial, timed=landed not in known)
        ended_queries += flight.began_anew
        spent_epochs += flight.epochs
        full = flight.trained >= benchmark.max_epochs
        again = flight.began_anew and trial.key in begun
        if flight.began_anew:
            begun.add(trial.key)
        steps.append(
            Step(landed, trial.proposal, trial.status, trial.scores, full, again, ended_queries, clock, spent_epochs)
        )
        barren = barren + 1 if trial.status == "infeasible" else 0
        if barren >= MOST_INFEASIBLE and not ended:
            ended = f"the last {barren:,} proposals were all above a ceiling"
        if trial.scores is not None:
            reached = (-flight.trained, trial.scores[0])
            if best is None or reached < best:
                best = reached
                incumbents.append(Incumbent(len(steps) - 1, *truth.of(trial)))
    return Run(tuple(steps), tuple(incumbents), ended, teller.asked, teller.ask_s, teller.tell_s)


class _Teller:
    """The strategy, and the clock on it. It is made and told only once something has to be asked of it."""

    def __init__(self, benchmark: Benchmark, factory: Factory, earlier: Run | None):
        self._make = partial(make, factory, benchmark.space, known_of(benchmark))
        self._strategy: Strategy | None = None
        self._untold: list[tuple[Trial, bool]] = []
        self.asked = earlier.asked if earlier else 0
        self.ask_s = earlier.ask_s if earlier else 0.0
        self.tell_s = earlier.tell_s if earlier else 0.0

    def tell(self, trial: Trial, timed: bool) -> None:
        self._untold.append((trial, timed))

    def ask(self, rng: np.random.Generator, pending: tuple[Proposal, ...]) -> Proposal:
        if self._strategy is None:
            self._strategy = self._make()
        strategy = self._strategy
        for trial, timed in self._untold:
            began = time.perf_counter()
            strategy.tell(trial)
            self.tell_s += (time.perf_counter() - began) * timed
        self._untold.clear()
        began = time.perf_counter()
        proposal = strategy.ask(rng, pending)
        self.ask_s += time.perf_counter() - began
        self.asked += 1
        return proposal


class _Pace:
    """Seconds an epoch so far, which a failed training is charged at."""

    def __init__(self) -> None:
        self._seconds, self._epochs = 0.0, 0

    def add(self, seconds: float, epochs: int) -> None:
        self._seconds += seconds
        self._epochs += epochs

    def of(self, epochs: int) -> float:
        return epochs * (self._seconds / self._epochs if self._epochs else 1.0)


class _Plain:
    """The benchmark's evaluator; a training that took no simulated time takes a second an epoch."""

    def __init__(self, evaluator: Callable[..., Measurement]):
        self.evaluator = evaluator
        if hasattr(evaluator, "costs"):
            self.costs = evaluator.costs

    def __call__(self, proposal: Proposal, seed: int, context: Any = None) -> Measurement:
        found = self.evaluator(proposal, seed, context)
        return found if found.seconds > 0 else replace(found, seconds=float(max(1, found.epochs)))


def _begin(
    benchmark: Benchmark,
    proposal: Proposal,
    number: int,
    seed: int,
    ended: Mapping[int, _Flight],
    pace: _Pace,
) -> _Flight:
    """Look up what a training gives and costs."""
    continued = ended.get(proposal.continues) if proposal.continues is not None else None
    seeded = continued.trial.seed if continued is not None else evaluation_seed(seed, number)
    objectives = benchmark.objectives
    outcome = run(_Plain(benchmark.evaluator), objectives, Job(number, proposal, seeded))
    found = outcome.measurement
    trial = Trial(
        number,
        proposal,
        outcome.status,
        found,
        objectives.scores(found) if outcome.status == "done" and found is not None else None,
        objectives.violation(found.costs) if outcome.status == "infeasible" and found is not None else 0.0,
        outcome.reason,
        benchmark.space.key(proposal.architecture),
        seeded,
    )
    if outcome.status == "infeasible":
        return _Flight(trial, False, 0.0, 0, 0)
    before = continued.trained if continued is not None else 0
    asked = proposal.epochs or benchmark.max_epochs or 1
    if outcome.status == "failed" or found is None:
        epochs = max(0, asked - before)
        return _Flight(trial, continued is None, pace.of(epochs), epochs, before)
    seconds, epochs = found.seconds, found.epochs
    if continued is not None and before + epochs > asked:  # it counts from the first epoch on: take off what was paid
        paid = before / max(1, epochs)
        seconds, epochs = seconds * (1 - paid), epochs - before
    pace.add(seconds, max(1, epochs))
    trained = before + epochs if benchmark.max_epochs else 0
    return _Flight(trial, continued is None, seconds, epochs, trained)


class _Truth:
    """What an architecture is really worth: measured in full, which the run does not pay for."""

    def __init__(self, benchmark: Benchmark):
        self.benchmark = benchmark
        goals = benchmark.objectives.goals
        self.wanted = (goals[0].metric, benchmark.reported or goals[0].metric)
        self._known: dict[str, tuple[float, float | None]] = {}

    def of(self, trial: Trial) -> tuple[float, float | None]:
        key = trial.architecture.to_json()
        if key not in self._known:
            found: dict[tuple[float | None, ...], None] = {}
            for seed in range(DRAWS):
                try:
                    measured = self.benchmark.evaluator(Proposal(trial.architecture), seed, None)
                except Exception:
                    continue
                values = {**measured.costs, **measured.metrics}
                found[tuple(values.get(name) for name in self.wanted)] = None
            self._known[key] = self._mean(list(found), trial)
        return self._known[key]

    def _mean(self, found: list[tuple[float | None, ...]], trial: Trial) -> tuple[float, float | None]:
        means = [
            float(np.mean([row[i] for row in found if row[i] is not None]))
            if any(row[i] is not None for row in found)
            else None
            for i in (0, 1)
        ]
        value = means[0]
        if value is None:  # it cannot be trained in full: what was measured is all there is
            assert trial.scores is not None
            value = self.benchmark.objectives.goals[0].score(trial.scores[0])
        return value, means[1] if self.benchmark.reported else None
