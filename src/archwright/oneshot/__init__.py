"""Algorithms that train weights and gates together: one network holds every architecture, and one training finds one.

All of it needs torch, so it is imported at once, when `archwright.oneshot` is first used. Functions have the names
of their files, so ``archwright.oneshot.darts`` is the function.
"""

from archwright.oneshot.beta_darts import beta_darts
from archwright.oneshot.collapse import Eigenvalue, Skips
from archwright.oneshot.darts import bilevel, darts
from archwright.oneshot.drnas import drnas
from archwright.oneshot.enas import enas
from archwright.oneshot.fairnas import fairnas
from archwright.oneshot.gates import Concrete, Dirichlet, Gumbel, Softmax
from archwright.oneshot.gdas import gdas
from archwright.oneshot.options import RECIPE, Options
from archwright.oneshot.pc_darts import pc_darts
from archwright.oneshot.point import Point
from archwright.oneshot.progressive import progressive
from archwright.oneshot.ranking import ranking_goal
from archwright.oneshot.reading import Argmax, Perturbation
from archwright.oneshot.regularise import Anchor, BetaDecay, Entropy, ExpectedCost
from archwright.oneshot.result import Ranked, Result
from archwright.oneshot.sandwich import sandwich
from archwright.oneshot.snas import snas
from archwright.oneshot.spos import spos
from archwright.oneshot.trust import Trust, trust

__all__ = [
    "RECIPE",
    "Anchor",
    "Argmax",
    "BetaDecay",
    "Concrete",
    "Dirichlet",
    "Eigenvalue",
    "Entropy",
    "ExpectedCost",
    "Gumbel",
    "Options",
    "Perturbation",
    "Point",
    "Ranked",
    "Result",
    "Skips",
    "Softmax",
    "Trust",
    "beta_darts",
    "bilevel",
    "darts",
    "drnas",
    "enas",
    "fairnas",
    "gdas",
    "pc_darts",
    "progressive",
    "ranking_goal",
    "sandwich",
    "snas",
    "spos",
    "trust",
]
