"""Optuna's samplers: TPE, CMA-ES, its Gaussian process and others, through one adapter."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from archwright.errors import ArchwrightError, MissingExtraError, ObjectiveError, did_you_mean
from archwright.objective import Objectives
from archwright.space import Architecture, Space
from archwright.strategy.reward import Reward
from archwright.strategy.seen import Seen
from archwright.strategy.strategy import Strategy
from archwright.trial import Proposal, Trial

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

__all__ = ["SAMPLERS", "Optuna"]

SAMPLERS = {
    "tpe": "TPESampler",
    "cma-es": "CmaEsSampler",
    "gp": "GPSampler",
    "nsga2": "NSGAIISampler",
    "nsga3": "NSGAIIISampler",
    "random": "RandomSampler",
}
"""Names for the `sampler` of `Optuna`, and the class in ``optuna.samplers`` that each stands for."""

ONE_GOAL = ("cma-es",)
CONSTRAINED = ("tpe", "gp", "nsga2", "nsga3")
KEEP_NOTES = ("cma-es", "nsga2", "nsga3")  # they write on each trial, when it is asked for, what they need later
MOST_CATEGORIES = 256


class Optuna(Strategy):
    """Propose what one of Optuna's samplers would.

    Akiba et al., *Optuna: A Next-generation Hyperparameter Optimization Framework*, KDD 2019
    (https://arxiv.org/abs/1907.10902). Samplers: ``tpe``, Watanabe, *Tree-Structured Parzen Estimator*, 2023
    (https://arxiv.org/abs/2304.11127); ``cma-es``, Hansen, *The CMA Evolution Strategy: A Tutorial*, 2016
    (https://arxiv.org/abs/1604.00772); ``gp``, a Gaussian process under log expected improvement, Ament et al.,
    NeurIPS 2023 (https://arxiv.org/abs/2310.20708); ``nsga2``, ``nsga3`` and ``random``.

    How a search over architectures is put to them, and where this departs from Optuna's own loop:

    - A parameter is the code of a decision: `integer` and `repeat` times as integers, `real` as a float over its
      (possibly logarithmic) range, `choice` and `subset` as categories (as integers beyond 256 options). Only live
      decisions are suggested, parents first. ``tpe`` models conditional spaces by groups of decisions that live
      together, unless `settings` say otherwise; ``gp`` and ``cma-es`` model decisions that were live in every trial,
      ``cma-es`` only ordered ones (`integer`, `real`); the others are drawn at random, as Optuna does.
    - Every trial is told. A failed one (or a score that is not a number) is a failed trial, which samplers ignore; one
      above a ceiling violates a constraint, and gets the worst scores so far, worsened by its violation, for samplers
      that ignore constraints. Pending proposals are running trials (the constant liar).
    - ``cma-es`` knows one goal: of several it is told the averaged `Reward`, scaled by the range so far.
    - A sampler is made anew for each ask, with a seed from the search's generator, and the study forgets the ask. So
      ``gp`` does not start its fit from the one before, and notes that samplers keep on trials (the generation
      of ``nsga2``, the distribution of ``cma-es``) are written when a trial is told, whoever proposed it.
    - A duplicate, or what a rule forbids, is sampled again, up to `tries` times in all, with the rejected ones counting
      as running; then a random new architecture takes its place. The origin says which.

    Args:
        space: Where architectures come from.
        sampler: One of `SAMPLERS`.
        settings: Arguments of the sampler's class that differ from its own defaults; JSON values.
        objectives: The goals and ceilings, if known: samplers that cannot serve them say so at once.
        seed: Of what samplers draw when a trial is told.
        tries: How often one proposal is sampled.

    Raises:
        MissingExtraError: Optuna is not installed.
    """

    def __init__(
        self,
        space: Space,
        *,
        sampler: str = "tpe",
        settings: Mapping[str, Any] | None = None,
        objectives: Objectives | None = None,
        seed: int = 0,
        tries: int = 4,
    ):
        if sampler not in SAMPLERS:
            raise ArchwrightError(f"Optuna has no sampler {sampler!r} here. {did_you_mean(sampler, SAMPLERS)}")
        if tries < 1:
            raise ValueError(f"tries must be at least 1, got {tries}")
        _import_optuna(sampler)
        self.space = space
        self.sampler = sampler
        self.settings = dict(settings or {})
        self.objectives = objectives
        self.seed = seed
        self.tries = tries
        self._lasting: dict[str, Any] = {}
        self._given = {**_suited(sampler, space, len(objectives.goals) if objectives else 1), **self.settings}
        self._check_settings()
        self._distributions = {d.name: _distribution(d.kind, d.size) for d in space.decisions}
        self._seen = Seen(space)
        self._reward = Reward()
        self._told: list[Trial] = []
        self._worst: np.ndarray | None = None
        self._best: np.ndarray | None = None
        goals = 1 if objectives is None or sampler in ONE_GOAL else len(objectives.goals)
        constrained = objectives is not None and bool(objectives.ceilings)
        self._form = (goals, constrained and sampler in CONSTRAINED)
        self._begin()

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        from optuna.trial import TrialState

        # A new sampler for each ask: what one remembers of earlier asks would be lost to a resumed search.
        self.study.sampler = self._sampler(int(rng.integers(2**31)))
        with self._memory.forgetting():
            for proposal in pending:
                self._add(proposal.architecture, TrialState.RUNNING)
            for drawn in range(1, self.tries + 1):
                architecture = self._suggest()
                # Optuna may not know that nothing is left, so novelty is checked here, before rules, which cost more.
                if self._seen.new([self.space.key(architecture)], pending) and architecture in self.space:
                    again = "" if drawn == 1 else f", drawn {drawn} times for a new one"
                    return Proposal(architecture, origin=f"{self.sampler}{again}")
        return Proposal(self._seen.fresh(rng, pending), origin=f"random, for want of a new one from {self.sampler}")

    def tell(self, trial: Trial) -> None:
        self._seen.add(trial)
        self._reward.add(trial)
        self._told.append(trial)
        goals, constrained = self._form
        if trial.status == "done" and trial.scores is not None and self.sampler not in ONE_GOAL:
            goals = len(trial.scores)
        # Samplers want all trials constrained or none: the first violation makes the study anew.
        constrained = constrained or (trial.violation > 0 and self.sampler in CONSTRAINED)
        if (goals, constrained) != self._form:
            if goals != self._form[0] and any(t.status == "done" for t in self._told[:-1]):
                raise ObjectiveError(f"trial {trial.number} has {goals} scores, those before it {self._form[0]}")
            self._form = (goals, constrained)
            self._begin()
            for earlier in self._told[:-1]:
                self._put(earlier)
        self._put(trial)

    def _begin(self) -> None:
        """A study without trials."""
        import optuna

        self._memory = _memory()
        self._lasting = _lasting()
        self._worst = self._best = None
        self._puts = 0
        before = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # it would announce every study
        try:
            self.study: Study = optuna.create_study(storage=self._memory, directions=["minimize"] * self._form[0])
        finally:
            optuna.logging.set_verbosity(before)

    def _put(self, trial: Trial) -> None:
        """Give a told trial to the study."""
        from optuna.trial import TrialState

        notes: dict[str, Any] = {}
        if self.sampler in KEEP_NOTES:
            self.study.sampler = self._sampler(
                int(np.random.SeedSequence([self.seed, self._puts]).generate_state(1)[0])
            )
            with self._memory.forgetting(notes=False), _quiet():
                asked = self.study.ask()
                _ = asked.relative_params
                notes = dict(self._memory.get_trial(asked._trial_id).system_attrs)
        self._puts += 1
        values = self._values(trial)
        state = TrialState.FAIL if values is None else TrialState.COMPLETE
        self._add(trial.architecture, state, values, max(0.0, trial.violation), notes)

    def _values(self, trial: Trial) -> list[float] | None:
        """What the study is told of a trial's scores; None for one that failed."""
        if trial.status == "done" and trial.scores is not None:
            if not np.all(np.isfinite(trial.scores)):
                return None
            one = self.sampler in ONE_GOAL and len(trial.scores) > 1
            scores = np.array([-self._reward.of(trial)] if one else trial.scores, dtype=float)
            self._worst = scores if self._worst is None else np.maximum(self._worst, scores)
            self._best = scores if self._best is None else np.minimum(self._best, scores)
            return scores.tolist()
        if trial.status != "infeasible":
            return None
        excess = trial.violation / (1 + trial.violation) if math.isfinite(trial.violation) else 1.0
        if self._worst is None or self._best is None:
            return [1 + excess] * self._form[0]
        span = np.where(self._worst > self._best, self._worst - self._best, 1.0)
        return (self._worst + excess * span).tolist()

    def _add(
        self,
        architecture: Architecture,
        state: Any,
        values: list[float] | None = None,
        violation: float = 0.0,
        notes: Mapping[str, Any] | None = None,
    ) -> None:
        from optuna.trial import create_trial

        codes = self.space.codes([architecture])[0].tolist()
        live = [(d, c) for d, c in zip(self.space.decisions, codes, strict=True) if c >= 0]
        made = create_trial(
            state=state,
            values=values,
            params={d.name: c / (d.size - 1) if d.kind == "real" else c for d, c in live},
            distributions={d.name: self._distributions[d.name] for d, _ in live},
            constraints={"ceilings": violation} if self._form[1] and values is not None else None,
            system_attrs=dict(notes or {}),
        )
        self.study.add_trial(made)

    def _suggest(self) -> Architecture:
        """One architecture, decision by decision, as a function that defines a space by running would."""
        from archwright.space.variation import is_live

        codes: list[int] = []
        with _quiet():
            asked = self.study.ask()
            for d in self.space.decisions:
                if not is_live(d, codes):
                    codes.append(-1)
                    continue
                value = asked._suggest(d.name, self._distributions[d.name])
                codes.append(round(value * (d.size - 1)) if d.kind == "real" else int(value))
        return self.space.architecture(codes)

    def _sampler(self, seed: int) -> BaseSampler:
        import optuna

        with _quiet():
            made: BaseSampler = getattr(optuna.samplers, SAMPLERS[self.sampler])(seed=seed, **self._given)
        # What is lasting in them, which decisions were live together in told trials, they need not find out anew: that
        # takes longer than all the rest.
        for name, lasting in self._lasting.items():
            if getattr(made, name, None) is not None:
                setattr(made, name, lasting)
        return made

    def _check_settings(self) -> None:
        import optuna

        where = f"optuna.samplers.{SAMPLERS[self.sampler]}"
        known = [
            n for n in inspect.signature(getattr(optuna.samplers, SAMPLERS[self.sampler])).parameters if n != "seed"
        ]
        for name in self.settings:
            if name not in known:
                raise ArchwrightError(f"settings: {where} has no argument {name!r}. {did_you_mean(name, known)}")
        try:
            self._sampler(0)
        except (TypeError, ValueError) as error:
            raise ArchwrightError(f"settings={self.settings!r} do not suit {where}: {error}") from error


def _import_optuna(sampler: str) -> None:
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("optuna", extra="optuna", purpose=f"for the sampler {sampler!r}") from error
    if sampler == "cma-es":
        try:
            import cmaes  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("cmaes", extra="optuna", purpose="for the sampler 'cma-es'") from error


def _suited(sampler: str, space: Space, goals: int) -> dict[str, Any]:
    """Settings of ours, where Optuna's own do not suit a space or would fill a terminal."""
    if sampler == "tpe" and goals == 1 and any(d.conditions for d in space.decisions):
        return {"multivariate": True, "group": True}
    if sampler in ("cma-es", "gp"):
        return {"warn_independent_sampling": False}
    return {}


def _distribution(kind: str, size: int) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if kind == "real":
        return FloatDistribution(0.0, 1.0)
    if kind == "integer" or size > MOST_CATEGORIES:
        return IntDistribution(0, size - 1)
    return CategoricalDistribution(tuple(range(size)))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings that a sampler or an option of it is experimental, which its user has chosen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _lasting() -> dict[str, Any]:
    """What samplers keep of a study between asks, by the names of their attributes."""
    from optuna.search_space import IntersectionSearchSpace
    from optuna.search_space.group_decomposed import _GroupDecomposedSearchSpace, _SearchSpaceGroup
    from optuna.trial import TrialState

    class Groups(_GroupDecomposedSearchSpace):
        """Optuna's, but each trial is gone through once."""

        def __init__(self) -> None:
            super().__init__(include_pruned=True)
            self.counted = 0

        def calculate(self, study: Study, use_cache: bool = False) -> _SearchSpaceGroup:
            done = study._get_trials(deepcopy=False, states=(TrialState.COMPLETE,), use_cache=use_cache)
            for trial in done[self.counted :]:
                self._search_space.add_distributions(trial.distributions)
            self.counted = len(done)
            return self._search_space

    shared = IntersectionSearchSpace()
    return {
        "_search_space": shared,
        "_intersection_search_space": shared,
        "_group_decomposed_search_space": Groups(),
    }


def _memory() -> Any:
    """Optuna's storage in memory, able to forget what an ask wrote into it."""
    from optuna.storages import InMemoryStorage

    class Memory(InMemoryStorage):
        @contextmanager
        def forgetting(self, *, notes: bool = True) -> Iterator[None]:
            """Forget all trials made inside, and (with `notes`) what samplers wrote on the study."""
            study = self._studies[0]
            trials: list[FrozenTrial] = list(study.trials)
            last, attributes, found = self._max_trial_id, study.system_attrs, dict(study.param_distribution)
            waiting = self._prev_waiting_trial_number[0]
            try:
                yield
            finally:
                study.trials, study.param_distribution = trials, found
                self._max_trial_id, self._prev_waiting_trial_number[0] = last, waiting
                if notes:
                    study.system_attrs = attributes
                for forgotten in [i for i in self._trial_id_to_study_id_and_number if i > last]:
                    del self._trial_id_to_study_id_and_number[forgotten]

    return Memory()
