"""Q-learning, step by step: a table of what each decision is worth.

    python examples/q_learning.py

Every cell of the mini benchmark was trained in advance, so nothing is trained here. The plot `q_learning.html` shows
how the search turns from exploring to using what it has learnt.
"""

import os

import numpy as np
import plotly.graph_objects as go

import archwright as aw
from archwright.benchmark import load
from archwright.strategy import QLearning, Random

QUICK = "ARCHWRIGHT_EXAMPLE_BUDGET" in os.environ
TRIALS, SEEDS = (90, 2) if QUICK else (150, 20)

problem = load("mini")
space = problem.space
print(space.describe())


def search(strategy, seed):
    """Ask, measure, tell: the accuracies in the order of the trials."""
    found = []
    for number in range(TRIALS):
        proposal = strategy.ask(np.random.default_rng([seed, number]))
        measured = problem.measure(proposal.architecture)
        key = space.key(proposal.architecture)
        strategy.tell(aw.Trial(number, proposal, "done", measured, problem.objectives.scores(measured), key=key))
        found.append(measured.metrics["accuracy"])
    return found


# 1. An architecture is an episode: one decision after the other, and a reward at the end. Q(state, action) is what
#    rewards can be expected of an action. At first every action is worth the same.
strategy = QLearning(space)
*_, before, last = space.decisions


def print_table():
    """Q of the last decision, in the states that it can be made in: it sees the decision before it, and no other."""
    print(f"  {before.name + ', then ' + last.name:>14}", *(f"{value:>7}" for value in last.values))
    for code, value in enumerate(before.values):
        print(f"  {value:>14}", *(f"{q:7.3f}" for q in strategy.value([0, 0, code])))


print("\nQ before the first trial:")
print_table()

# 2. Each trial corrects the table from its last decision to its first: the last one towards the reward, those before
#    it towards the best value of what comes next. Then 20 earlier trials are gone through again (experience replay).
accuracies = search(strategy, seed=0)
print(f"Q after {TRIALS} trials:")
print_table()

# 3. Epsilon, the share of decisions made at random, falls with the number of trials.
epsilons = [strategy.epsilon(number) for number in range(TRIALS)]
explored = [a for a, epsilon in zip(accuracies, epsilons, strict=True) if epsilon == 1]
greedy = [a for a, epsilon in zip(accuracies, epsilons, strict=True) if epsilon < 1]
print(f"mean accuracy at epsilon 1: {np.mean(explored):.4f}, below it: {np.mean(greedy):.4f}")

# 4. Is that better than chance? Random search gets the same trials from the same seeds.
curves = {}
for name, make in {"Q-learning": QLearning, "random search": Random}.items():
    runs = np.array([search(make(space), seed) for seed in range(SEEDS)])
    curves[name] = runs.mean(axis=0)
    best = problem.best - np.maximum.accumulate(runs, axis=1)[:, [TRIALS // 3 - 1, -1]].mean(axis=0)
    print(f"{name:14} the best so far lacks {best[0]:.4f} after {TRIALS // 3} trials, {best[1]:.4f} after {TRIALS}")

figure = go.Figure([go.Scatter(y=curve, name=name) for name, curve in curves.items()])
figure.add_scatter(y=epsilons, name="epsilon", yaxis="y2", line={"dash": "dot"})
figure.update_layout(
    xaxis_title="trial",
    yaxis_title=f"accuracy, mean of {SEEDS} seeds",
    yaxis2={"title": "epsilon", "overlaying": "y", "side": "right", "range": [0, 1]},
)
figure.write_html("q_learning.html")
print("wrote q_learning.html")
