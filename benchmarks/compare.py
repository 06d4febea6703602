"""Strategies on NAS-Bench-201: queries to the best validation architecture, regret, and hypervolume of two goals.

Three comparisons, each kept in a folder of its own, so that what was run is not run again:

- random search until it finds the best, in all 15,625 cells (``-raw``) and in their different functions;
- the strategies given, 400 queries, on both;
- two goals, accuracy after 12 epochs and parameters, 150 queries: the share of the exact front's hypervolume.

    ARCHWRIGHT_DATA=data python benchmarks/compare.py --strategies evolution:population_size=30,local --seeds 30
"""

from __future__ import annotations

import argparse
from pathlib import Path

from machine import heading, row, table_head

from archwright.benchmark.compare import compare
from archwright.benchmark.comparison import Comparison
from archwright.benchmark.page import save
from archwright.benchmark.statistics import quantile
from archwright.cli.compare import strategies_of

DEFAULT = "aged=evolution:population_size=30:tournament_size=10,local"
CELLS = ("nasbench201-cifar10", "nasbench201-cifar10-raw")
GOALS = ("nasbench201-cifar10-12-params",)
SHOWN = (50, 100, 150)


def reached(comparison: Comparison, benchmark: str, strategy: str) -> tuple[str, str, str]:
    """Median and 90th percentile of the queries to the best, and the share of seeds that found it."""
    found = comparison.to_optimum(benchmark, strategy)
    share = sum(x <= comparison.amount for x in found) / len(found)
    ends = [quantile(found, q) for q in (0.5, 0.9)]
    return (*(f"{x:,.0f}" if x <= comparison.amount else f"> {comparison.amount:,.0f}" for x in ends), f"{share:.0%}")  # type: ignore[return-value]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategies", default=DEFAULT, help="as those of archwright compare")
    parser.add_argument("--goals", default="nsga2", help="the strategies for two goals")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--out", type=Path, default=Path("runs/nasbench201"))
    parser.add_argument("--no-exhaustive", action="store_true", help="without random search until it finds the best")
    asked = parser.parse_args()
    more = {"seeds": asked.seeds, "workers": asked.workers}
    print(heading(f"NAS-Bench-201, CIFAR-10, {asked.seeds} seeds"))
    print(
        table_head("cells of", "strategy", "queries to the best", "p90", "solved", *(f"regret at {n}" for n in SHOWN))
    )
    compared = [compare(strategies_of(asked.strategies), CELLS, budget=400, out=asked.out / "cells", **more)]
    if not asked.no_exhaustive:
        compared.append(compare({}, CELLS, budget=15_625, out=asked.out / "random", **more))
    for comparison in compared:
        save(comparison, asked.out / ("cells" if len(comparison.strategies) > 1 else "random"))
        for benchmark in comparison.benchmarks:
            for strategy in comparison.strategies:
                regrets = (comparison.gaps(benchmark, strategy, [n]).mean() for n in SHOWN)
                said = f"{strategy}, {comparison.amount:,.0f} queries"
                print(row(benchmark, said, *reached(comparison, benchmark, strategy), *(f"{r:.3f}" for r in regrets)))
    both = compare(strategies_of(asked.goals), GOALS, budget=150, out=asked.out / "goals", **more)
    save(both, asked.out / "goals")
    print()
    print(table_head("two goals", "strategy", *(f"hypervolume share at {n}" for n in SHOWN)))
    for strategy in both.strategies:
        shares = (1 - both.gaps(GOALS[0], strategy, [n]).mean() for n in SHOWN)
        print(row(GOALS[0], strategy, *(f"{share:.4f}" for share in shares)))


if __name__ == "__main__":
    main()
