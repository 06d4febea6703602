"""Bayesian optimisation, step by step: a Gaussian process that says what it expects, and how sure it is.

    python examples/gaussian_process.py

Every cell of the mini benchmark was trained in advance, so what the model expects can be held against what is so. The
model here is a few lines of NumPy; `GaussianProcess`, the default strategy, is the same with weights that it learns
for each group of features, several goals, ceilings and failures. The plot `gaussian_process.html` shows what the model
knows after twelve trials.
"""

import os
from functools import partial

import numpy as np
import plotly.graph_objects as go
from scipy.spatial.distance import cdist
from scipy.stats import kendalltau, norm

from archwright.benchmark import load
from archwright.benchmark.compare import compare
from archwright.space.features import Features
from archwright.strategy import GaussianProcess, RegularizedEvolution

QUICK = "ARCHWRIGHT_EXAMPLE_BUDGET" in os.environ
TRIALS, SEEDS = (25, 2) if QUICK else (60, 10)
BEGIN = 12

problem = load("mini")
space = problem.space
print(space.describe())

# 1. Features. Not the choices alone, but what they compute: which operations there are and how many, which lie on the
#    paths from input to output, how long these are. Cells that compute the same have the same features.
codes = space.all_codes()
_, unique = np.unique(space.keys(codes), return_index=True)
codes = codes[unique]
features = Features(space)(codes)
architectures = [space.architecture(row) for row in codes]
print(f"\n{len(codes)} cells that compute different functions, {features.shape[1]} features of each")

# 2. The model. Cells with like features have like accuracies: the covariance falls with the distance.
distances = cdist(features, features, "sqeuclidean")
covariance = np.exp(-distances / distances.mean())
NOISE = 0.1  # the variance of what the features do not explain, as a share of all


def posterior(known, values):
    """What is expected of each cell, and the standard deviation of that, given some accuracies."""
    scaled = (values - values.mean()) / values.std()
    k = covariance[np.ix_(known, known)] + NOISE * np.eye(len(known))
    across = covariance[:, known]
    mean = across @ np.linalg.solve(k, scaled)
    variance = 1 - np.einsum("ij,ji->i", across, np.linalg.solve(k, across.T))
    return values.mean() + values.std() * mean, values.std() * np.sqrt(variance)


# 3. What to try next. Expected improvement is large where much is expected, and where little is known. A search begins
#    with random cells, and then goes where it is largest.
def expected_improvement(mean, deviation, best):
    z = (mean - best) / deviation
    return deviation * (z * norm.cdf(z) + norm.pdf(z))


known = np.random.default_rng(0).permutation(len(codes))[:BEGIN].tolist()
true = np.array([problem.measure(a).metrics["accuracy"] for a in architectures])
print(f"after {BEGIN:2} random cells: the best so far has {true[known].max():.4f}")
for number in range(BEGIN, TRIALS):
    mean, deviation = posterior(known, true[known])
    if number == BEGIN:
        expected, unsure, known_then = mean, deviation, list(known)
        print(f"  the rank correlation of expected and true accuracy is {kendalltau(mean, true).statistic:.2f}")
    worth = expected_improvement(mean, deviation, true[known].max())
    worth[known] = -1
    known.append(int(worth.argmax()))
    if true[known[-1]] > true[known[:-1]].max():
        print(f"  trial {number + 1:2}: {true[known[-1]]:.4f}, {mean[known[-1]]:.4f} was expected")
print(f"after {TRIALS} cells: {true[known].max():.4f}; the best there is has {problem.best:.4f}")

# 4. Is that better than chance, and than evolution? The strategy gets the same trials from the same seeds.
small = partial(RegularizedEvolution, population_size=20, tournament_size=5)
comparison = compare(
    {"GaussianProcess": GaussianProcess, "RegularizedEvolution": small},
    problem,
    seeds=SEEDS,
    budget=TRIALS,
    progress=False,
)
print(f"\nWhat the best so far lacks, mean of {SEEDS} seeds, after:  {TRIALS // 2:6} {TRIALS:6}")
for name in comparison.strategies:
    half, full = comparison.gaps("mini", name, [TRIALS // 2, TRIALS]).mean(axis=0)
    print(f"  {name:52} {half:6.4f} {full:6.4f}")

order = np.argsort(expected)
figure = go.Figure([go.Scatter(y=true[order], mode="markers", name="true accuracy", marker={"size": 4})])
figure.add_scatter(y=expected[order], name="expected")
for sign in (-1, 1):
    figure.add_scatter(y=(expected + sign * 2 * unsure)[order], name=f"{2 * sign:+} deviations", line={"width": 0.5})
place = np.argsort(order)
figure.add_scatter(x=place[known_then], y=true[known_then], mode="markers", name="the twelve", marker={"size": 9})
figure.update_layout(xaxis_title="cells, by what the model expects of them", yaxis_title="accuracy")
figure.write_html("gaussian_process.html")
print("wrote gaussian_process.html")
