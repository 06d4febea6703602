"""Proximal policy optimization of an LSTM controller."""

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

__all__ = ["PPO", "clipped_loss"]


class PPO(Strategy):
    """An LSTM builds architectures, and learns from each batch in several steps, none of which takes it far.

    Schulman et al., *Proximal Policy Optimization Algorithms*, 2017 (https://arxiv.org/abs/1707.06347), equation 7, as
    Zoph et al. train their controller in *Learning Transferable Architectures for Scalable Image Recognition* (NASNet),
    CVPR 2018 (https://arxiv.org/abs/1707.07012). Departures:

    - One ratio an episode, not a step: there is one reward, and all steps share it.
    - The advantage is the reward less a moving average; no value network.
    - The reward is by default the rank among trials (`Reward`); failed and infeasible trials have negative ones.
    - Batch, steps and learning rate suit tens to hundreds of trials; NASNet trains 20,000 networks, with 0.00035.
    - Architectures are never measured twice. What is told late has its ratio to the controller that it was asked of;
      what was not asked of the controller: see `archwright.strategy.policy.Policy`.

    Args:
        space: Where architectures are built.
        batch: Trials an update.
        steps: Steps of the optimizer an update; *K* in Schulman et al.
        clip: How far from 1 the ratio of probabilities is learnt from; *epsilon* there.
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
        batch: int = 10,
        steps: int = 4,
        clip: float = 0.2,
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
        if steps < 1 or not 0 < clip < 1:
            raise ValueError(f"steps must be at least 1, clip above 0 and below 1; got {steps=}, {clip=}")
        self.space = space
        self.batch = batch
        self.steps = steps
        self.clip = clip
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
            for _ in range(self.steps):
                log_p, entropies = self.policy.controller.evaluate(batch.episodes)
                loss = clipped_loss(log_p, batch.asked, batch.advantages, self.clip)
                self.policy.descend(loss - self.entropy * entropies.mean())
            self.policy.updated()


def clipped_loss(log_p: Tensor, asked: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """Equation 7 of Schulman et al., negated: ``-mean(min(r A, clip(r, 1 - clip, 1 + clip) A))``.

    Args:
        log_p: Log probability of each episode now, shape (n,).
        asked: The same when it was asked for; r is the ratio of the probabilities.
        advantages: A, shape (n,).
        clip: Beyond this a ratio earns nothing more.
    """
    ratio = (log_p - asked).exp()
    return -(ratio * advantages).minimum(ratio.clamp(1 - clip, 1 + clip) * advantages).mean()
