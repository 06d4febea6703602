"""ENAS: a controller draws the architectures that shared weights learn, and learns from what they then reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from archwright.oneshot.options import Options
from archwright.oneshot.reading import shared_of
from archwright.oneshot.result import Result
from archwright.oneshot.searching import found_by, searched
from archwright.oneshot.session import Session
from archwright.space import Architecture
from archwright.strategy.controller import Controller, adam
from archwright.strategy.process import Process
from archwright.strategy.seen import Seen
from archwright.strategy.strategy import Strategy
from archwright.trial import Proposal, Trial

if TYPE_CHECKING:
    from archwright.space import Space
    from archwright.task import Task

__all__ = ["enas"]


def enas(
    space: Space | Any,
    task: Task,
    *,
    share: float = 0.8,
    episodes: int = 5,
    controller_lr: float = 3.5e-3,
    entropy: float = 1e-2,
    decay: float = 0.95,
    hidden: int = 64,
    temperature: float = 5.0,
    tanh: float = 2.5,
    penalty: float = 1.0,
    candidates: int = 100,
    **options: Any,
) -> Result:
    """In turns: a step of the weights on what an LSTM draws, a step of the LSTM on what its draws then reach.

    Pham et al., *Efficient Neural Architecture Search via Parameter Sharing*, ICML 2018
    (https://arxiv.org/abs/1802.03268), section 2.2. The controller is that of `archwright.strategy.Reinforce`.
    Departures:

    - Turns are steps, not epochs: small data have few epochs. The reward is the goal's metric on one batch of
      samples that the weights do not learn from, less `penalty` times the excess over ceilings, by real costs.
    - The controller's learning rate is ten times the paper's, and its entropy weight a hundred times, for as many
      fewer steps.
    - What is read out is the best of `candidates` episodes, all measured on validation, not on one batch.

    Args:
        space: What to search; None for the task's own.
        task: The learning problem.
        share: Of the training samples that the weights learn from; the others make the rewards.
        episodes: Of the controller in each of its steps.
        controller_lr: Of Adam.
        entropy: Weight of the mean entropy of a step of an episode.
        decay: What the baseline, a moving average of rewards, keeps at each reward.
        hidden: As in `archwright.strategy.controller.Controller`.
        temperature: Likewise.
        tanh: Likewise.
        penalty: Reward lost where ceilings are exceeded by 100 %.
        candidates: Architectures measured with shared weights at the end.
        options: Of `archwright.oneshot.Options`.
    """
    told = {
        "episodes": episodes, "controller_lr": controller_lr, "entropy": entropy, "decay": decay, "hidden": hidden,
        "temperature": temperature, "tanh": tanh, "penalty": penalty, "candidates": candidates,
    }  # fmt: skip
    if not 0 < share < 1 or episodes < 1:
        raise ValueError(f"share must lie between 0 and 1, episodes be 1 or more; got {share=}, {episodes=}")
    session = Session("enas", space, task, Options(**options), told, share=share)
    process = Process(session.space)
    controller: Controller = session.keep(
        "controller",
        Controller(process, hidden=hidden, layers=1, temperature=temperature, tanh=tanh, seed=session.seed),
    )
    optimizer = session.keep("controller_optimizer", adam(controller, controller_lr))
    excess = _Excess(session)
    metric = session.objectives.goals[0]
    assert session.held is not None

    def scale(score: float) -> float:
        # An error is in the task's own unit: over its first value, it is about 1, as an accuracy is.
        return 1.0 if metric.direction == "maximize" else session.values.setdefault("scale", abs(score) or 1.0)

    for step in session.steps():
        # A step of the weights, on what the controller draws.
        rng = session.random(0, step)
        drawn = _allowed(session, controller.sample(rng), rng)
        inputs, targets = session.batches.at(step)
        loss = session.loss(drawn, inputs, targets)
        session.optimizer.zero_grad()
        loss.backward()
        session.descend()
        session.note(loss=loss)

        # A step of the controller, on what its architectures reach: batch norms see the batch, as in training.
        codes = controller.sample(session.random(1, step), episodes)
        held, answers = session.held.at(step)
        rewards = []
        for row in codes:
            architecture = session.space.architecture(row)
            if session.space.rules and architecture not in session.space:
                rewards.append(-penalty)
                continue
            with torch.no_grad():
                output = session.forward(architecture, held)
            score = task.score(output, answers, [metric.metric])[metric.metric]
            rewards.append(-metric.score(score) / scale(score) - penalty * excess(architecture))
        baseline = session.values.setdefault("baseline", float(np.mean(rewards)))
        advantages = torch.tensor([r - baseline for r in rewards], dtype=torch.float64)
        for reward in rewards:
            session.values["baseline"] = decay * session.values["baseline"] + (1 - decay) * reward
        log_p, spread = controller.evaluate([process.steps(row) for row in codes])
        controller_loss = -(advantages * log_p + entropy * spread).mean()
        optimizer.zero_grad()
        controller_loss.backward()
        optimizer.step()
        session.note(reward=torch.tensor(float(np.mean(rewards))))

        if session.epoch_ends:
            session.record(entropy=_spread(controller, session))
    top = searched(session, candidates=candidates, strategy=_Drawn(session.space, controller, process))
    return found_by(session, top)


class _Excess:
    """By how much an architecture exceeds the ceilings; measured once each."""

    def __init__(self, session: Session):
        self.objectives, self.costs = session.objectives, shared_of(session).costs
        self.names = tuple(sorted(self.objectives.needs))
        self._known: dict[Architecture, float] = {}

    def __call__(self, architecture: Architecture) -> float:
        if not self.names:
            return 0.0
        if architecture not in self._known:
            self._known[architecture] = self.objectives.violation(self.costs(architecture, self.names))
        return self._known[architecture]


def _allowed(session: Session, drawn: list[list[int]], rng: np.random.Generator) -> Architecture:
    architecture = session.space.architecture(drawn[0])
    return architecture if not session.space.rules or architecture in session.space else session.space.sample(rng)


def _spread(controller: Controller, session: Session) -> float:
    """The mean entropy of a step of the controller's episodes, as a share of the largest possible."""
    process = controller.process
    episodes = [process.steps(row) for row in controller.sample(session.random(2, session.step), 32)]
    with torch.no_grad():
        _, entropies = controller.evaluate(episodes)
    most = [np.mean([np.log(process.sizes[place]) for place, _ in e]) if e else 1.0 for e in episodes]
    return float(np.mean(entropies.numpy() / np.array(most)))


class _Drawn(Strategy):
    """Episodes of a trained controller."""

    def __init__(self, space: Space, controller: Controller, process: Process):
        self.space, self.controller, self.process, self.seen = space, controller, process, Seen(space)

    def ask(self, rng: np.random.Generator, pending: Any = ()) -> Proposal:
        found = self.process.first_new(self.controller.sample(rng, 20), self.seen, pending)
        return Proposal(self.seen.fresh(rng, pending) if found is None else found, origin="controller")

    def tell(self, trial: Trial) -> None:
        self.seen.add(trial)
