"""BOHB: Hyperband around a tree-structured Parzen estimator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archwright.objective import Objectives
from archwright.space import Space
from archwright.strategy.hyperband import Hyperband
from archwright.strategy.strategy import Strategy
from archwright.strategy.with_optuna import Optuna
from archwright.trial import Proposal, Trial

__all__ = ["BOHB"]


class BOHB(Strategy):
    """Hyperband says for how long, a density model of good and bad architectures says which.

    Falkner, Klein & Hutter, *BOHB: Robust and Efficient Hyperparameter Optimization at Scale*, ICML 2018
    (https://arxiv.org/abs/1807.01774), Algorithm 2: the model learns from the most epochs after which ``d + 3`` results
    are there (line 3, with the paper's N_min = d + 1, for d decisions), and a share of the architectures is drawn at
    random. Departures:

    - The model is Optuna's TPE (`archwright.strategy.Optuna`), which serves conditional spaces, in place of the paper's
      own kernel density estimate.
    - Those of `Hyperband`.

    Args:
        space: Where architectures are drawn.
        max_epochs: Epochs of a full training.
        min_epochs: The lowest rung has at least so many.
        reduction: One in so many is kept, and trained so many times as long; *eta* in the paper.
        random_share: The share of architectures drawn at random; *rho* in the paper.
        objectives: What better means, where there are several goals or ceilings.

    Raises:
        MissingExtraError: Optuna is not installed.
    """

    def __init__(
        self,
        space: Space,
        *,
        max_epochs: int,
        min_epochs: int = 1,
        reduction: int = 3,
        random_share: float = 1 / 3,
        objectives: Objectives | None = None,
    ):
        self.space = space
        self.max_epochs = max_epochs
        self.min_epochs = min_epochs
        self.reduction = reduction
        self.random_share = random_share
        self.objectives = objectives
        self._hyperband = Hyperband(
            Optuna(space, sampler="tpe", objectives=objectives),
            max_epochs=max_epochs,
            min_epochs=min_epochs,
            reduction=reduction,
            enough=len(space.decisions) + 3,
            random_share=random_share,
        )
        self.rungs = self._hyperband.rungs

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        return self._hyperband.ask(rng, pending)

    def tell(self, trial: Trial) -> None:
        self._hyperband.tell(trial)
