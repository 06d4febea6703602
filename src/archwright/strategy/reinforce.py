"""REINFORCE with an LSTM controller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from archwright.objective import WeightedReward
from archwright.space import Space
from archwright.strategy.policy import Policy
from archwright.strategy.strategy import Strategy
from archwright.trial import Proposal, Trial

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Reinforce", "reinforce_loss"]


class Reinforce(Strategy):
    """An LSTM builds architectures, and makes those with good rewards likelier.

    Zoph & Le, *Neural Architecture Search with Reinforcement Learning*, ICLR 2017 (https://arxiv.org/abs/1611.01578),
    section 3.2: the policy gradient of Williams (1992), ``mean over the batch of sum_t grad log P(a_t) * (R - b)``, b a
    moving average of rewards. Departures:

    - An entropy bonus (Pham et al., *ENAS*, https://arxiv.org/abs/1802.03268).
    - The reward is by default the rank among trials (`Reward`), not the cube of the accuracy; failed and infeasible
      trials have negative ones.
    - The learning rate suits tens to hundreds of trials; the paper trains 12,800 networks, with 0.0006.
    - No anchors, skip connections or parameter servers: spaces here say themselves what is decided.
    - Architectures are never measured twice. What is told late counts by the probability of its episode now over that
      when it was asked for, at most 1; what was not asked of the controller: see `archwright.strategy.policy.Policy`.

    Args:
        space: Where architectures are built.
        batch: Trials an update.
        learning_rate: Of Adam.
        entropy: Weight of the mean entropy of a step, in nats, beside the rewards.
        decay: What the baseline keeps at each trial.
        hidden: Width of the LSTM.
        layers: LSTM layers.
        temperature: What logits are divided by: above 1 explores more.
        tanh: Logits are kept between minus and plus this; 0: as they are.
        levels: Actions that a real or a large integer has.
        tries: Episodes in search of a new function.
        weighted: What several goals are worth; no plain value, so resuming a run then needs the strategy again.
        scale: As in `Reward`.
        seed: Of the controller's first weights.
    """

    def __init__(
        self,
        space: Space,
        *,
        batch: int = 5,
        learning_rate: float = 0.01,
        entropy: float = 0.01,
        decay: float = 0.95,
        hidden: int = 64,
        layers: int = 1,
        temperature: float = 1.0,
        tanh: float = 2.5,
        levels: int = 8,
        tries: int = 20,
        weighted: WeightedReward | None = None,
        scale: Literal["range", "rank"] = "rank",
        seed: int = 0,
    ):
        if entropy < 0:
            raise ValueError(f"entropy must be at least 0, got {entropy}")
        self.space = space
        self.batch = batch
        self.learning_rate = learning_rate
        self.entropy = entropy
        self.decay = decay
        self.hidden = hidden
        self.layers = layers
        self.temperature = temperature
        self.tanh = tanh
        self.levels = levels
        self.tries = tries
        self.weighted = weighted
        self.scale = scale
        self.seed = seed
        self.policy = Policy(
            space,
            batch=batch,
            decay=decay,
            hidden=hidden,
            layers=layers,
            temperature=temperature,
            tanh=tanh,
            learning_rate=learning_rate,
            seed=seed,
            levels=levels,
            tries=tries,
            weighted=weighted,
            scale=scale,
        )

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        return self.policy.ask(rng, pending)

    def tell(self, trial: Trial) -> None:
        batch = self.policy.tell(trial)
        if batch is not None:
            log_p, entropies = self.policy.controller.evaluate(batch.episodes)
            loss = reinforce_loss(log_p, batch.asked, batch.advantages)
            self.policy.descend(loss - self.entropy * entropies.mean())
            self.policy.updated()


def reinforce_loss(log_p: Tensor, asked: Tensor, advantages: Tensor) -> Tensor:
    """What REINFORCE descends: ``-mean(weight * advantage * log p)``.

    Args:
        log_p: Log probability of each episode now, shape (n,).
        asked: The same when it was asked for: the weight is the ratio of probabilities, at most 1 and not learnt from.
        advantages: Rewards less a baseline, shape (n,).
    """
    weights = (log_p.detach() - asked).exp().clamp(max=1.0)
    return -(weights * advantages * log_p).mean()
