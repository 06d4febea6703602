"""Which strategy is better? Several seeds, equal budgets, a known optimum, and a table.

    python examples/compare_strategies.py

The toy is an NK landscape (Kauffman & Levin, Journal of Theoretical Biology, 1987): what each of eight decisions is
worth depends on itself and on the next two, by a random table. Without neighbours one could climb straight to the
top; the more there are, the more rugged it is. All 65,536 architectures can be gone through, so the best is known.
"""

import os

import numpy as np

import archwright as aw
from archwright import Space, choice
from archwright.strategy import LocalSearch, Random, RegularizedEvolution

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


def evaluate(architecture):
    return float(value(np.array(list(architecture.values()))))


strategies = {
    "random search": Random,
    "regularized evolution": lambda space: RegularizedEvolution(space, population_size=20, tournament_size=5),
    "local search": LocalSearch,
}
best_of_all = value(space.all_codes()).max()
print(f"{space.size:,} architectures, the best has {best_of_all:.4f}; {TRIALS} trials, {SEEDS} seeds")
print(f"{'strategy':22}  {'mean regret':>11}  {'worst':>7}  {'found the best':>14}  {'beats random':>12}")

regrets = {}
for name, strategy in strategies.items():
    found = [
        aw.search(
            space=space, evaluate=evaluate, strategy=strategy, trials=TRIALS, seed=seed, progress=False
        ).best.metrics["score"]
        for seed in range(SEEDS)
    ]
    regrets[name] = best_of_all - np.array(found)
    regret, random = regrets[name], regrets["random search"]
    wins = f"{np.sum(regret < random)} of {SEEDS}" if name != "random search" else "-"
    print(f"{name:22}  {regret.mean():11.4f}  {regret.max():7.4f}  {np.sum(regret < 1e-9):14}  {wins:>12}")
