"""What the Gaussian-process strategy has learnt at one moment, and what it makes of its candidates."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from copy import copy

import numpy as np
from numpy.typing import NDArray

from archwright.objective import Objectives, non_dominated_sort
from archwright.strategy.surrogate.acquisition import (
    expected_hypervolume_improvement,
    expected_improvement,
    scalarised_improvement,
)
from archwright.strategy.surrogate.linear import LinearBelief
from archwright.strategy.surrogate.pool import Pool
from archwright.strategy.surrogate.process import Belief, fit, gaussianised

AnyBelief = Belief | LinearBelief

__all__ = ["History", "Model", "begins", "fits"]

Array = NDArray[np.float64]

MOST_EXACT = 2000  # with more trials, the Gaussian process becomes a linear model on random features
MOST_FITTED = 200  # hyperparameters are fitted to so many trials


class History:
    """Everything told, one entry a trial: features (the last is log2 of the epochs), scores, costs."""

    def __init__(self) -> None:
        self.x: list[Array] = []
        self.scores: list[tuple[float, ...] | None] = []  # None where nothing was measured
        self.costs: list[Mapping[str, float]] = []
        self.excused: list[bool] = []  # measured and good, or not for want of a ceiling that is known beforehand
        self.improved: list[int] = [0]  # after how many trials some goal had a new best
        self.n_measured = 0
        self._best: Array | None = None

    def add(self, x: Array, scores: tuple[float, ...] | None, costs: Mapping[str, float], excused: bool) -> None:
        """One more trial."""
        self.x.append(x)
        self.scores.append(scores)
        self.costs.append(costs)
        self.excused.append(excused)
        if scores is not None:
            self.n_measured += 1
            now = np.array(scores)
            if self._best is None or (now < self._best).any():
                self.improved.append(len(self.x))
                self._best = now if self._best is None else np.minimum(now, self._best)

    def measured(self, n: int) -> list[int]:
        """Which of the first n trials were."""
        return [i for i in range(n) if self.scores[i] is not None]

    def guessed_costs(self, n: int, names: Sequence[str], at: Array) -> dict[str, Array]:
        """Costs at features `at`, by ridge regression of their logarithms on the first n trials.

        They only decide whose exact costs are asked for first.
        """
        told = [i for i in range(n) if all(name in self.costs[i] for name in names)]
        x = np.array([self.x[i][:-1] for i in told]).reshape(len(told), at.shape[1])
        logs = np.log([[max(self.costs[i][name], 1e-12) for name in names] for i in told]).reshape(
            len(told), len(names)
        )
        centre = logs.mean(axis=0) if told else np.zeros(len(names))
        weights = np.linalg.solve(x @ x.T + 1e-3 * np.eye(len(x)), logs - centre)
        found = np.exp(np.clip(at @ (x.T @ weights) + centre, -50, 50))
        return {name: found[:, i] for i, name in enumerate(names)}


def fits(n: int) -> int:
    """How many trials the hyperparameters are fitted to when n have been told: all at first, then every tenth more."""
    at = min(n, 20)
    while (after := int(1.1 * at)) <= n and after > at:
        at = after
    return at


def begins(history: History, n: int, *, whole: bool) -> int:
    """After how many trials the model of n was begun; the trials since were only added to it.

    New hyperparameters begin another, and so do new candidates where they are not the whole space: with every trial at
    first, later with every fiftieth part more, and whenever a goal's best was improved.
    """
    if whole:
        return fits(n)
    every = max(1, n // 50)
    return max(fits(n), n - n % every, history.improved[bisect_right(history.improved, n) - 1])


class Model:
    """A posterior for each goal that needs one, and what it makes of the candidates.

    Args:
        pool: The candidates.
        groups: The columns of each group of features.
        history: What has been told.
        begun: How many of those trials to begin with; `learn` brings the others.
        objectives: The goals and ceilings, if they are known.
        costs: Names of the costs that are known without training.
        before: An earlier model, brought up to date: what it has in common with this one is taken from it.
    """

    def __init__(
        self,
        pool: Pool,
        groups: Sequence[slice],
        history: History,
        begun: int,
        objectives: Objectives | None,
        costs: Sequence[str],
        before: Model | None = None,
    ):
        self.pool, self.history, self.begun, self.n = pool, history, begun, begun
        self.done = history.measured(begun)
        goals = len(history.scores[self.done[0]] or ())
        named = objectives.goals if objectives is not None and costs else ()
        #: For each goal, the cost that it is, if that is known without training, and its sign.
        self.known = [(g.metric, g.score(1.0)) if g.metric in costs else None for g in named] or [None] * goals
        x = np.array(history.x[:begun])
        self.full = float(x[:, -1].max())
        self.varied = bool(np.ptp(x[:, -1]) > 0)  # whether trainings differed in length
        columns = [*groups, slice(x.shape[1] - 1, x.shape[1])] if self.varied else list(groups)
        at = np.concatenate([pool.features, np.full((len(pool.features), 1), self.full)], axis=1)

        first = fits(begun)
        kind = Belief if begun <= MOST_EXACT else LinearBelief
        usable = before is not None and fits(before.begun) == first and before.varied == self.varied

        def belief(old: AnyBelief | None, targets: Array, rows: list[int]) -> AnyBelief:
            """One of the trials in these rows: begun with the first, then the others one by one, so that a resumed
            search comes to the very same numbers.
            """
            if usable and type(old) is kind:
                return old.moved(at)
            early = [i for i in rows if i < first] or rows
            some = _informative(targets[: len(early)])
            made = kind(at[:0], fit(x[early][some], gaussianised(targets[some]), columns))
            made.observe(x[early])
            for i in rows[len(early) :]:
                made.observe(x[i][None, :])
            return made.moved(at)

        olds = before.beliefs if before is not None else [None] * goals
        self.beliefs: list[AnyBelief | None] = [
            None if known else belief(olds[goal], self._scores(goal), self.done)
            for goal, known in enumerate(self.known)
        ]
        self.chance: AnyBelief | None = None
        if not all(history.excused[:begun]):
            old = before.chance if before is not None else None
            self.chance = belief(old, self._labels(), list(range(begun)))
        self.guesses = pool.costs or (history.guessed_costs(begun, costs, pool.features) if costs else {})
        self.ceilings = objectives.ceilings if objectives is not None and costs else ()
        self._known_targets: dict[tuple[int, int, int], Array] = {}
        self.expected: list[Array] = [np.zeros(0) for _ in self.known]  # of pending trials, goal by goal

    def learn(self, n: int) -> None:
        """Learn from the trials of the history up to the n-th, one by one."""
        for i in range(self.n, n):
            x = self.history.x[i][None, :]
            if self.history.scores[i] is not None:
                self.done.append(i)
                for belief in self.beliefs:
                    if belief is not None:
                        belief.observe(x)
            if self.chance is not None:
                self.chance.observe(x)
        self.n = max(self.n, n)

    def believing(self, features: Array) -> Model:
        """The same, with trials at these features believed to score what is expected of them."""
        if not len(features):
            return self
        x = np.concatenate([features, np.full((len(features), 1), self.full)], axis=1)
        other = copy(self)
        other.beliefs, other.expected = [], []
        for goal, belief in enumerate(self.beliefs):
            other.expected.append(np.zeros(0) if belief is None else belief.elsewhere(x, self._targets(goal)))
            if belief is not None:
                belief = belief.copy()
                belief.observe(x)
            other.beliefs.append(belief)
        return other

    # What the candidates are worth

    def hope(self) -> Array:
        """How good every candidate is expected to be, of the only goal."""
        (belief,) = self.beliefs
        assert belief is not None
        return -belief.mean(self._targets(0))

    def worth(self, trade: np.random.Generator) -> Array:
        """The expected improvement at every candidate, times the chance of success; costs are guessed."""
        worth = self._improvement(np.arange(len(self.pool.keys)), self.guesses, trade)
        for ceiling in (c for c in self.ceilings if c.cost in self.guesses):
            # What is guessed to lie above a ceiling may still lie below: it is looked at later.
            worth = worth * np.minimum(1.0, (ceiling.limit / self.guesses[ceiling.cost]) ** 10)
        if self.chance is not None:
            y = self._labels()
            # Squared: a trial that does not succeed is not only lost, it also tells little of the goals.
            from scipy.special import ndtr

            worth = worth * ndtr(self.chance.mean(y) / np.sqrt(self.chance.deviation(y) ** 2 + 0.1)) ** 2
        return worth

    def exact(self, some: NDArray[np.int64], costs: Sequence[Mapping[str, float]], trade: np.random.Generator) -> Array:
        """The same at some candidates, from their exact costs."""
        if not any(self.known):
            return self.worth(trade)[some]
        named = {name: np.array([c[name] for c in costs]) for name in costs[0]}
        return self._improvement(some, named, trade)

    def _improvement(self, some: NDArray[np.int64], costs: Mapping[str, Array], trade: np.random.Generator) -> Array:
        means, deviations, reached = [], [], []
        for goal, (known, belief) in enumerate(zip(self.known, self.beliefs, strict=True)):
            if belief is None:
                assert known is not None
                name, sign = known
                told = self._scores(goal)
                scale = told.std() or 1.0
                means.append(sign * costs[name] / scale)
                deviations.append(np.zeros(len(some)))
                reached.append(told / scale)
                continue
            y = self._targets(goal)
            means.append(belief.mean(y)[some])
            deviations.append(belief.deviation(y)[some])
            reached.append(self._reached(belief, y))
        mean, deviation, told = np.array(means).T, np.array(deviations).T, np.array(reached).T
        if len(means) == 1:
            return expected_improvement(mean[:, 0], deviation[:, 0], told.min())
        if len(means) == 2:
            front = told[non_dominated_sort(told) == 0]
            return expected_hypervolume_improvement(
                mean, deviation, front, told.max(axis=0) + 0.1 * np.ptp(told, axis=0)
            )
        return scalarised_improvement(mean, deviation, told, trade)

    def _targets(self, goal: int) -> Array:
        """Normal scores of the measured trials, then what is expected of pending ones."""
        key = (goal, len(self.done), len(self.expected[goal]))
        if key not in self._known_targets:  # the same array each time, so that beliefs can tell
            scores = gaussianised(self._scores(goal))
            self._known_targets = {key: np.concatenate([scores, self.expected[goal]])} | {
                k: v for k, v in self._known_targets.items() if k[1:] == key[1:]
            }
        return self._known_targets[key]

    def _scores(self, goal: int) -> Array:
        return np.array([self.history.scores[i][goal] for i in self.done])  # type: ignore[index]

    def _reached(self, belief: AnyBelief, y: Array) -> Array:
        """What a full training of each measured architecture is expected to score."""
        if not self.varied:
            return belief.smoothed(y)[: len(self.done)]
        x = np.array([self.history.x[i] for i in self.done])
        x[:, -1] = self.full
        return belief.elsewhere(x, y)

    def _labels(self) -> Array:
        told = zip(self.history.scores[: self.n], self.history.excused, strict=False)
        return np.array([1.0 if s is not None and good else -1.0 for s, good in told])


def _informative(targets: Array) -> NDArray[np.int64]:
    """Of many trials, the best and some of the others, in order: enough for hyperparameters."""
    if len(targets) <= MOST_FITTED:
        return np.arange(len(targets))
    order = np.argsort(targets, kind="stable")
    rest = np.random.default_rng(len(targets)).permutation(order[MOST_FITTED // 2 :])
    return np.sort(np.concatenate([order[: MOST_FITTED // 2], rest[: MOST_FITTED // 2]]))
