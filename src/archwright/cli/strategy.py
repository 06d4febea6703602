"""Which word means which strategy: what the command line knows of each, and how it is made there.

Names belong to the command line; the library has no registry.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archwright.errors import ArchwrightError, did_you_mean

if TYPE_CHECKING:
    from archwright.objective import Objectives
    from archwright.space import Architecture, Space
    from archwright.strategy import Strategy

__all__ = ["DEFAULT_STRATEGY", "STRATEGIES", "StrategyName", "find_strategy", "strategy_of"]


@dataclass(frozen=True)
class StrategyName:
    """A strategy that the command line knows.

    Args:
        name: What people write.
        where: ``module:class``.
        settings: Arguments that differ from the class's own defaults: ours suit tens to hundreds of trials.
        purpose: What it is for.
        weakness: When not to use it.
        paper: Where it is from.
        family: Under which heading it is listed.
        cost_ms: About what an ask and a tell take after 100 trials, and after 1,000, by ``benchmarks/asking.py`` on the
            default space of images.
        extra: The extra of archwright that it needs.
        around: For one that is made around another: the name of that one where people write none. They write
            ``asha/random``.
    """

    name: str
    where: str
    settings: dict[str, Any]
    purpose: str
    weakness: str
    paper: str
    family: str
    cost_ms: tuple[float, float]
    extra: str = ""
    around: str = ""

    @property
    def cost(self) -> str:
        """`cost_ms` for people: ``15 / 250``, or one number where both are alike."""
        return " / ".join(dict.fromkeys(f"{ms:g}" for ms in self.cost_ms))

    def make(
        self,
        space: Space,
        *,
        objectives: Objectives | None = None,
        max_epochs: int | None = None,
        costs: Callable[[Architecture], Mapping[str, float]] | None = None,
        examples: Sequence[Architecture] = (),
        **settings: Any,
    ) -> Strategy:
        """The strategy for a space; `archwright.strategy.make` tells it what a search knows.

        Args:
            space: What is searched.
            objectives: As the next three, see `archwright.strategy.Known`.
            max_epochs: Likewise.
            costs: Likewise.
            examples: Likewise.
            settings: Instead of those of the same names in `settings`.
        """
        from archwright.strategy import Known, make

        module, _, kind = self.where.partition(":")
        factory = getattr(importlib.import_module(module), kind)
        known = Known(objectives, max_epochs, costs, examples)
        if max_epochs is None and _must_be_given(factory, "max_epochs"):
            raise ArchwrightError(
                f"strategy {self.name!r} trains briefly first, so it must know how long a full training is: "
                "it serves searches that train, and benchmarks with learning curves"
            )
        first: Any = find_strategy(self.around).make(space, **vars(known)) if self.around else space
        return make(factory, first, known, **{**self.settings, **settings})


DEFAULT_STRATEGY = "gp"

MULTI_FIDELITY = {"min_epochs": 2, "reduction": 4}
"""Of 60 epochs, rungs of 4, 15 and 60: about a sixth of the epochs of training everything in full."""

STRATEGIES = {
    entry.name: entry
    for entry in (
        StrategyName(
            "gp",
            "archwright.strategy.gaussian:GaussianProcess",
            {},
            "the default, for almost every search: learns from what architectures compute; fewest trainings",
            "trainings that take less than some hundredths of a second, which its thinking would slow down",
            "Jones et al., J. Global Optimization 13, 1998; Kadlecova et al., ICML 2024, arxiv.org/abs/2404.16551",
            family="models of what is good",
            cost_ms=(24, 15),
        ),
        StrategyName(
            "tpe",
            "archwright.strategy.with_optuna:Optuna",
            {"sampler": "tpe"},
            "tens to hundreds of trials, many decisions, conditional ones and real numbers; Optuna's own",
            "spaces in which architectures are alike by structure, not by single decisions",
            "Watanabe, 2023, arxiv.org/abs/2304.11127",
            family="models of what is good",
            cost_ms=(15, 250),
            extra="optuna",
        ),
        StrategyName(
            "optuna-gp",
            "archwright.strategy.with_optuna:Optuna",
            {"sampler": "gp"},
            "up to some hundreds of trials, decisions that are always live; Optuna's own",
            "conditional decisions, which it draws at random; a thousand trials: seconds for each",
            "Ament et al., NeurIPS 2023, arxiv.org/abs/2310.20708",
            family="models of what is good",
            cost_ms=(260, 9200),
            extra="optuna",
        ),
        StrategyName(
            "cma-es",
            "archwright.strategy.with_optuna:Optuna",
            {"sampler": "cma-es"},
            "spaces of integers and real numbers, hundreds of trials; Optuna's own",
            "choices and conditional decisions, which it draws at random; several goals",
            "Hansen, 2016, arxiv.org/abs/1604.00772",
            family="models of what is good",
            cost_ms=(4, 7),
            extra="optuna",
        ),
        StrategyName(
            "bananas",
            "archwright.strategy.bananas:Bananas",
            {},
            "cells and graphs, from some tens of trials up: predicts scores from paths through a network",
            "fewer than about 20 trials; networks whose paths have nothing in common",
            "White et al., AAAI 2021, arxiv.org/abs/1910.11858",
            family="models of what is good",
            cost_ms=(26, 180),
        ),
        StrategyName(
            "evolution",
            "archwright.strategy.evolution:RegularizedEvolution",
            {"population_size": 20, "tournament_size": 5},
            "thousands of trials, many workers: decides at once, and forgets what was good by luck",
            "fewer than about 30 trials, of which most still fill its population at random",
            "Real et al., AAAI 2019, arxiv.org/abs/1802.01548",
            family="evolution",
            cost_ms=(0.2, 0.3),
        ),
        StrategyName(
            "genetic",
            "archwright.strategy.genetic:GeneticAlgorithm",
            {"population_size": 20, "tournament_size": 5, "elitism": 5},
            "one goal, some hundreds of trials, any number of workers; the classical operators to choose from",
            "fewer than some tens of trials, of which the first 20 are random; a front of several goals",
            "Goldberg, 1989; DEAP, JMLR 13, 2012, jmlr.org/papers/v13/fortin12a.html",
            family="evolution",
            cost_ms=(0.4, 0.7),
            extra="evolution",
        ),
        StrategyName(
            "nsga2",
            "archwright.strategy.nsga2:NSGA2",
            {"population_size": 20, "offspring_size": 5},
            "several goals, from about a hundred trials up: a front without gaps",
            "fewer than some tens of trials, of which the first 20 are random; more than three goals",
            "Deb et al., IEEE TEVC 6(2), 2002, doi.org/10.1109/4235.996017",
            family="evolution",
            cost_ms=(0.4, 0.3),
        ),
        StrategyName(
            "moead",
            "archwright.strategy.moead:MOEAD",
            {"population_size": 30, "neighbours": 8},
            "several goals, three and more too, from about a hundred trials up: the ends of a front as well",
            "fewer than some tens of trials, of which the first 30 are random",
            "Zhang & Li, IEEE TEVC 11(6), 2007, doi.org/10.1109/TEVC.2007.892759",
            family="evolution",
            cost_ms=(1, 1),
        ),
        StrategyName(
            "local",
            "archwright.strategy.local:LocalSearch",
            {},
            "few trials, smooth spaces: walks to better neighbours, restarts when there are none",
            "many workers, or noisy measurements: one lucky number stops the walk",
            "White et al., UAI 2021, arxiv.org/abs/2005.02960",
            family="walks and trees",
            cost_ms=(0.4, 0.04),
        ),
        StrategyName(
            "annealing",
            "archwright.strategy.annealing:SimulatedAnnealing",
            {},
            "as local, where the landscape is rugged: takes worse steps too, less and less often",
            "many workers, or fewer trials than it has steps to cool down in: 100",
            "Kirkpatrick et al., Science 220, 1983, doi.org/10.1126/science.220.4598.671",
            family="walks and trees",
            cost_ms=(0.6, 0.4),
        ),
        StrategyName(
            "mcts",
            "archwright.strategy.mcts:MonteCarloTreeSearch",
            {},
            "tens to hundreds of trials, spaces whose first decisions matter most; many workers",
            "spaces in which what a decision is worth shows only with many later ones",
            "Kocsis & Szepesvári, ECML 2006; Wang et al., arxiv.org/abs/1903.11059",
            family="walks and trees",
            cost_ms=(0.4, 0.6),
        ),
        StrategyName(
            "reinforce",
            "archwright.strategy.reinforce:Reinforce",
            {},
            "hundreds of trials; a controller that builds architectures decision by decision",
            "fewer than about 50 trials, in which it has hardly learnt",
            "Zoph & Le, ICLR 2017, arxiv.org/abs/1611.01578",
            family="reinforcement learning",
            cost_ms=(7, 6),
        ),
        StrategyName(
            "ppo",
            "archwright.strategy.ppo:PPO",
            {},
            "as reinforce, in larger and more careful steps",
            "fewer than about 50 trials, in which it has hardly learnt",
            "Schulman et al., 2017, arxiv.org/abs/1707.06347; Zoph et al., CVPR 2018",
            family="reinforcement learning",
            cost_ms=(8, 10),
        ),
        StrategyName(
            "q-learning",
            "archwright.strategy.qlearning:QLearning",
            {},
            "hundreds of trials, chains of layers: what follows a layer depends on little but that layer",
            "fewer than about 60 trials, of which the first 20 are random; decisions that hang together from afar",
            "Baker et al., ICLR 2017, arxiv.org/abs/1611.02167",
            family="reinforcement learning",
            cost_ms=(0.3, 0.4),
        ),
        StrategyName(
            "editing",
            "archwright.strategy.editing:Editing",
            {},
            "few trials, smooth spaces: learns which layers to add, remove or change in the best so far",
            "noisy measurements, and spaces whose best is far from what is good nearby",
            "after Cai et al., AAAI 2018, arxiv.org/abs/1707.04873",
            family="reinforcement learning",
            cost_ms=(0.4, 0.5),
        ),
        StrategyName(
            "random",
            "archwright.strategy.random:Random",
            {},
            "the yardstick; very short searches, and spaces in which most architectures are good",
            "spaces in which few architectures are good: it learns nothing from its trials",
            "Li & Talwalkar, UAI 2019, arxiv.org/abs/1902.07638",
            family="yardsticks",
            cost_ms=(0.08, 0.09),
        ),
        StrategyName(
            "grid",
            "archwright.strategy.grid:Grid",
            {},
            "spaces small enough to be finished, and a cover of large ones that no random number changes",
            "spaces with many decisions of which few matter: random search tries more values of those",
            "Bergstra & Bengio, JMLR 13, 2012, jmlr.org/papers/v13/bergstra12a.html",
            family="yardsticks",
            cost_ms=(0.7, 1),
        ),
        StrategyName(
            "asha",
            "archwright.strategy.asha:ASHA",
            MULTI_FIDELITY,
            "many architectures for few epochs, any number of workers: only the best quarter goes on, without waiting",
            "trainings of a few epochs, and networks whose first epochs say little of their last",
            "Li et al., MLSys 2020, arxiv.org/abs/1810.05934",
            family="brief trainings first",
            cost_ms=(35, 150),
            around=DEFAULT_STRATEGY,
        ),
        StrategyName(
            "halving",
            "archwright.strategy.halving:SuccessiveHalving",
            MULTI_FIDELITY,
            "as asha, with each rung complete before its best go on: fewer trained on for nothing",
            "many workers, or trainings of very different lengths: it fills the wait with the next bracket",
            "Jamieson & Talwalkar, AISTATS 2016, arxiv.org/abs/1502.07943",
            family="brief trainings first",
            cost_ms=(51, 170),
            around=DEFAULT_STRATEGY,
        ),
        StrategyName(
            "hyperband",
            "archwright.strategy.hyperband:Hyperband",
            MULTI_FIDELITY,
            "as halving, where it is unknown after how many epochs networks can be told apart",
            "small budgets: half of it goes into brackets that stop late",
            "Li et al., JMLR 2018, arxiv.org/abs/1603.06560",
            family="brief trainings first",
            cost_ms=(0.2, 0.2),
            around="random",
        ),
        StrategyName(
            "bohb",
            "archwright.strategy.bohb:BOHB",
            {},
            "hyperband whose architectures a density model proposes; the yardstick of multi-fidelity search",
            "fewer than some tens of trials, and spaces of many decisions that depend on each other",
            "Falkner et al., ICML 2018, arxiv.org/abs/1807.01774",
            family="brief trainings first",
            cost_ms=(14, 160),
            extra="optuna",
        ),
        StrategyName(
            "curves",
            "archwright.strategy.curves:CurveStopping",
            MULTI_FIDELITY,
            "any strategy, with trainings stopped that could not have become the best any more",
            "fewer than about 20 trials: the first nine are all trained in full",
            "Baker et al., 2017, arxiv.org/abs/1705.10823",
            family="brief trainings first",
            cost_ms=(14, 33),
            around=DEFAULT_STRATEGY,
        ),
        StrategyName(
            "portfolio",
            "archwright.strategy.portfolio:Portfolio",
            {},
            "spaces of which nothing is known: evolution, local search, bananas; the better, the more often",
            "fewer than about 50 trials, in which it cannot tell them apart",
            "Auer et al., Machine Learning 47, 2002; Fialho et al., GECCO 2010",
            family="several at once",
            cost_ms=(12, 78),
        ),
    )
}


def find_strategy(name: str) -> StrategyName:
    """The strategy of this name, or an error with the nearest; ``asha/random`` is asha around random."""
    outer, slash, inner = name.partition("/")
    if outer not in STRATEGIES:
        raise ArchwrightError(f"there is no strategy called {outer!r}. {did_you_mean(outer, STRATEGIES)}")
    if not slash:
        return STRATEGIES[outer]
    if not STRATEGIES[outer].around:
        wrappers = ", ".join(n for n, entry in STRATEGIES.items() if entry.around)
        raise ArchwrightError(f"strategy {outer!r} is made around no other, got {name!r}: those that are: {wrappers}")
    find_strategy(inner)
    return replace(STRATEGIES[outer], name=name, around=inner)


def _must_be_given(factory: Callable[..., Any], argument: str) -> bool:
    found = inspect.signature(factory).parameters.get(argument)
    return found is not None and found.default is found.empty


def strategy_of(described: Mapping[str, Any]) -> str:
    """The name of a strategy as a run keeps it; its class's name where it has no other."""
    known = [entry for entry in STRATEGIES.values() if entry.where.endswith(f":{described.get('name')}")]
    if not known:
        return str(described.get("name", ""))
    # One class may have several names, told apart by their settings.
    given = described.get("arguments") or {}
    entry = min(known, key=lambda e: sum(given.get(name) != value for name, value in e.settings.items()))
    inner = (described.get("parts") or {}).get("strategy")
    return f"{entry.name}/{strategy_of(inner)}" if entry.around and isinstance(inner, Mapping) else entry.name
