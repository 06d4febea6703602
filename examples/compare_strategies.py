"""Which strategy is better? Several seeds, equal budgets, a known optimum, and one page with curves and tests.

    python examples/compare_strategies.py

The benchmark is an NK landscape (Kauffman & Levin, Journal of Theoretical Biology, 1987): what each of eight decisions
is worth depends on itself and on the next two, by a random table. Without neighbours one could climb straight to the
top; the more there are, the more rugged it is. All 65,536 architectures can be gone through, so the best is known.
"""

import os
from functools import partial

import numpy as np

from archwright import Measurement, Space, choice, maximize
from archwright.benchmark import Benchmark
from archwright.benchmark.compare import compare
from archwright.benchmark.page import save
from archwright.objective import Objectives
from archwright.strategy import LocalSearch, RegularizedEvolution

QUICK = "ARCHWRIGHT_EXAMPLE_BUDGET" in os.environ
TRIALS, SEEDS = (60, 3) if QUICK else (300, 20)
DECISIONS, OPTIONS, NEIGHBOURS = 8, 4, 2

space = Space({f"d{i}": choice(*range(OPTIONS)) for i in range(DECISIONS)})
tables = np.random.default_rng(0).random((DECISIONS, *[OPTIONS] * (NEIGHBOURS + 1)))


def value(codes):
    """The mean over decisions of what each contributes. Shape: (..., 8) to (...)."""
    contributions = [
        tables[(i, *(codes[..., (i + k) % DECISIONS] for k in range(NEIGHBOURS + 1)))] for i in range(DECISIONS)
    ]
    return np.mean(contributions, axis=0)


def evaluate(proposal, seed, context=None):
    return Measurement({"value": float(value(np.array(list(proposal.architecture.values()))))})


landscape = Benchmark(
    name="nk",
    space=space,
    evaluator=evaluate,
    objectives=Objectives.of(maximize("value")),
    best=float(value(space.all_codes()).max()),
)
strategies = {
    "evolution": partial(RegularizedEvolution, population_size=20, tournament_size=5),
    "local search": LocalSearch,
}
comparison = compare(strategies, landscape, seeds=SEEDS, budget=TRIALS, out="runs/nk", progress=False)

# Equal luck for all: seed i of each strategy draws from the same random numbers. Random search is added by itself.
print(f"{space.size:,} architectures, the best has {landscape.best:.4f}; {TRIALS} trials, {SEEDS} seeds")
print(f"{'strategy':14}  {'mean regret':>11}  {'worst':>7}  {'found the best':>14}")
for name in comparison.strategies:
    regret = comparison.gaps("nk", name, [TRIALS])[:, 0]
    print(f"{name:14}  {regret.mean():11.4f}  {regret.max():7.4f}  {np.sum(regret < 1e-9):14}")
for duel in comparison.duels("nk"):
    print(f"{duel.first} against {duel.second}: p = {duel.corrected:.2g} (Wilcoxon, Holm)")
print("wrote", save(comparison, "runs/nk")["compare.html"])
