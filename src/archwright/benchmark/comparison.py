"""What a comparison found: every run, and all that is worked out from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from archwright.benchmark import statistics
from archwright.benchmark.problem import Benchmark
from archwright.benchmark.simulation import Run, Step
from archwright.objective import format_seconds, hypervolume, non_dominated_sort
from archwright.run.budget import Budget

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Comparison", "Duel", "Ranking", "Series"]

UNITS = {"trials": "queries", "seconds": "seconds", "epochs": "epochs"}
CHECKPOINTS = (30, 50, 100, 150, 200, 300, 500, 1000, 2000, 5000, 10_000)
MOST_POINTS = 200
ALPHA = 0.05


@dataclass(frozen=True)
class Series:
    """How far one run was from the best answer, as a step function of what it had spent.

    Args:
        spent: Where it changes, rising.
        gap: What it is from there on: the regret, or the missing share of the hypervolume.
    """

    spent: NDArray[np.float64]
    gap: NDArray[np.float64]

    def at(self, spent: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """The gap after so much was spent; infinite while nothing had been measured."""
        place = np.searchsorted(self.spent, np.asarray(spent, dtype=float), side="right")
        return np.concatenate([[np.inf], self.gap])[place]


@dataclass(frozen=True)
class Ranking:
    """Mean ranks of the strategies, and which of them the ranks tell apart.

    Args:
        blocks: What was ranked within: ``"seeds"`` of one benchmark, or ``"benchmarks"``.
        test: Friedman's.
        difference: Nemenyi's critical difference of mean ranks.
        cliques: Positions of strategies that it does not tell apart, the largest groups.
    """

    blocks: str
    test: statistics.Friedman
    difference: float
    cliques: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Duel:
    """Two strategies on the same seeds of a benchmark.

    Args:
        first: A strategy.
        second: Another.
        result: Who won how often, and Wilcoxon's p.
        corrected: That p after Holm's correction over its family of tests.
    """

    first: str
    second: str
    result: statistics.Paired
    corrected: float


@dataclass(frozen=True)
class Comparison:
    """The outcome of `archwright.benchmark.compare`. Everything is worked out from the runs when it is asked for.

    Args:
        benchmarks: By name.
        strategies: Their names, in the order given.
        runs: By benchmark, strategy and seed.
        seeds: How many; they are 0, 1, 2, ...
        budget: Of each run; one of queries (its trials), simulated seconds, epochs.
        parallel: Simulated workers of each run.
        control: The strategy that all others are tested against.
        computed: How many runs were made now; the others had been kept.
        settings: Of each strategy, for people.
        command: What repeats it.
    """

    benchmarks: Mapping[str, Benchmark]
    strategies: tuple[str, ...]
    runs: Mapping[tuple[str, str, int], Run]
    seeds: int
    budget: Budget
    parallel: int = 1
    control: str = ""
    computed: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    command: str = ""

    # What is spent

    @cached_property
    def unit(self) -> str:
        """``queries``, ``seconds`` or ``epochs``."""
        return next(UNITS[name] for name in UNITS if getattr(self.budget, name) is not None)

    @cached_property
    def amount(self) -> float:
        """The budget, in its unit."""
        return float(next(v for v in (self.budget.trials, self.budget.seconds, self.budget.epochs) if v is not None))

    @cached_property
    def checkpoints(self) -> tuple[float, ...]:
        """Where tables and tests look: 30, 50, 100, 150, ... queries; or shares of another budget; and its end."""
        if self.unit == "queries":
            return (*(float(c) for c in CHECKPOINTS if c < self.amount), self.amount)
        return tuple(self.amount * share for share in (0.2, 1 / 3, 2 / 3, 1.0))

    @cached_property
    def grid(self) -> NDArray[np.float64]:
        """Where curves are drawn."""
        if self.unit == "queries":
            return np.unique(np.linspace(1, self.amount, min(int(self.amount), MOST_POINTS)).round())
        return np.linspace(0, self.amount, MOST_POINTS + 1)[1:]

    def said(self, spent: float) -> str:
        """An amount of the budget's unit, for people.

        >>> Comparison({}, (), {}, 1, Budget(trials=1500)).said(1500)
        '1,500 queries'
        """
        return format_seconds(spent) if self.unit == "seconds" else f"{round(spent):,} {self.unit}"

    def spent(self, step: Step) -> float:
        """What had been spent when a trial was told."""
        return float(getattr(step, self.unit))

    # How good it was

    @cached_property
    def best(self) -> dict[str, float | None]:
        """The first goal's best value on each benchmark; the best found by any run where it is not known."""
        found: dict[str, float | None] = {}
        for name, benchmark in self.benchmarks.items():
            score = benchmark.objectives.goals[0].score
            values = [i.value for (b, _, _), run in self.runs.items() if b == name for i in run.incumbents]
            found[name] = benchmark.best if benchmark.best is not None else min(values, key=score, default=None)
        return found

    def several_goals(self, benchmark: str) -> bool:
        """Whether the gap is a share of the hypervolume; else it is a regret."""
        return len(self.benchmarks[benchmark].objectives.goals) > 1

    @cached_property
    def _series(self) -> dict[tuple[str, str, int], Series]:
        fronts = {name: self._front(name) for name in self.benchmarks if self.several_goals(name)}
        made = {}
        for (benchmark, strategy, seed), run in self.runs.items():
            if benchmark in fronts:
                made[benchmark, strategy, seed] = self._volumes(run, *fronts[benchmark])
            else:
                made[benchmark, strategy, seed] = self._regrets(benchmark, run)
        return made

    def series(self, benchmark: str, strategy: str, seed: int) -> Series:
        """How one run went."""
        return self._series[benchmark, strategy, seed]

    def _regrets(self, benchmark: str, run: Run) -> Series:
        goal, best = self.benchmarks[benchmark].objectives.goals[0], self.best[benchmark]
        assert best is not None or not run.incumbents
        spent = [self.spent(run.steps[i.step]) for i in run.incumbents]
        gaps = [max(0.0, goal.score(i.value) - goal.score(best or 0.0)) for i in run.incumbents]
        near = 1e-9 * max(1.0, abs(best or 0.0))
        return Series(np.array(spent), np.array([0.0 if gap <= near else gap for gap in gaps]))

    def _front(self, benchmark: str) -> tuple[list[float], float]:
        """The reference point of the hypervolume, and what the whole front has; that of all runs where unknown."""
        known = self.benchmarks[benchmark].front
        if known:
            return list(known["reference"]), hypervolume(known["scores"], known["reference"])
        runs = [run for (b, _, _), run in self.runs.items() if b == benchmark]
        scores = np.array([s.scores for run in runs for s in run.steps if s.scores is not None and s.full])
        if not len(scores):
            return [0.0] * len(self.benchmarks[benchmark].objectives.goals), 0.0
        reference = scores.max(axis=0).tolist()
        return reference, hypervolume(scores[non_dominated_sort(scores) == 0], reference)

    def _volumes(self, run: Run, reference: list[float], whole: float) -> Series:
        front: list[tuple[float, ...]] = []
        spent, gaps = [0.0], [1.0]
        for step in run.steps:
            new = step.scores
            if new is None or not step.full or any(all(a <= b for a, b in zip(old, new, strict=True)) for old in front):
                continue
            front = [old for old in front if not all(a <= b for a, b in zip(new, old, strict=True))] + [new]
            gap = 1 - hypervolume(front, reference) / whole if whole > 0 else 0.0
            spent.append(self.spent(step))
            gaps.append(0.0 if gap < 1e-9 else gap)
        return Series(np.array(spent), np.array(gaps))

    def gaps(self, benchmark: str, strategy: str, spent: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """The gaps of all seeds after amounts of the budget. Shape: (seeds, len(spent))."""
        return np.stack([self.series(benchmark, strategy, seed).at(spent) for seed in range(self.seeds)])

    def losses(self, benchmark: str, spent: float) -> NDArray[np.float64]:
        """The gaps of all strategies after one amount. Shape: (seeds, strategies)."""
        return np.stack([self.gaps(benchmark, s, [spent])[:, 0] for s in self.strategies], axis=1)

    def to_optimum(self, benchmark: str, strategy: str) -> list[float]:
        """What each seed had spent when it first had the best answer; infinite where the budget ended before."""
        found = []
        for seed in range(self.seeds):
            series = self.series(benchmark, strategy, seed)
            solved = series.spent[(series.gap == 0) & (series.spent <= self.amount)]
            found.append(float(solved[0]) if len(solved) else math.inf)
        return found

    # Statistics

    def ranking(self, benchmark: str | None = None, spent: float | None = None) -> Ranking:
        """Ranks after so much of the budget, all of it by default.

        Args:
            benchmark: Seeds are ranked within it. Without one, benchmarks are, by their mean gap over the seeds.
            spent: An amount in the budget's unit.
        """
        at = self.amount if spent is None else spent
        if benchmark is None:
            losses, blocks = np.stack([self.losses(name, at).mean(axis=0) for name in self.benchmarks]), "benchmarks"
        else:
            losses, blocks = self.losses(benchmark, at), "seeds"
        test = statistics.friedman(losses)
        difference = statistics.critical_difference(len(self.strategies), test.blocks, ALPHA)
        return Ranking(blocks, test, difference, tuple(statistics.cliques(test.mean_ranks, difference)))

    def duels(self, benchmark: str, spent: float | None = None, *, control: bool = True) -> list[Duel]:
        """Wilcoxon's tests over the seeds of a benchmark: of all others against the control, or of all pairs.

        Holm's correction is over the tests that are returned together.
        """
        losses = self.losses(benchmark, self.amount if spent is None else spent)
        names = self.strategies
        if control:
            c = names.index(self.control)
            pairs = [(i, c) for i in range(len(names)) if i != c]
        else:
            pairs = [(i, j) for i in range(len(names)) for j in range(i + 1, len(names))]
        results = [statistics.paired(losses[:, i], losses[:, j]) for i, j in pairs]
        corrected = statistics.holm([result.p for result in results])
        return [
            Duel(names[i], names[j], result, p)
            for (i, j), result, p in zip(pairs, results, corrected, strict=True)
        ]  # fmt: skip

    def within(self, run: Run) -> list[Step]:
        """The trials of a run that ended within the budget."""
        return [step for step in run.steps if self.spent(step) <= self.amount]

    def summary(self) -> list[dict[str, Any]]:
        """A mapping of figures for each strategy on each benchmark, in plain JSON values but for infinities."""
        rows = []
        for benchmark in self.benchmarks:
            ranked = self.ranking(benchmark).test.mean_ranks
            for strategy, rank in zip(self.strategies, ranked, strict=True):
                rows.append({"benchmark": benchmark, "strategy": strategy, **self._figures(benchmark, strategy, rank)})
        return rows

    def _figures(self, benchmark: str, strategy: str, rank: float) -> dict[str, Any]:
        runs = [self.runs[benchmark, strategy, seed] for seed in range(self.seeds)]
        reached = self.to_optimum(benchmark, strategy)
        gaps = self.gaps(benchmark, strategy, self.checkpoints)
        steps = [self.within(run) for run in runs]
        reported = [r for run in runs if (r := self._reported(run)) is not None]
        asked = sum(run.asked for run in runs)
        return {
            "mean_gap": dict(zip(map(float, self.checkpoints), gaps.mean(axis=0).tolist(), strict=True)),
            "median_gap": dict(zip(map(float, self.checkpoints), np.median(gaps, axis=0).tolist(), strict=True)),
            "to_optimum": {
                "median": statistics.quantile(reached, 0.5),
                "p90": statistics.quantile(reached, 0.9),
                "solved": float(np.mean([math.isfinite(x) for x in reached])),
            },
            "mean_rank": rank,
            "reported": float(np.mean(reported)) if reported and not self.several_goals(benchmark) else None,
            "queries": float(np.mean([s[-1].queries if s else 0 for s in steps])),
            "epochs": float(np.mean([s[-1].epochs if s else 0 for s in steps])),
            "seconds": float(np.mean([s[-1].seconds if s else 0 for s in steps])),
            **{
                status: float(np.mean([sum(t.status == status for t in s) for s in steps]))
                for status in ("failed", "infeasible")
            },
            "repeated": float(np.mean([sum(t.again for t in s) for s in steps])),
            "ended_early": sum(bool(run.ended) for run in runs),
            "ask_ms": 1000 * sum(run.ask_s for run in runs) / max(1, asked),
            "tell_ms": 1000 * sum(run.tell_s for run in runs) / max(1, asked),
        }

    def _reported(self, run: Run) -> float | None:
        found = [i.reported for i in run.incumbents if self.spent(run.steps[i.step]) <= self.amount]
        return found[-1] if found else None

    def table(self) -> pd.DataFrame:
        """Every trial of every run within the budget: what was spent, and how good the best was by then.

        Columns: benchmark, strategy, seed, query, seconds, epochs, status, best (the first goal's true value of the
        incumbent), regret (of several goals: the missing share of the hypervolume), reported (the incumbent's).
        """
        import pandas as pd

        parts = []
        for (benchmark, strategy, seed), run in self.runs.items():
            steps = self.within(run)
            places = np.searchsorted([i.step for i in run.incumbents], np.arange(len(steps)), side="right") - 1
            best = [run.incumbents[p].value if p >= 0 else None for p in places]
            reported = [run.incumbents[p].reported if p >= 0 else None for p in places]
            gaps = self.series(benchmark, strategy, seed).at([self.spent(step) for step in steps])
            parts.append(
                pd.DataFrame(
                    {
                        "benchmark": benchmark,
                        "strategy": strategy,
                        "seed": seed,
                        "query": [s.queries for s in steps],
                        "seconds": [s.seconds for s in steps],
                        "epochs": [s.epochs for s in steps],
                        "status": [s.status for s in steps],
                        "best": pd.Series(best, dtype=float),
                        "regret": np.where(np.isfinite(gaps), gaps, np.nan),
                        "reported": pd.Series(reported, dtype=float),
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)
