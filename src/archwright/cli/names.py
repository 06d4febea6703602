"""Names belong to the command line: which word means which class, and what a shell can complete.

The library has no registry; here is the one place where a strategy, a space or a data set has a short name.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archwright.errors import ArchwrightError, did_you_mean

if TYPE_CHECKING:
    from archwright.objective import Objectives
    from archwright.space import Architecture, Space
    from archwright.strategy import Strategy

__all__ = ["DATA", "PROXIES", "SPACES", "STRATEGIES", "SpaceName", "StrategyName", "find_strategy", "strategy_of"]


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
        around: For one that is made around another: the name of that one where people write none. They write
            ``asha/random``.
    """

    name: str
    where: str
    settings: dict[str, Any]
    purpose: str
    weakness: str
    paper: str
    around: str = ""

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


DEFAULT_STRATEGY = "evolution"
"""Given by default, and left to the search: it begins with architectures that its look at the space has found."""

MULTI_FIDELITY = {"min_epochs": 2, "reduction": 4}
"""Of 60 epochs, rungs of 4, 15 and 60: about a sixth of the epochs of training everything in full."""

STRATEGIES = {
    entry.name: entry
    for entry in (
        StrategyName(
            "evolution",
            "archwright.strategy.evolution:RegularizedEvolution",
            {"population_size": 20, "tournament_size": 5},
            "the default: from some tens of trials up, many decisions, several goals",
            "fewer than about 30 trials, of which most still fill its population at random",
            "Real et al., AAAI 2019, arxiv.org/abs/1802.01548",
        ),
        StrategyName(
            "local",
            "archwright.strategy.local:LocalSearch",
            {},
            "few trials, smooth spaces: walks to better neighbours, restarts when there are none",
            "many workers, or noisy measurements: one lucky number stops the walk",
            "White et al., UAI 2021, arxiv.org/abs/2005.02960",
        ),
        StrategyName(
            "annealing",
            "archwright.strategy.annealing:SimulatedAnnealing",
            {},
            "as local, where the landscape is rugged: takes worse steps too, less and less often",
            "many workers, or fewer trials than it has steps to cool down in: 100",
            "Kirkpatrick et al., Science 220, 1983, doi.org/10.1126/science.220.4598.671",
        ),
        StrategyName(
            "genetic",
            "archwright.strategy.genetic:GeneticAlgorithm",
            {"population_size": 20, "tournament_size": 5, "elitism": 5},
            "one goal, some hundreds of trials, any number of workers; the classical operators to choose from",
            "fewer than some tens of trials, of which the first 20 are random; a front of several goals",
            "Goldberg, 1989; DEAP, JMLR 13, 2012, jmlr.org/papers/v13/fortin12a.html",
        ),
        StrategyName(
            "nsga2",
            "archwright.strategy.nsga2:NSGA2",
            {"population_size": 20, "offspring_size": 5},
            "several goals, from about a hundred trials up: a front without gaps",
            "fewer than some tens of trials, of which the first 20 are random; more than three goals",
            "Deb et al., IEEE TEVC 6(2), 2002, doi.org/10.1109/4235.996017",
        ),
        StrategyName(
            "moead",
            "archwright.strategy.moead:MOEAD",
            {"population_size": 30, "neighbours": 8},
            "several goals, three and more too, from about a hundred trials up: the ends of a front as well",
            "fewer than some tens of trials, of which the first 30 are random",
            "Zhang & Li, IEEE TEVC 11(6), 2007, doi.org/10.1109/TEVC.2007.892759",
        ),
        StrategyName(
            "tpe",
            "archwright.strategy.with_optuna:Optuna",
            {"sampler": "tpe"},
            "tens to hundreds of trials, many decisions, conditional ones and real numbers; Optuna's own",
            "spaces in which architectures are alike by structure, not by single decisions",
            "Watanabe, 2023, arxiv.org/abs/2304.11127",
        ),
        StrategyName(
            "cma-es",
            "archwright.strategy.with_optuna:Optuna",
            {"sampler": "cma-es"},
            "spaces of integers and real numbers, hundreds of trials; Optuna's own",
            "choices and conditional decisions, which it draws at random; several goals",
            "Hansen, 2016, arxiv.org/abs/1604.00772",
        ),
        StrategyName(
            "optuna-gp",
            "archwright.strategy.with_optuna:Optuna",
            {"sampler": "gp"},
            "up to some hundreds of trials, decisions that are always live; Optuna's own",
            "conditional decisions, which it draws at random; a thousand trials: seconds for each",
            "Ament et al., NeurIPS 2023, arxiv.org/abs/2310.20708",
        ),
        StrategyName(
            "gaussian",
            "archwright.strategy.gaussian:GaussianProcess",
            {},
            "almost every search: learns from what architectures compute, and needs the fewest trainings",
            "trainings that take less than some hundredths of a second, which its thinking would slow down",
            "Jones et al., J. Global Optimization 13, 1998; Kadlecova et al., ICML 2024, arxiv.org/abs/2404.16551",
        ),
        StrategyName(
            "bananas",
            "archwright.strategy.bananas:Bananas",
            {},
            "cells and graphs, from some tens of trials up: predicts scores from paths through a network",
            "fewer than about 20 trials; networks whose paths have nothing in common",
            "White et al., AAAI 2021, arxiv.org/abs/1910.11858",
        ),
        StrategyName(
            "portfolio",
            "archwright.strategy.portfolio:Portfolio",
            {},
            "spaces of which nothing is known: evolution, local search, bananas; the better, the more often",
            "fewer than about 50 trials, in which it cannot tell them apart",
            "Auer et al., Machine Learning 47, 2002; Fialho et al., GECCO 2010",
        ),
        StrategyName(
            "mcts",
            "archwright.strategy.mcts:MonteCarloTreeSearch",
            {},
            "tens to hundreds of trials, spaces whose first decisions matter most; many workers",
            "spaces in which what a decision is worth shows only with many later ones",
            "Kocsis & Szepesvári, ECML 2006; Wang et al., arxiv.org/abs/1903.11059",
        ),
        StrategyName(
            "reinforce",
            "archwright.strategy.reinforce:Reinforce",
            {},
            "hundreds of trials; a controller that builds architectures decision by decision",
            "fewer than about 50 trials, in which it has hardly learnt",
            "Zoph & Le, ICLR 2017, arxiv.org/abs/1611.01578",
        ),
        StrategyName(
            "ppo",
            "archwright.strategy.ppo:PPO",
            {},
            "as reinforce, in larger and more careful steps",
            "fewer than about 50 trials, in which it has hardly learnt",
            "Schulman et al., 2017, arxiv.org/abs/1707.06347; Zoph et al., CVPR 2018",
        ),
        StrategyName(
            "q-learning",
            "archwright.strategy.qlearning:QLearning",
            {},
            "hundreds of trials, chains of layers: what follows a layer depends on little but that layer",
            "fewer than about 60 trials, of which the first 20 are random; decisions that hang together from afar",
            "Baker et al., ICLR 2017, arxiv.org/abs/1611.02167",
        ),
        StrategyName(
            "editing",
            "archwright.strategy.editing:Editing",
            {},
            "few trials, smooth spaces: learns which layers to add, remove or change in the best so far",
            "noisy measurements, and spaces whose best is far from what is good nearby",
            "after Cai et al., AAAI 2018, arxiv.org/abs/1707.04873",
        ),
        StrategyName(
            "random",
            "archwright.strategy.random:Random",
            {},
            "the yardstick; very short searches, and spaces in which most architectures are good",
            "spaces in which few architectures are good: it learns nothing from its trials",
            "Li & Talwalkar, UAI 2019, arxiv.org/abs/1902.07638",
        ),
        StrategyName(
            "grid",
            "archwright.strategy.grid:Grid",
            {},
            "spaces small enough to be finished, and a cover of large ones that no random number changes",
            "spaces with many decisions of which few matter: random search tries more values of those",
            "Bergstra & Bengio, JMLR 13, 2012, jmlr.org/papers/v13/bergstra12a.html",
        ),
        StrategyName(
            "asha",
            "archwright.strategy.asha:ASHA",
            MULTI_FIDELITY,
            "many architectures for few epochs, any number of workers: only the best quarter goes on, without waiting",
            "trainings of a few epochs, and networks whose first epochs say little of their last",
            "Li et al., MLSys 2020, arxiv.org/abs/1810.05934",
            around=DEFAULT_STRATEGY,
        ),
        StrategyName(
            "halving",
            "archwright.strategy.halving:SuccessiveHalving",
            MULTI_FIDELITY,
            "as asha, with each rung complete before its best go on: fewer trained on for nothing",
            "many workers, or trainings of very different lengths: it fills the wait with the next bracket",
            "Jamieson & Talwalkar, AISTATS 2016, arxiv.org/abs/1502.07943",
            around=DEFAULT_STRATEGY,
        ),
        StrategyName(
            "hyperband",
            "archwright.strategy.hyperband:Hyperband",
            MULTI_FIDELITY,
            "as halving, where it is unknown after how many epochs networks can be told apart",
            "small budgets: half of it goes into brackets that stop late",
            "Li et al., JMLR 2018, arxiv.org/abs/1603.06560",
            around="random",
        ),
        StrategyName(
            "bohb",
            "archwright.strategy.bohb:BOHB",
            {},
            "hyperband whose architectures a density model proposes; the yardstick of multi-fidelity search",
            "fewer than some tens of trials, and spaces of many decisions that depend on each other",
            "Falkner et al., ICML 2018, arxiv.org/abs/1807.01774",
        ),
        StrategyName(
            "curves",
            "archwright.strategy.curves:CurveStopping",
            MULTI_FIDELITY,
            "any strategy, with trainings stopped that could not have become the best any more",
            "fewer than about 20 trials: the first nine are all trained in full",
            "Baker et al., 2017, arxiv.org/abs/1705.10823",
            around=DEFAULT_STRATEGY,
        ),
    )
}


@dataclass(frozen=True)
class SpaceName:
    """A default space.

    Args:
        name: What people write, and the function in `archwright.nn.spaces`.
        reads: What its networks read.
        purpose: What is in it.
        example_shape: An input to show it on where no data are given.
    """

    name: str
    reads: str
    purpose: str
    example_shape: tuple[int, ...]


SPACES = {
    entry.name: entry
    for entry in (
        SpaceName(
            "convnet",
            "images, sequences",
            "stages of residual, separable or plain convolutions; LeNet-5 from 28x28 up",
            (3, 32, 32),
        ),
        SpaceName("mobile", "images, sequences", "stages of inverted residuals, as MobileNetV3", (3, 32, 32)),
        SpaceName("sequence", "sequences", "convolution, causal convolution, recurrence or attention", (1, 128)),
        SpaceName("mlp", "tables", "linear layers, plain and residual", (16,)),
    )
}

DATA = {
    "digits": "1,797 handwritten digits, 8x8",
    "mnist1d": "4,000 + 1,000 synthetic 1D digits",
    "mnist5k": "5,000 MNIST digits, 28x28",
    "breast_cancer": "569 tumours, a table",
    "diabetes": "442 patients, regression on a table",
}
"""Named data, without the import that asking the tasks themselves takes: for completion and help."""

PROXIES = {
    "params": "parameters",
    "macs": "multiply-adds",
    "l2_norm": "size of the initial weights",
    "grad_norm": "size of the gradients",
    "snip": "sensitivity of the loss to weights",
    "grasp": "what weights do for the gradient flow",
    "fisher": "sensitivity of the loss to channels",
    "synflow": "signal that all paths carry",
    "jacob_cov": "how little the Jacobians of inputs agree",
    "naswot": "how different the activation patterns of inputs are",
    "zen": "how far features move with the input",
    "expressivity": "AZ-NAS: how many directions features use",
    "progressivity": "AZ-NAS: growth of it from block to block",
    "trainability": "AZ-NAS: how well gradients keep their size",
    "az_nas": "the rank of a network among others by these three and multiply-adds",
}
"""Zero-cost proxies, likewise without the import of torch."""


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


# What a shell completes: pairs of a word and what it means.


def complete_data(incomplete: str) -> Iterator[tuple[str, str]]:
    """Names of data, then files and folders that could be data."""
    yield from _starting(incomplete, DATA)
    yield from _paths(incomplete, (".csv", ".tsv", ".npz"))


def complete_strategy(incomplete: str) -> Iterator[tuple[str, str]]:
    """Names of strategies; after that of one that is made around another, those of the others."""
    before, slash, _ = incomplete.rpartition("/")
    yield from _starting(incomplete, {f"{before}{slash}{n}": s.purpose for n, s in STRATEGIES.items()})


def complete_space(incomplete: str) -> Iterator[tuple[str, str]]:
    """Names of spaces."""
    yield from _starting(incomplete, {n: f"for {s.reads}" for n, s in SPACES.items()})


def complete_proxy(incomplete: str) -> Iterator[tuple[str, str]]:
    """Names of zero-cost proxies."""
    yield from _starting(incomplete, PROXIES)


def complete_run(incomplete: str) -> Iterator[tuple[str, str]]:
    """Folders of earlier searches below ``runs/``, then other folders and stores."""
    found = {str(p.parent): "an earlier search" for p in sorted(Path("runs").glob("*/run.db"))}
    yield from _starting(incomplete, found)
    for path, meaning in _paths(incomplete, (".db",)):
        if path not in found:
            yield path, meaning


def _starting(incomplete: str, words: dict[str, str]) -> Iterator[tuple[str, str]]:
    return ((word, meaning) for word, meaning in words.items() if word.startswith(incomplete))


def _paths(incomplete: str, suffixes: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    start = Path(incomplete)
    folder = start if incomplete.endswith("/") or not incomplete else start.parent
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        hidden = entry.name.startswith(".")
        if hidden or not str(entry).startswith(incomplete.removeprefix("./")):
            continue
        if entry.is_dir():
            yield f"{entry}/", "folder"
        elif entry.suffix.lower() in suffixes:
            yield str(entry), "file"
