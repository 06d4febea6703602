"""A genetic algorithm, step by step: what a generation is, what each operator does, and whether it beats chance.

    python examples/genetic_algorithm.py

Every cell of the mini benchmark was trained in advance, so a search takes no time, and the best is known. The plot
`genetic_algorithm.html` shows how far each variant is from it.
"""

import os
from functools import partial

import numpy as np
import plotly.graph_objects as go

import archwright as aw
from archwright.benchmark import load
from archwright.benchmark.compare import compare
from archwright.strategy import GeneticAlgorithm

QUICK = "ARCHWRIGHT_EXAMPLE_BUDGET" in os.environ
TRIALS, SEEDS = (40, 2) if QUICK else (100, 10)

problem = load("mini")
space = problem.space
print(space.describe())

# 1. The search itself: ask for an architecture, measure it, tell. `aw.search` does the same, and keeps what it finds.
strategy = GeneticAlgorithm(space, population_size=12, tournament_size=3, elitism=2)
trials, generation = [], ()
print("\nGenerations:")
for number in range(TRIALS):
    proposal = strategy.ask(np.random.default_rng([0, number]))
    measured = problem.measure(proposal.architecture)
    key = space.key(proposal.architecture)  # equal for cells that compute the same: none is proposed twice
    trial = aw.Trial(number, proposal, "done", measured, problem.objectives.scores(measured), key=key)
    strategy.tell(trial)
    trials.append(trial)
    if strategy.population != generation:  # a new one: the two best of the last, and ten children
        generation = strategy.population
        accuracies = [t.measurement.metrics["accuracy"] for t in generation]
        print(f"  after {number + 1:3} trials: best {max(accuracies):.4f}, mean {np.mean(accuracies):.4f}")

# 2. Where the best came from: a child names its parents, and they name theirs, back to random architectures.
print("\nThe best, and its ancestors:")
waiting, shown = [min(trials, key=lambda t: t.scores).number], set()
while waiting and len(shown) < 8:
    trial = trials[waiting.pop(0)]
    if trial.number not in shown:
        shown.add(trial.number)
        accuracy = trial.measurement.metrics["accuracy"]
        print(f"  trial {trial.number:3}  {accuracy:.4f}  {trial.proposal.origin:22}  {dict(trial.architecture)}")
        waiting += trial.proposal.parents

# 3. Which operators? Chance decides much in one search, so each variant gets many seeds; random search is added.
variants = {
    "tournament, uniform crossover": {},
    "one-point crossover": {"crossover": "one-point"},
    "mutation by swapping": {"mutation": "swap"},
    "selection by roulette": {"selection": "roulette"},
    "no elitism": {"elitism": 0},
}
comparison = compare(
    {name: partial(GeneticAlgorithm, population_size=12, **settings) for name, settings in variants.items()},
    problem,
    seeds=SEEDS,
    budget=TRIALS,
    progress=False,
)
spent = np.arange(1, TRIALS + 1)
regrets = {name: comparison.gaps("mini", name, spent).mean(axis=0) for name in comparison.strategies}
print(f"\nWhat the best so far lacks, mean of {SEEDS} seeds, after:  {TRIALS // 2:6} {TRIALS:6}")
for name, regret in regrets.items():
    print(f"  {name:52} {regret[TRIALS // 2 - 1]:6.4f} {regret[-1]:6.4f}")

figure = go.Figure([go.Scatter(x=spent, y=regret, name=name) for name, regret in regrets.items()])
figure.update_layout(xaxis_title="trials", yaxis_title=f"accuracy short of the best, mean of {SEEDS} seeds")
figure.write_html("genetic_algorithm.html")
print("wrote genetic_algorithm.html")
