"""REINFORCE, step by step: a controller that learns to build good architectures.

    python examples/reinforce.py

Every cell of the mini benchmark was trained in advance, so nothing is trained here but the controller. The plot
`reinforce.html` shows what it draws before it has learnt anything and after.
"""

import os

import numpy as np
import plotly.graph_objects as go

import archwright as aw
from archwright.benchmark import load
from archwright.benchmark.compare import compare
from archwright.strategy import Reinforce

QUICK = "ARCHWRIGHT_EXAMPLE_BUDGET" in os.environ
TRIALS, SEEDS = (30, 2) if QUICK else (100, 5)

problem = load("mini")
space = problem.space
print(space.describe())

# 1. The policy. An LSTM reads the decisions taken so far, and says how likely each value of the next one is. Before
#    it has learnt, its episodes are nearly uniform.
strategy = Reinforce(space)
controller = strategy.policy.controller


def drawn():
    """Accuracies of 200 episodes of the controller as it is now."""
    episodes = controller.sample(np.random.default_rng(0), 200)
    return [problem.measure(space.architecture(codes)).metrics["accuracy"] for codes in episodes]


before = drawn()

# 2. Learning. After each batch of five trials, episodes above the baseline (a moving average of the rewards) become
#    likelier, those below it less likely: grad log p(episode) * (reward - baseline).
for number in range(TRIALS):
    proposal = strategy.ask(np.random.default_rng([0, number]))
    measured = problem.measure(proposal.architecture)
    key = space.key(proposal.architecture)
    strategy.tell(aw.Trial(number, proposal, "done", measured, problem.objectives.scores(measured), key=key))
after = drawn()
print(f"\n{strategy.policy.updates} updates; mean accuracy of what the controller draws:")
print(f"  before {np.mean(before):.4f}, after {np.mean(after):.4f}; the best there is has {problem.best:.4f}")

# 3. Is that better than chance? Random search gets the same trials from the same seeds.
comparison = compare({"REINFORCE": Reinforce}, problem, seeds=SEEDS, budget=TRIALS, progress=False)
print(f"\nWhat the best so far lacks, mean of {SEEDS} seeds, after:  {TRIALS // 2:6} {TRIALS:6}")
for name in comparison.strategies:
    half, full = comparison.gaps("mini", name, [TRIALS // 2, TRIALS]).mean(axis=0)
    print(f"  {name:52} {half:6.4f} {full:6.4f}")

figure = go.Figure([go.Histogram(x=before, name="drawn before learning", opacity=0.6)])
figure.add_histogram(x=after, name="drawn after learning", opacity=0.6)
figure.update_layout(barmode="overlay", xaxis_title="accuracy", yaxis_title="episodes of 200")
figure.write_html("reinforce.html")
print("wrote reinforce.html")
