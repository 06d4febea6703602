"""How few trainings the Gaussian process needs, how well it predicts, and what its thinking costs.

    python benchmarks/flagship.py                                 # everything; an hour or two on one core
    python benchmarks/flagship.py --only optimum predict --seeds 10
    python benchmarks/flagship.py --only against --problems cora arxiv --seeds 5 --out runs/flagship

Parts: `optimum` (queries to the best cell of NAS-Bench-201, 200 and 12 epochs), `predict` (Kendall's tau over it
from few labels), `front` (hypervolume of accuracy and parameters), `against` (other strategies on the same seeds, on
NAS-Bench-Graph and more), `overhead` (ask and tell with 1,000 observations of 40 decisions). Tables as for `archwright
compare`: see `--tables`. With `--out`, what `against` has run is kept, and not run again. Prints Markdown.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
from machine import heading, row, table_head
from scipy.stats import kendalltau

from archwright.benchmark import Benchmark, load
from archwright.benchmark.compare import compare
from archwright.benchmark.comparison import Duel
from archwright.benchmark.nasbenchgraph import DATASETS
from archwright.benchmark.simulation import known_of
from archwright.benchmark.statistics import holm, paired
from archwright.objective import hypervolume
from archwright.space import Space, choice, integer, repeat, searchable
from archwright.strategy import GaussianProcess, LocalSearch, Random, RegularizedEvolution, Strategy, make
from archwright.strategy.surrogate.pool import Whole
from archwright.strategy.surrogate.process import Belief, fit, gaussianised
from archwright.trial import Measurement, Proposal, Trial

PARTS = ("optimum", "predict", "front", "against", "overhead")
PROBLEMS = {dataset: f"nasbenchgraph-{dataset}" for dataset in DATASETS} | {
    "mini": "mini",
    "201-12": "nasbench201-cifar10-12",
    "201-200": "nasbench201-cifar10",
}
AT, LONG = (30, 50, 100), 500
OURS = "Gaussian process"
OTHERS: dict[str, Callable[..., Strategy]] = {
    "random": Random,
    "evolution": lambda space: RegularizedEvolution(space, population_size=30, tournament_size=10),
    "local search": LocalSearch,
    "TPE": lambda space: _tpe(space),
}


def _tpe(space: Space) -> Strategy:
    from archwright.strategy import Optuna

    return Optuna(space, sampler="tpe")


def trials(benchmark: Benchmark, factory: Callable[..., Strategy], seed: int) -> Iterator[Trial]:
    """The search, for as long as it is looked at."""
    strategy = make(factory, benchmark.space, known_of(benchmark))
    number = 0
    while True:
        proposal = strategy.ask(np.random.default_rng([seed, number]))
        measured = benchmark.evaluator(proposal, seed)
        key = benchmark.space.key(proposal.architecture)
        trial = Trial(number, proposal, "done", measured, benchmark.objectives.scores(measured), key=key)
        strategy.tell(trial)
        yield trial
        number += 1


def optimum(name: str, args: argparse.Namespace, most: int = 150) -> None:
    benchmark = load(name, tables=args.tables)
    found, regret = [], {20: [], 50: [], 100: []}
    for seed in range(args.first, args.first + args.seeds):
        best, reached = -np.inf, None
        for n, trial in enumerate(trials(benchmark, GaussianProcess, seed), 1):
            best = max(best, trial.measurement.metrics["accuracy"])
            for at, values in regret.items():
                if n == at:
                    values.append(benchmark.best - best)
            if best >= benchmark.best:
                reached = n
                for at, values in regret.items():
                    if n < at:
                        values.append(0.0)
            if reached or n == most:
                break
        found.append(reached or most + 1)
    means = " | ".join(f"{np.mean(v):.3f}" for v in regret.values())
    print(
        f"| {name} | {np.median(found):g} | {np.quantile(found, 0.9):g} | {max(found)} | {means} |",
        flush=True,
    )


def predict(name: str, args: argparse.Namespace) -> None:
    benchmark = load(name, tables=args.tables)
    whole = Whole(benchmark.space)
    codes = benchmark.space.all_codes()
    features = whole.of(codes, benchmark.space.keys(codes))
    accuracy = np.array([benchmark.measure(a).metrics["accuracy"] for a in map(benchmark.space.architecture, codes)])
    columns = []
    for labels in (10, 20, 50, 100):
        taus = []
        for seed in range(args.seeds):
            some = np.random.default_rng([seed, labels]).choice(len(codes), labels, replace=False)
            y = gaussianised(accuracy[some])
            belief = Belief(features, fit(features[some], y, list(whole.features.groups.values())))
            belief.observe(features[some])
            taus.append(kendalltau(belief.mean(y), accuracy).statistic)
        columns.append(f"{np.mean(taus):.3f}")
    print(f"| {name} | " + " | ".join(columns) + " |", flush=True)


def front(name: str, args: argparse.Namespace, budget: int = 150) -> None:
    benchmark = load(name, tables=args.tables)
    points, reference = np.array(benchmark.front["scores"]), benchmark.front["reference"]
    whole = hypervolume(points, reference)
    shares = []
    for seed in range(args.seeds):
        scores = []
        for trial in trials(benchmark, GaussianProcess, seed):
            scores.append(trial.scores)
            if len(scores) == budget:
                break
        shares.append(hypervolume(np.array(scores), reference) / whole)
    print(f"| {name} | {np.mean(shares):.4f} | {min(shares):.4f} |", flush=True)


def against(args: argparse.Namespace) -> None:
    """The strategy and others on the same seeds, and random search for five times as long."""
    names = [PROBLEMS[name] for name in args.problems]
    more = {"seeds": args.seeds, "workers": args.workers, "out": args.out, "tables": args.tables}
    long = compare({}, names, budget=LONG, **more)  # the shorter comparison takes its first part
    ours = compare({OURS: GaussianProcess, **OTHERS}, names, budget=max(AT), control=OURS, **more)
    others = [s for s in ours.strategies if s != OURS]
    print(table_head("problem", OURS, *others, f"random after {LONG}", "", "p (Holm), " + " / ".join(others)))
    early, late = [], []
    for name in names:
        unit = 100 if ours.benchmarks[name].best <= 1 else 1  # in points
        found = [" / ".join(f"{unit * g:.3f}" for g in ours.gaps(name, s, AT).mean(axis=0)) for s in (OURS, *others)]
        late.append(long.gaps(name, "random", [LONG])[:, 0])
        early.append(ours.gaps(name, OURS, [min(AT)])[:, 0])
        tests = []
        for n in AT:
            by_name = {duel.first: duel for duel in ours.duels(name, n)}
            tests.append(f"{n}: " + " / ".join(verdict(by_name[other]) for other in others))
        print(row(name, *found, f"{unit * late[-1].mean():.3f}", "", "; ".join(tests)), flush=True)
    print(f"\n| problem | {min(AT)} queries against random's {LONG}: won, tied, lost | p (Holm) |\n|---|---|---|")
    results = [paired(a, b) for a, b in zip(early, late, strict=True)]
    for name, result, p in zip(names, results, holm([r.p for r in results]), strict=True):
        print(row(name, f"{result.wins}, {result.ties}, {result.losses}", f"{p:.3g}"))
    print("\n" + table_head("mean ranks over problems", *ours.strategies, "critical difference"))
    for n in AT:
        ranking = ours.ranking(spent=n)
        ranks = (f"{rank:.2f}" for rank in ranking.test.mean_ranks)
        print(row(f"after {n}", *ranks, f"{ranking.difference:.2f}"))


def verdict(duel: Duel) -> str:
    """Who won more seeds, and how surely.

    A plus is for the Gaussian process.
    """
    sign = "+" if duel.result.losses > duel.result.wins else "-" if duel.result.wins > duel.result.losses else "="
    return f"{sign}{duel.corrected:.2g}"


def forty() -> Space:
    """A network of up to twelve blocks: forty decisions."""
    layer = searchable(lambda width, kernel, act: (width, kernel, act), name="layer")
    block = layer(choice(8, 16, 32, 64), choice(1, 3, 5, 7), choice("relu", "silu", "gelu"))
    return Space({"blocks": repeat(block, (1, 12)), "dropout": integer(0, 9), "pool": choice("max", "mean"),
                  "norm": choice("batch", "layer")})  # fmt: skip


def overhead(observations: int = 1000, measured: int = 100) -> None:
    space = forty()
    strategy = GaussianProcess(space)
    rng = np.random.default_rng(0)

    def trial(number: int, proposal: Proposal) -> Trial:
        values = [v for v in proposal.architecture.values() if isinstance(v, (int, float))]
        score = float(abs(np.log(sum(values)) - 5) + 0.1 * rng.normal())
        return Trial(
            number, proposal, "done", Measurement({"loss": score}), (score,), key=space.key(proposal.architecture)
        )

    for number in range(observations):
        strategy.tell(trial(number, Proposal(space.sample(rng))))
    strategy.ask(np.random.default_rng(0))
    took = []
    for number in range(observations, observations + measured):
        began = time.perf_counter()
        proposal = strategy.ask(np.random.default_rng(number))
        asked = time.perf_counter() - began
        told = trial(number, proposal)
        began = time.perf_counter()
        strategy.tell(told)
        took.append(1e3 * (asked + time.perf_counter() - began))
    print(
        f"| {len(space.decisions)} | {observations:,} | {statistics.median(took):.1f} ms | {np.mean(took):.1f} ms | "
        f"{max(took):.0f} ms |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--tables", help="folder of the tables")
    parser.add_argument("--first", type=int, default=0, help="the first seed of `optimum`")
    parser.add_argument("--problems", nargs="+", metavar="NAME", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--out", help="folder to keep the runs of `against` in")
    parser.add_argument("--workers", type=int, default=1, help="processes of `against`")
    args = parser.parse_args()
    print(heading(f"The Gaussian process, {args.seeds} seeds"))
    cells = ("nasbench201-cifar10", "nasbench201-cifar10-12")
    if "optimum" in args.only:
        print("\n| problem | queries to the best, median | 90 % | most | regret at 20 | 50 | 100 |")
        print("|---|---|---|---|---|---|---|")
        for name in (*cells, "mini"):
            optimum(name, args)
    if "predict" in args.only:
        print("\n| Kendall's tau | 10 labels | 20 | 50 | 100 |\n|---|---|---|---|---|")
        for name in cells:
            predict(name, args)
    if "front" in args.only:
        print("\n| hypervolume share after 150 | mean | least |\n|---|---|---|")
        for name in cells:
            front(f"{name}-params", args)
    if "against" in args.only:
        print()
        against(args)
    if "overhead" in args.only:
        print("\n| decisions | observations | ask and tell, median | mean | longest |\n|---|---|---|---|---|")
        overhead()


if __name__ == "__main__":
    main()
