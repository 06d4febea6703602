"""Tabular Q-learning with experience replay: MetaQNN."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from archwright.objective import WeightedReward
from archwright.space import Space
from archwright.strategy.process import Process, Step
from archwright.strategy.reward import Reward
from archwright.strategy.seen import Seen
from archwright.strategy.strategy import Strategy
from archwright.trial import Proposal, Trial

__all__ = ["QLearning"]

SCHEDULE = ((1.0, 20), (0.9, 5), (0.8, 5), (0.7, 5), (0.6, 5), (0.5, 5), (0.4, 5), (0.3, 5), (0.2, 5), (0.1, 1))

State = tuple[int, ...]
Row = list[float]
Steps = list[tuple[Row, int, Row | None]]
"""Of each step its row of the table, the action taken, and the row that comes after it."""


class QLearning(Strategy):
    """Learn what each action is worth in each state of the decision process, and act on it ever more greedily.

    Baker et al., *Designing Neural Network Architectures using Reinforcement Learning* (MetaQNN), ICLR 2017
    (https://arxiv.org/abs/1611.02167), Algorithms 1 to 3: equation 3,
    ``Q(s, u) += learning_rate * (r + discount * max Q(s', u') - Q(s, u))``, for the steps of an episode from its last
    to its first, with a reward at the end alone; experience replay; actions at random with a probability epsilon that
    falls with the number of trials. Departures:

    - The paper trains 2,700 networks, 1,500 of them with epsilon 1.0. The default schedule has its shape, in 60 trials;
      the learning rate is ten times the paper's 0.01.
    - A state of the paper is one layer and its depth. Here it is the place of the decision and the last `memory`
      actions.
    - The reward is by default the rank among trials, not the accuracy (`Reward`).
    - An episode that ends in a function seen before is run again with a larger epsilon, up to `tries` times; then
      a random architecture takes its place. Trials that were not asked for are learnt from too: it is off-policy.

    Args:
        space: Where architectures are built.
        schedule: (epsilon, trials) one after the other; the last epsilon stays. Every decision is made at random with
            probability epsilon.
        learning_rate: How far a value moves towards its target, above 0 and at most 1; *alpha* in the paper.
        discount: What the next step's value counts for, 0 to 1; *gamma* in the paper.
        replay: Trials drawn from all that were told, and learnt from after each trial, which comes first; 100 there.
        initial: The value of an action never taken.
        memory: How many of the last actions a state consists of; None: of all of them.
        levels: Actions that a real or a large integer has.
        tries: Episodes in search of a new function.
        weighted: What several goals are worth; no plain value, so resuming a run then needs the strategy again.
        scale: As in `Reward`.
        seed: Of what is replayed.
    """

    def __init__(
        self,
        space: Space,
        *,
        schedule: Sequence[tuple[float, int]] = SCHEDULE,
        learning_rate: float = 0.1,
        discount: float = 1.0,
        replay: int = 20,
        initial: float = 0.5,
        memory: int | None = 1,
        levels: int = 8,
        tries: int = 20,
        weighted: WeightedReward | None = None,
        scale: Literal["range", "rank"] = "rank",
        seed: int = 0,
    ):
        pairs = [tuple(pair) for pair in schedule]
        if not pairs or any(len(p) != 2 or not 0 <= p[0] <= 1 or p[1] < 1 for p in pairs):
            raise ValueError(f"schedule must be pairs of an epsilon in 0..1 and at least 1 trial, got {schedule!r}")
        for name, value, least in (("replay", replay, 0), ("tries", tries, 1), ("memory", memory, 0)):
            if value is not None and value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        if not 0 < learning_rate <= 1 or not 0 <= discount <= 1:
            raise ValueError(
                f"learning_rate must lie above 0 and at most at 1, discount in 0..1; got {learning_rate=}, {discount=}"
            )
        self.space = space
        self.schedule = [(float(epsilon), int(trials)) for epsilon, trials in pairs]
        self.learning_rate = learning_rate
        self.discount = discount
        self.replay = replay
        self.initial = initial
        self.memory = memory
        self.levels = levels
        self.tries = tries
        self.weighted = weighted
        self.scale = scale
        self.seed = seed
        self._process = Process(space, levels=levels)
        self._reward = Reward(weighted, scale=scale)
        self._seen = Seen(space)
        self._table: dict[State, Row] = {}
        self._told: list[tuple[Trial, Steps]] = []
        self._rewards: list[float] = []

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        epsilon = self.epsilon(len(self._told) + len(pending))

        chance = epsilon

        def choose(place: int, steps: Sequence[Step]) -> int:
            row = self._table.get(self._state(place, steps))
            if row is None or rng.random() < chance:
                return int(rng.integers(self._process.sizes[place]))
            highest = max(row)
            best = [action for action, value in enumerate(row) if value == highest]
            return best[0] if len(best) == 1 else best[rng.integers(len(best))]

        def episodes() -> Iterator[list[int]]:
            nonlocal chance
            for i in range(self.tries):
                chance = epsilon + (1 - epsilon) * i / self.tries
                yield self._process.episode(choose, rng)

        found = self._process.first_new(episodes(), self._seen, pending)
        if found is None:
            return Proposal(self._seen.fresh(rng, pending), origin="random, for want of new episodes")
        return Proposal(found, origin="random" if epsilon == 1 else f"{epsilon:g}-greedy")

    def tell(self, trial: Trial) -> None:
        self._seen.add(trial)
        changed = self._reward.add(trial)
        self._told.append((trial, self._steps(self._process.codes(trial.architecture))))
        if changed:
            self._rewards = [self._reward.of(t) for t, _ in self._told]
        else:
            self._rewards.append(self._reward.of(trial))
        self._learn(len(self._told) - 1)
        if self.replay:
            rng = np.random.default_rng([self.seed, len(self._told)])
            for i in rng.integers(len(self._told), size=self.replay).tolist():
                self._learn(i)

    def epsilon(self, trials: int) -> float:
        """The share of decisions made at random after so many trials."""
        for epsilon, length in self.schedule:
            if trials < length:
                return epsilon
            trials -= length
        return self.schedule[-1][0]

    def value(self, codes: Sequence[int]) -> list[float]:
        """Q of every action in a state: of the decision that comes next after these codes."""
        before = list(codes)
        place = self._process.place(before)
        if place is None:
            return []
        state = self._state(place, self._process.steps(before))
        return list(self._table.get(state, [self.initial] * self._process.sizes[place]))

    def _state(self, place: int, steps: Sequence[Step]) -> State:
        """The place, and the last steps that are remembered."""
        last = steps if self.memory is None else steps[len(steps) - min(self.memory, len(steps)) :]
        return (place, *(part for step in last for part in step))

    def _steps(self, codes: Sequence[int]) -> Steps:
        steps = self._process.steps(codes)
        rows = [
            self._table.setdefault(self._state(place, steps[:i]), [self.initial] * self._process.sizes[place])
            for i, (place, _) in enumerate(steps)
        ]
        actions = (action for _, action in steps)
        return list(zip(rows, actions, [*rows[1:], None], strict=True)) if rows else []

    def _learn(self, i: int) -> None:
        reward = self._rewards[i]
        for row, action, after in reversed(self._told[i][1]):
            target = reward if after is None else self.discount * max(after)
            row[action] += self.learning_rate * (target - row[action])
