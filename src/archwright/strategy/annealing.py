"""Simulated annealing: a walk that takes worse steps less and less often."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from archwright.errors import SpaceError
from archwright.space import Architecture, Space
from archwright.strategy.reward import Reward
from archwright.strategy.seen import Seen
from archwright.strategy.strategy import Strategy
from archwright.trial import Proposal, Trial

__all__ = ["SimulatedAnnealing"]

LONGEST_JUMP = 4


class SimulatedAnnealing(Strategy):
    """Change one decision at a time; keep what is better, and what is worse with probability ``exp(-delta / T)``.

    Kirkpatrick, Gelatt & Vecchi, *Optimization by Simulated Annealing*, Science 220, 1983
    (https://doi.org/10.1126/science.220.4598.671). The temperature falls geometrically from the first to the last of
    `steps` trials; then the walk starts again at a random architecture, hot. delta and T are in units of `Reward`, in
    which the scores that trials have had so far span 0..1; several goals are averaged in it. Departures:

    - Nothing is measured twice, so the walk never returns. Where all neighbours have been seen (or `tries` draws find
      none), it jumps: two decisions are changed, then three, up to four; then a random architecture is proposed.
    - Without `initial_temperature`, the walk takes no worse step until it has met `probes` of them; the first
      temperature is then that at which half of these would have been taken, judged by the one in the middle. In the
      manner of Ben-Ameur, *Computing the Initial Temperature of Simulated Annealing*, Computational Optimization and
      Applications 29, 2004, who takes all steps meanwhile, and so pays for them. It is reckoned anew as the range of
      scores grows.
    - Infeasible trials cost nothing and are no steps: the temperature stays. A walk that exceeds a ceiling goes towards
      where it holds. A failed trial is not stepped on.
    - With several workers, a late child of an earlier place is judged against where the walk is now.

    Args:
        space: Where architectures and their neighbours come from.
        steps: Trials from hot to cold, before the walk starts again.
        initial_temperature: T of the first step; None: from the first moves.
        final_temperature: T of the last step; None: a thousandth of the first.
        probes: Worse steps that the first temperature is found from, where it is not given.
        tries: Neighbours drawn in search of a new function.
        seed: Of the draws that decide which worse steps are taken.
    """

    def __init__(
        self,
        space: Space,
        *,
        steps: int = 100,
        initial_temperature: float | None = None,
        final_temperature: float | None = None,
        probes: int = 10,
        tries: int = 50,
        seed: int = 0,
    ):
        if steps < 2:
            raise ValueError(f"steps must be at least 2, the hot one and the cold one, got {steps}")
        for name, value in (("initial_temperature", initial_temperature), ("final_temperature", final_temperature)):
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} must be above 0, in units of reward (which spans 0..1), got {value}")
        if initial_temperature is not None and (final_temperature or 0) > initial_temperature:
            raise ValueError(
                f"final_temperature must be at most initial_temperature, {initial_temperature}, got {final_temperature}"
            )
        if probes < 1 or tries < 1:
            raise ValueError(f"probes and tries must be at least 1, got {probes=}, {tries=}")
        self.space = space
        self.steps = steps
        self.initial_temperature = initial_temperature
        self.final_temperature = final_temperature
        self.probes = probes
        self.tries = tries
        self.seed = seed
        self._seen = Seen(space)
        self._reward = Reward()
        self._told = 0
        self._here: Trial | None = None
        self._step = 0  # of this walk
        self._worse: list[tuple[Trial, Trial]] = []  # the first worse steps met: from, to

    @property
    def temperature(self) -> float:
        """T of the next step, in units of reward; 0 until enough worse steps have been met."""
        first = self.initial_temperature if self.initial_temperature is not None else self._estimate()
        last = first / 1000 if self.final_temperature is None else min(first, self.final_temperature)
        return (
            0.0 if first == 0 else float(first * (last / first) ** (min(self._step, self.steps - 1) / (self.steps - 1)))
        )

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        here = self._here
        if here is None:
            return Proposal(self._seen.fresh(rng, pending), origin="random start")
        for changes in range(1, LONGEST_JUMP + 1):
            found = self._changed(here.architecture, changes, rng, pending)
            if found is not None:
                origin = f"neighbour of {here.number}" if changes == 1 else f"{changes} changes from {here.number}"
                return Proposal(found, parents=(here.number,), origin=origin)
        return Proposal(self._seen.fresh(rng, pending), origin=f"random, for want of new neighbours of {here.number}")

    def tell(self, trial: Trial) -> None:
        self._seen.add(trial)
        self._reward.add(trial)
        self._told += 1
        if trial.status == "failed":
            return
        if self._here is None:
            # A late child of the walk that has ended is no random start.
            self._here = None if trial.proposal.parents else trial
            return
        within = trial.status == self._here.status == "done"
        delta = self._reward.of(self._here) - self._reward.of(trial)
        accepted = self._accepts(delta, self.temperature)
        if within and delta > 0 and len(self._worse) < self.probes:
            self._worse.append((self._here, trial))
        if accepted:
            self._here = trial
        if within:
            self._step += 1
            if self._step == self.steps:
                self._step, self._here = 0, None

    def _accepts(self, delta: float, temperature: float) -> bool:
        """Metropolis: what is not worse always, what is worse by delta with probability ``exp(-delta / T)``."""
        if delta <= 0:
            return True
        # A function of how many trials were told, so that a resumed walk takes the same steps.
        drawn = np.random.default_rng([self.seed, self._told]).random()
        return bool(temperature > 0 and drawn < math.exp(-delta / temperature))

    def _estimate(self) -> float:
        if len(self._worse) < self.probes:
            return 0.0
        deltas = [self._reward.of(a) - self._reward.of(b) for a, b in self._worse]
        return max(0.0, float(np.median(deltas))) / math.log(2)

    def _changed(
        self, here: Architecture, changes: int, rng: np.random.Generator, pending: Sequence[Proposal]
    ) -> Architecture | None:
        def draw() -> Architecture:
            found = here
            for _ in range(changes):
                found = self.space.mutate(found, rng)
            return found

        try:
            return self._seen.first(draw, pending, self.tries)
        except SpaceError:  # alone in its space, or rules forbid all that differ in one decision
            return None
