"""Two goals at once: accuracy against cost, and the front of what can be had.

    python examples/two_goals.py

With `aw.minimize("latency_ms")` in place of `"macs"`, every network is timed on this machine before it is trained.
"""

import os

import numpy as np

import archwright as aw
from archwright.objective import hypervolume, pareto_front

BUDGET = os.environ.get("ARCHWRIGHT_EXAMPLE_BUDGET", "1 min")

result = aw.search(
    aw.task.load("digits"),
    objectives=[aw.maximize("accuracy"), aw.minimize("macs"), aw.at_most(params="50k")],
    budget=BUDGET,
)

# No trial of the front is beaten by another in both goals; everything else is.
front = pareto_front(result.trials)
print(f"{len(front)} of {len(result.trials)} trials are on the front:")
for trial in sorted(front, key=lambda t: t.measurement.costs["macs"]):
    accuracy, macs = trial.measurement.metrics["accuracy"], trial.measurement.costs["macs"]
    mark = "  <- chosen" if trial.number == result.best.trial.number else ""
    print(f"  trial {trial.number:3}  accuracy {accuracy:.4f}  {macs:9,.0f} multiply-adds{mark}")

# One number for a whole front: the area that it dominates, up to a reference point. Scores are "smaller is better",
# so accuracy counts as its negative.
scores = np.array([trial.scores for trial in front])
reference = (0.0, 1e6)  # accuracy 0, a million multiply-adds
print(f"hypervolume {hypervolume(scores[scores[:, 1] < 1e6], reference) / 1e6:.4f} of 1")

accuracy = result.test["accuracy"]
print(f"the chosen network on the test part: {accuracy['mean']:.4f}")
