"""What strategies with a learnt controller share: proposals from it, and told trials in batches to learn from."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from archwright.objective import WeightedReward
from archwright.space import Space
from archwright.strategy.process import Process, Step
from archwright.strategy.reward import Reward
from archwright.strategy.seen import Seen
from archwright.trial import Proposal, Trial

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Batch", "Policy"]

KEPT = 4
"""Controllers of so many earlier updates are kept, to know how likely they made what is told late."""


@dataclass(frozen=True)
class Batch:
    """Trials to learn from.

    Args:
        episodes: The steps of each.
        advantages: Rewards less the baseline before this batch, shape (n,).
        asked: The log probability of each episode under the controller that it was asked of, shape (n,).
    """

    episodes: list[list[Step]]
    advantages: Tensor
    asked: Tensor


class Policy:
    """A controller, and the trials told since its last update.

    - A proposal is an episode of the controller; one that ends in a function seen is drawn again, up to `tries` times,
      and then a random architecture takes its place.
    - Which update of the controller a trial was asked of stands in its proposal's origin, so that what several workers
      tell late gets its true probability, from one of the last controllers.
    - Trials asked of none of these (random ones, prior runs) have no such probability. They are learnt from as if the
      controller had just made them, but only if they are above the baseline: imitation, as in Oh et al.,
      *Self-Imitation Learning*, ICML 2018 (https://arxiv.org/abs/1806.05635).
    - The baseline is a moving average of rewards, and in the first batch their mean.

    Args:
        space: Where architectures are built.
        batch: Trials an update.
        decay: What the baseline keeps at each trial; 0: no baseline but the last reward.
        hidden, layers, temperature, tanh, seed: Of `archwright.strategy.controller.Controller`.
        learning_rate: Of Adam.
        levels: Actions that a real or a large integer has.
        tries: Episodes in search of a new function.
        weighted, scale: Of `Reward`.
    """

    def __init__(
        self,
        space: Space,
        *,
        batch: int,
        decay: float,
        hidden: int,
        layers: int,
        temperature: float,
        tanh: float,
        learning_rate: float,
        seed: int,
        levels: int,
        tries: int,
        weighted: WeightedReward | None,
        scale: Literal["range", "rank"],
    ):
        for name, count in (("batch", batch), ("hidden", hidden), ("layers", layers), ("tries", tries)):
            if count < 1:
                raise ValueError(f"{name} must be at least 1, got {count}")
        for name, value in (("temperature", temperature), ("learning_rate", learning_rate)):
            if not 0 < value < float("inf"):
                raise ValueError(f"{name} must be finite and above 0, got {value}")
        if not 0 <= decay < 1 or tanh < 0:
            raise ValueError(f"decay must be at least 0 and below 1, tanh at least 0; got {decay=}, {tanh=}")
        from archwright.strategy.controller import Controller, adam

        self.process = Process(space, levels=levels)
        self.controller: Any = Controller(
            self.process, hidden=hidden, layers=layers, temperature=temperature, tanh=tanh, seed=seed
        )
        self.baseline: float | None = None
        self.updates = 0
        self._optimizer = adam(self.controller, learning_rate)
        self._earlier: dict[int, Any] = {}  # controllers by the number of updates that had made them
        self._batch, self._decay, self._tries = batch, decay, tries
        self._reward = Reward(weighted, scale=scale)
        self._seen = Seen(space)
        self._waiting: list[Trial] = []

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal]) -> Proposal:
        """An episode of the controller, or a random architecture for want of a new one."""
        found = self.process.first_new(self.controller.sample(rng), self._seen, pending)
        if found is None and self._tries > 1:  # all others at once: far cheaper
            found = self.process.first_new(self.controller.sample(rng, self._tries - 1), self._seen, pending)
        if found is None:
            return Proposal(self._seen.fresh(rng, pending), origin="random, for want of new episodes")
        return Proposal(found, origin=f"controller after {self.updates} updates")

    def tell(self, trial: Trial) -> Batch | None:
        """Note a trial; the batch that it completes, else None."""
        self._seen.add(trial)
        self._reward.add(trial)
        self._waiting.append(trial)
        if len(self._waiting) < self._batch:
            return None
        trials, self._waiting = self._waiting, []
        return self._made(trials)

    def descend(self, loss: Tensor) -> None:
        """One step of the optimizer."""
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()

    def updated(self) -> None:
        """To be called after the steps of one batch."""
        self.updates += 1

    def _made(self, trials: Sequence[Trial]) -> Batch:
        episodes = [self.process.steps(self.process.codes(t.architecture)) for t in trials]
        rewards = [self._reward.of(t) for t in trials]
        baseline = self.baseline if self.baseline is not None else float(np.mean(rewards))
        advantages = np.array(rewards) - baseline
        self.baseline = baseline
        for reward in rewards:
            self.baseline = self._decay * self.baseline + (1 - self._decay) * reward
        self._earlier[self.updates] = copy.deepcopy(self.controller)
        self._earlier.pop(self.updates - KEPT, None)
        asked = self.controller.evaluate(episodes)[0].detach()
        for i, trial in enumerate(trials):
            made = re.fullmatch(r"controller after (\d+) updates", trial.proposal.origin)
            update = int(made[1]) if made else None
            if update not in self._earlier:
                advantages[i] = max(0.0, advantages[i])
            elif update != self.updates:
                asked[i] = self._earlier[update].evaluate([episodes[i]])[0].detach()
        return Batch(episodes, asked.new_tensor(advantages), asked)
