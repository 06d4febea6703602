"""Q-learning, step by step: a table of what each decision is worth.

    python examples/q_learning.py

The architectures are those of the toy benchmark, whose accuracies are known, so nothing is trained here. The plot
`q_learning.html` shows how the search turns from exploring to using what it has learnt.
"""

import os

import numpy as np
import plotly.graph_objects as go

from archwright.benchmark import load
from archwright.errors import EvaluationError
from archwright.strategy import QLearning, Random
from archwright.trial import Trial

QUICK = "ARCHWRIGHT_EXAMPLE_BUDGET" in os.environ
TRIALS, SEEDS = (30, 2) if QUICK else (90, 20)

problem = load("toy")
space = problem.space
print(space.describe())


def measure(proposal, number=0):
    """What comes of a proposal; some of the toy's networks diverge, and a failure is a result too."""
    key = space.key(proposal.architecture)
    try:
        measured = problem.measure(proposal.architecture)
    except EvaluationError as error:
        return Trial(number, proposal, "failed", reason=str(error), key=key), 0.0
    scores = problem.objectives.scores(measured)
    return Trial(number, proposal, "done", measured, scores, key=key), measured.metrics["accuracy"]


def search(strategy, seed):
    """Ask, measure, tell: the accuracies in the order of the trials, 0 for those that failed."""
    found = []
    for number in range(TRIALS):
        trial, accuracy = measure(strategy.ask(np.random.default_rng([seed, number])), number)
        strategy.tell(trial)
        found.append(accuracy)
    return found


# 1. An architecture is an episode: one decision after the other, and a reward at the end. Q(state, action) is what
#    rewards can be expected of an action. At first every action is worth the same.
strategy = QLearning(space)
first = space.decisions[0]
print(f"\nQ of {first.name!r} before: {dict(zip(first.values, strategy.value([]), strict=True))}")

# 2. Each trial corrects the table from its last decision to its first: the last one towards the reward, those before
#    it towards the best value of what comes next. Then 20 earlier trials are gone through again (experience replay).
accuracies = search(strategy, seed=0)
values = {value: round(q, 3) for value, q in zip(first.values, strategy.value([]), strict=True)}
print(f"Q of {first.name!r} after {TRIALS} trials: {values}")

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
    best = np.maximum.accumulate(runs, axis=1)[:, [TRIALS // 3, -1]].mean(axis=0)
    print(f"{name:14} mean of the best after {TRIALS // 3} trials {best[0]:.4f}, after {TRIALS} {best[1]:.4f}")

figure = go.Figure([go.Scatter(y=curve, name=name) for name, curve in curves.items()])
figure.add_scatter(y=epsilons, name="epsilon", yaxis="y2", line={"dash": "dot"})
figure.update_layout(
    xaxis_title="trial",
    yaxis_title=f"accuracy, mean of {SEEDS} seeds",
    yaxis2={"title": "epsilon", "overlaying": "y", "side": "right", "range": [0, 1]},
)
figure.write_html("q_learning.html")
print("wrote q_learning.html")
