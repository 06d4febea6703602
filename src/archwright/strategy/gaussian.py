"""Bayesian optimisation with a Gaussian process on what architectures compute: the default."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from archwright.objective import Objectives, ranked
from archwright.space import Architecture, Space
from archwright.space.counting import count
from archwright.space.narrowing import fitting
from archwright.strategy.seen import Seen
from archwright.strategy.strategy import Strategy
from archwright.strategy.surrogate.costs import KnownCosts
from archwright.strategy.surrogate.model import History, Model, begins
from archwright.strategy.surrogate.pool import Pool, near, whole_of
from archwright.trial import Proposal, Trial

__all__ = ["GaussianProcess"]

Array = NDArray[np.float64]

MOST_LOOKED_AT = 512  # so many candidates' exact costs are asked for, in search of one within the ceilings
PRICED = 64  # candidates whose costs are to be counted: to build a network takes milliseconds
PARENTS = 20  # architectures whose edits are candidates
INITIAL = (5, 10)  # where all of the space is compared, and where it is large
EXPLOIT = 3  # every so many proposals, one is what is expected to be best
RANDOM_DRAWS = 20  # of random architectures that may exceed the ceilings however narrow
ROAM = 2.5  # so many times the root of the number of trials are random ones, where the space is large
ROOM = 20_000_000  # numbers in the largest array of a model: candidates times trials


class GaussianProcess(Strategy):
    """Try what is expected to improve most on the best, by a Gaussian process on rich features.

    Jones, Schonlau & Welch, *Efficient Global Optimization of Expensive Black-Box Functions*, Journal of Global
    Optimization 13, 1998, on the features of `archwright.space.features`, after Kadlecová et al., *Surprisingly Strong
    Performance Prediction with Neural Graph Features*, ICML 2024 (https://arxiv.org/abs/2404.16551).

    - **Beginning**: the `examples`, then architectures far apart in the features, or random ones where the space is
      large, until `initial` are measured.
    - **Model**: scores become normal scores by rank. The kernel is a Matérn 5/2 and a linear one on weighted groups of
      features; weights and noise by marginal likelihood, anew after every tenth part more trials. Epochs are one more
      feature.
    - **Candidates**: every function of the space while it has at most `whole` architectures; else one and two edits
      of the best trials, and random ones. Of those, what exceeds a ceiling is made narrower until it does not. As many
      candidates are not all there is: so some trials are random ones, fewer and fewer, lest the search stay where it
      happened to begin.
    - **Choice**: the largest expected improvement; every third time, of one goal, what is expected to be best: the
      neighbours of the best differ by little, and few of them are in much doubt. Pending proposals are believed to
      score what is expected of them (kriging believer; Ginsbourger, Le Riche & Carraro, 2010).
    - **Several goals**: two by expected hypervolume improvement, more by random trade-offs (ParEGO). Goals that
      `costs` knows are not modelled.
    - **Ceilings**: what `costs` says to exceed them is not proposed, and how much of them is used is a feature, unless
      all of the space is compared. Without `costs`, and for failures, the chance that a trial succeeds is modelled, and
      improvement multiplied by it.
    - After 2,000 trials the model becomes a Bayesian linear one on random features, at a constant cost a trial.

    Args:
        space: Where architectures come from.
        initial: Trials before the model decides; by default 5, and 10 where the space is large.
        candidates: How many architectures are compared where the space is large; 64 at most of those whose costs are
            to be counted.
        whole: Spaces of at most so many architectures are compared whole, as long as there is room for it.
        examples: Architectures to begin with.
        objectives: The goals and ceilings; needed only to make use of `costs`.
        max_epochs: A full training; by default the longest told of.
        costs: The costs of an architecture that need not be trained for it.
    """

    def __init__(
        self,
        space: Space,
        *,
        initial: int | None = None,
        candidates: int = 500,
        whole: int = 65_536,
        examples: Sequence[Architecture] = (),
        objectives: Objectives | None = None,
        max_epochs: int | None = None,
        costs: Callable[[Architecture], Mapping[str, float]] | None = None,
    ):
        if whole < 0:
            raise ValueError(f"whole is a number of architectures, 0 or more, got {whole}")
        self._large = count(space.decisions) > whole  # before rules, as in `Whole`
        initial = INITIAL[self._large] if initial is None else initial
        if initial < 1:
            raise ValueError(f"initial must be at least 1, got {initial}")
        if candidates < 2:
            raise ValueError(f"candidates must be at least 2, got {candidates}")
        self.space = space
        self.initial = initial
        self.candidates = candidates
        self.whole = whole
        self.examples = tuple(examples)
        self.objectives = objectives
        self.max_epochs = max_epochs
        self.costs = costs
        self._known = None if costs is None or objectives is None else KnownCosts(space, costs, objectives)
        self._given = [space.architecture(dict(a)) for a in self.examples[:initial]]
        self._given_keys = [space.key(a) for a in self._given]
        self._whole = whole_of(space, whole)
        #: What counts the costs of every candidate; None where there are none, or all of the space is compared.
        self._priced = self._known if self._large else None
        self._seen = Seen(space)
        self._trials: list[Trial] = []
        self._codes: list[NDArray[np.int32]] = []
        self._keys: list[int] = []
        self._history = History()
        self._model: Model | None = None

    def tell(self, trial: Trial) -> None:
        self._seen.add(trial)
        codes = self.space.codes([trial.architecture])
        self._trials.append(trial)
        self._codes.append(codes[0])
        self._keys.append(int(trial.key or self.space.key(trial.architecture), 16))

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        given = self._seen.new(self._given_keys, pending)
        self._remember()
        done = self._history.n_measured
        if given and done < self.initial:
            return Proposal(self._given[given[0]], origin="given to begin with")
        n = len(self._trials) + len(pending)
        # Where few fit, what does not fit has told something too.
        informed = done + len(pending) >= self.initial or len(self._trials) >= 2 * self.initial
        begins = done < min(2, self.initial) or not informed
        if self._large and (begins or int(ROAM * (n + 1) ** 0.5) > int(ROAM * n**0.5)):
            found, origin = self._random(rng, pending), "random"
        elif begins:
            found, origin = self._far(rng, pending), "far from all others"
        else:
            found, origin = self._promising(rng, pending)
        if found is None:  # where hardly anything fits, more draws may find it
            found, origin = self._random(rng, pending), "random"
        return Proposal(found or self._seen.fresh(rng, pending), origin=origin)

    # The beginning

    def _random(self, rng: np.random.Generator, pending: Sequence[Proposal]) -> Architecture | None:
        """A new architecture, narrowed where it exceeds a ceiling; None where costs are unknown or nothing fits."""
        if self._known is None:
            return None
        for codes in self.space.sample_codes(rng, RANDOM_DRAWS):
            fits = fitting(self.space.decisions, codes, self._known.fits)
            found = None if fits is None else self.space.architecture(fits)
            if found is not None and self._rules(found) and self._seen.new([self.space.key(found)], pending):
                return found
        return None

    def _far(self, rng: np.random.Generator, pending: Sequence[Proposal]) -> Architecture | None:
        """An architecture far from those tried, in the features: the farthest of some."""
        pool = self._whole.pool
        assert pool is not None
        waiting, keys = self._tried(pending)
        tried = np.array([*(x[:-1] for x in self._history.x), *waiting])
        distance = np.ones(len(pool.keys))
        if len(tried):
            # Squared distances, less the candidate's own square, which is added once.
            nearest = ((tried * tried).sum(axis=1) - 2 * pool.features @ tried.T).min(axis=1)
            distance = np.maximum(nearest + (pool.features**2).sum(axis=1), 0)
        # Of a random half, so that seeds differ. Without paths, features are mostly values on a scale, and the farthest
        # would all be their ends: of a handful then.
        share = 0.5 if "paths" in self._whole.features.groups else 8 / len(distance)
        distance = np.where(rng.random(len(distance)) < share, distance, 0.01 * distance)
        return self._first_allowed(pool, distance + 1e-9 * rng.random(len(distance)), keys)

    def _tried(self, pending: Sequence[Proposal]) -> tuple[Array, NDArray[np.uint64]]:
        """Features of what is pending, and keys of everything told and pending."""
        codes = self.space.codes([p.architecture for p in pending])
        keys = self.space.keys(codes) if len(codes) else np.zeros(0, dtype=np.uint64)
        return self._described(codes, keys), np.concatenate([np.array(self._keys, dtype=np.uint64), keys])

    # The choice

    def _promising(self, rng: np.random.Generator, pending: Sequence[Proposal]) -> tuple[Architecture | None, str]:
        model = self._learnt()
        pool = model.pool
        waiting, keys = self._tried(pending)
        model = model.believing(waiting)
        if len(keys) % EXPLOIT == 0 and model.known == [None] and model.chance is None:
            return self._first_allowed(pool, model.hope(), keys), "expected to be best"
        trade = int(rng.integers(2**63))  # one trade-off of several goals, for guessed and for exact costs
        worth = model.worth(np.random.default_rng(trade))

        def exact(some: NDArray[np.int64], costs: list[Mapping[str, float]]) -> Array:
            return model.exact(some, costs, np.random.default_rng(trade))

        return self._first_allowed(pool, worth, keys, exact), "expected improvement"

    def _first_allowed(
        self,
        pool: Pool,
        worth: Array,
        tried: NDArray[np.uint64],
        exact: Callable[[NDArray[np.int64], list[Mapping[str, float]]], Array] | None = None,
    ) -> Architecture | None:
        """The candidate of most worth that is new, keeps the rules, and is within the ceilings."""
        order = np.argsort(-worth, kind="stable")
        order = order[~np.isin(pool.keys[order], tried)]
        if self._known is None or self.objectives is None:
            return next(
                (a for a in map(self.space.architecture, pool.codes[order[:MOST_LOOKED_AT]]) if self._rules(a)), None
            )
        # Where a goal is a cost, some are weighed by their exact costs together; else the first that fits is the one.
        together = 32 if any(g.metric in self.objectives.costs for g in self.objectives.goals) else 1
        for start in range(0, min(len(order), MOST_LOOKED_AT), together):
            fits, costs = [], []
            for i in order[start : start + together]:
                its = self._known.of(pool.codes[i])
                if its is not None and self.objectives.violation(its) <= 0:
                    fits.append(int(i))
                    costs.append(its)
            if fits:
                some = np.array(fits)
                values = worth[some] if exact is None else exact(some, costs)
                for i in some[np.argsort(-values, kind="stable")]:
                    if self._rules(found := self.space.architecture(pool.codes[i])):
                        return found
        return None

    def _rules(self, architecture: Architecture) -> bool:
        return not self.space.rules or architecture in self.space

    # What was learnt: a function of the trials told, however often and whenever it is asked for

    def _remember(self) -> None:
        """Bring the history up to date with what was told."""
        for i in range(len(self._history.x), len(self._trials)):
            trial = self._trials[i]
            x = self._features(self._codes[i], self._keys[i])
            full = self.max_epochs or 1
            epochs = np.log2((trial.proposal.epochs or full) / full)
            scores = trial.scores if trial.status == "done" and np.isfinite(trial.scores or (np.nan,)).all() else None
            costs = dict(trial.measurement.costs) if trial.measurement is not None else {}
            if self._known is not None:
                costs.update(self._known.of(self._codes[i]) or {})
            # A ceiling on what training alone tells is learnt as the chance of success is.
            good = scores is not None and trial.violation <= 0
            excused = good or (trial.status == "infeasible" and self._known is not None)
            self._history.add(np.append(x, epochs), scores, costs, excused)

    def _features(self, codes: NDArray[np.int32], key: int) -> Array:
        if self._model is not None:
            pool = self._model.pool
            at = int(np.searchsorted(pool.keys, np.uint64(key)))
            if at < len(pool.keys) and (pool.codes[at] == codes).all():
                return pool.features[at]
        return self._described(codes[None, :], np.array([key], dtype=np.uint64))[0]

    def _described(self, codes: NDArray[np.int32], keys: NDArray[np.uint64]) -> Array:
        """Features of some architectures: what they compute, and, unless all of the space is compared, their costs."""
        computed = self._whole.of(codes, keys)
        return computed if self._priced is None else np.hstack([computed, self._priced.features(codes)])

    def _learnt(self) -> Model:
        n, whole = len(self._trials), self._whole.pool
        if whole is not None and n * len(whole.keys) > ROOM:
            whole = None
        begun = begins(self._history, n, whole=whole is not None)
        begun = max(begun, self._history.improved[1])  # by then, something had been measured
        if self._model is None or self._model.begun != begun:
            pool = whole or self._around(begun)
            names = [] if self._known is None else self._known.names
            first, size = self._whole.features.size, pool.features.shape[1]
            groups = [*self._whole.features.weighed, *(slice(i, i + 1) for i in range(first, size))]
            if self._model is not None and self._model.begun < begun:
                self._model.learn(begun)
            self._model = Model(pool, groups, self._history, begun, self.objectives, names, self._model)
        self._model.learn(n)
        return self._model

    def _around(self, n: int) -> Pool:
        """Edits of the best of the first n trials, and random architectures."""
        best = ranked([t for t in self._trials[:n] if t.status == "done"])[:PARENTS]
        rng, parents = np.random.default_rng(n), self.space.codes([t.architecture for t in best])
        most = self.candidates if self._priced is None else min(self.candidates, PRICED)
        edits = most // 2 if best else 0
        codes = self.space.sample_codes(rng, most - edits)
        if edits:
            codes = np.concatenate([near(self.space.decisions, parents, edits, rng), codes])
        if self._priced is None:
            return self._whole.pool_of(codes)
        pool = self._whole.pool_of(self._priced.fitted(codes))
        features = np.hstack([pool.features, self._priced.features(pool.codes)])
        return replace(pool, features=features, costs=self._priced.together(pool.codes))
