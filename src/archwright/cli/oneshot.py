"""Which word means which one-shot algorithm, after which a strategy goes on: ``darts``, ``darts/evolution``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from archwright.cli.strategy import DEFAULT_STRATEGY, STRATEGIES, StrategyName, find_strategy, strategy_of
from archwright.errors import ArchwrightError, did_you_mean

if TYPE_CHECKING:
    from archwright.run import OneShot

__all__ = ["FAMILY", "ONESHOT", "OneShotName", "algorithm_of", "decides", "find_algorithm", "find_deciding"]

FAMILY = "one-shot: a supernet is trained first, and what it prefers is tried first"


@dataclass(frozen=True)
class OneShotName:
    """A one-shot algorithm that the command line knows.

    Args:
        name: What people write.
        algorithm: The function of `archwright.oneshot`.
        purpose: What it is for.
        weakness: When not to use it.
        paper: Where it is from.
        trainings: About what its supernet costs, in trainings of one network for as many epochs, by
            ``benchmarks/oneshot.py --epoch-costs`` on small cells; reading it out comes on top.
        settings: Arguments of the function.
    """

    name: str
    algorithm: str
    purpose: str
    weakness: str
    paper: str
    trainings: float
    settings: Mapping[str, Any] = field(default_factory=dict)

    def begin(self, epochs: int | None = None) -> OneShot:
        """The phase, with its supernet trained for so many epochs, or for as many as the time allows."""
        from archwright.run import OneShot

        return OneShot(self.algorithm, {**self.settings, **({} if epochs is None else {"epochs": epochs})})


ONESHOT = {
    entry.name: entry
    for entry in (
        OneShotName(
            "darts",
            "darts",
            "cells and choices of layers: weighs all of them at once, and learns the weights' weights",
            "spaces of skips, which it may come to prefer to all else; wide spaces, all of which it computes",
            "Liu et al., ICLR 2019, arxiv.org/abs/1806.09055",
            trainings=6.5,
        ),
        OneShotName(
            "darts-2",
            "darts",
            "as darts, by the gradient through a step of the weights",
            "anything in a hurry: three times the time, hardly another result",
            "Liu et al., ICLR 2019, arxiv.org/abs/1806.09055",
            trainings=17,
            settings={"order": 2},
        ),
        OneShotName(
            "gdas",
            "gdas",
            "supernets too large to compute whole: a step sees one path",
            "few epochs: what learns slowly is given up before it has learnt",
            "Dong & Yang, CVPR 2019, arxiv.org/abs/1910.04465",
            trainings=3,
        ),
        OneShotName(
            "snas",
            "snas",
            "little data: weights and gates learn from all of it",
            "a final decision early: its draws stay random for long",
            "Xie et al., ICLR 2019, arxiv.org/abs/1812.09926",
            trainings=9,
        ),
        OneShotName(
            "pc-darts",
            "pc_darts",
            "many channels and little memory: candidates see a part of the channels",
            "anything that needs the shared weights afterwards, which fit no whole network",
            "Xu et al., ICLR 2020, arxiv.org/abs/1907.05737",
            trainings=5.5,
        ),
        OneShotName(
            "drnas",
            "drnas",
            "as darts, where that decides too early: Dirichlet draws keep exploring",
            "few epochs",
            "Chen et al., ICLR 2021, arxiv.org/abs/2006.10355",
            trainings=6,
        ),
        OneShotName(
            "beta-darts",
            "beta_darts",
            "as darts, with skips held down by a damping of the gates",
            "spaces in which skips are what is best",
            "Ye et al., CVPR 2022, arxiv.org/abs/2203.01665",
            trainings=5.5,
        ),
        OneShotName(
            "spos",
            "spos",
            "many ceilings or goals: random paths train weights that are searched again and again",
            "short trainings and many decisions: each weight is trained in a fraction of the steps",
            "Guo et al., ECCV 2020, arxiv.org/abs/1904.00420",
            trainings=2.5,
        ),
        OneShotName(
            "fairnas",
            "fairnas",
            "as spos, with each candidate trained equally often: ranks better",
            "choices of many candidates: a step takes as many times as long",
            "Chu et al., ICCV 2021, arxiv.org/abs/1907.01845",
            trainings=8.5,
        ),
        OneShotName(
            "sandwich",
            "sandwich",
            "open widths, depths and kernels, many sizes wanted: the largest network teaches the others",
            "choices of unlike layers, where the largest is no teacher",
            "Yu et al., ECCV 2020, arxiv.org/abs/2003.11142",
            trainings=6.5,
        ),
        OneShotName(
            "progressive",
            "progressive",
            "the same, and the largest network is good by itself: it is trained first, then ever smaller ones",
            "little time: the smallest come last",
            "Cai et al., ICLR 2020, arxiv.org/abs/1908.09791",
            trainings=4.5,
        ),
        OneShotName(
            "enas",
            "enas",
            "the study of controllers: an LSTM draws paths, and learns from their reward",
            "few steps, in which it has hardly learnt",
            "Pham et al., ICML 2018, arxiv.org/abs/1802.03268",
            trainings=8,
        ),
    )
}


def find_algorithm(name: str) -> OneShotName:
    """The algorithm of this name, or an error with the nearest."""
    if name not in ONESHOT:
        raise ArchwrightError(f"there is no one-shot algorithm called {name!r}. {did_you_mean(name, ONESHOT)}")
    return ONESHOT[name]


def find_deciding(name: str) -> tuple[OneShotName | None, StrategyName]:
    """What ``--strategy`` says: a strategy, or a one-shot algorithm and the strategy that goes on after it."""
    first, _, then = name.partition("/")
    if first in ONESHOT:
        return ONESHOT[first], find_strategy(then or DEFAULT_STRATEGY)
    if first not in STRATEGIES:
        raise ArchwrightError(f"there is no strategy called {first!r}. {did_you_mean(first, [*STRATEGIES, *ONESHOT])}")
    return None, find_strategy(name)


def decides(meta: Mapping[str, Any]) -> str:
    """What decides in a run, by what the store keeps of it: ``gp``, ``darts/gp``."""
    strategy, phase = strategy_of(meta.get("strategy") or {}), meta.get("oneshot")
    if not phase:
        return strategy
    return f"{algorithm_of(phase)}/{strategy}"


def algorithm_of(phase: Mapping[str, Any]) -> str:
    """The name of the one-shot algorithm that a run began with, as the store keeps it."""
    alike = [n for n, e in ONESHOT.items() if e.algorithm == phase["algorithm"]]
    given = phase.get("settings") or {}
    best = max(alike, key=lambda n: sum(given.get(k) == v for k, v in ONESHOT[n].settings.items()), default="")
    return best or str(phase["algorithm"])
