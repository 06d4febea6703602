"""REINFORCE, step by step: a controller that learns to build good architectures.

    python examples/reinforce.py

The architectures are those of the toy benchmark, whose accuracies are known, so nothing is trained here but the
controller. The plot `reinforce.html` shows what it draws at the beginning and what it draws after learning.
"""

import os

import numpy as np
import plotly.graph_objects as go

from archwright.benchmark import load
from archwright.errors import EvaluationError
from archwright.strategy import Random, Reinforce
from archwright.trial import Proposal, Trial

QUICK = "ARCHWRIGHT_EXAMPLE_BUDGET" in os.environ
TRIALS, SEEDS = (30, 2) if QUICK else (80, 5)

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


# 1. The policy. An LSTM reads the decisions taken so far, and says how likely each value of the next one is. Before
#    it has learnt, its episodes are nearly uniform.
strategy = Reinforce(space)
controller = strategy.policy.controller


def drawn():
    """Accuracies of 200 episodes of the controller as it is now."""
    episodes = controller.sample(np.random.default_rng(0), 200)
    return [measure(Proposal(space.architecture(codes)))[1] for codes in episodes]


before = drawn()

# 2. Learning. After each batch of five trials, episodes above the baseline (a moving average of the rewards) become
#    likelier, those below it less likely: grad log p(episode) * (reward - baseline).
search(strategy, seed=0)
after = drawn()
print(f"{strategy.policy.updates} updates; mean accuracy of what the controller draws:")
print(f"  before {np.mean(before):.4f}, after {np.mean(after):.4f}; best there is {problem.best:.4f}")

# 3. Is that better than chance? Random search gets the same trials from the same seeds.
curves = {}
for name, make in {"REINFORCE": lambda s: Reinforce(space, seed=s), "random search": lambda s: Random(space)}.items():
    runs = np.maximum.accumulate([search(make(seed), seed) for seed in range(SEEDS)], axis=1)
    curves[name] = runs.mean(axis=0)
    print(f"{name:14} mean of the best accuracy after {TRIALS} trials: {curves[name][-1]:.4f} ({SEEDS} seeds)")

figure = go.Figure([go.Histogram(x=before, name="drawn before learning", opacity=0.6)])
figure.add_histogram(x=after, name="drawn after learning", opacity=0.6)
figure.update_layout(barmode="overlay", xaxis_title="accuracy", yaxis_title="episodes of 200")
figure.write_html("reinforce.html")
print("wrote reinforce.html")
