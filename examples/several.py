"""One network for two questions about the same images, beside a network for each.

    python examples/several.py

Replace `images` and the two arrays of answers by yours; a number with fractions makes its target a quantity.
"""

import os

from sklearn.datasets import load_digits

import archwright as aw

data = load_digits()
images, digit, odd = data.images, data.target, data.target % 2
both = aw.task.MultiTask(images, {"digit": digit, "odd": odd}, name="digits")
print(both)

budget = os.environ.get("ARCHWRIGHT_EXAMPLE_BUDGET", "2 min")
goals = [aw.maximize("mean"), aw.at_most(params="6k")]
shared = aw.search(both, objectives=goals, budget=budget)
print("together", {name: round(shared.test[f"{name}_accuracy"]["mean"], 4) for name in ("digit", "odd")})
print("branches", shared.best.architecture["branch"], "with", shared.best.costs["params"], "parameters")

for name in ("digit", "odd"):
    alone = aw.search(both.alone(name), objectives=[aw.maximize("mean"), aw.at_most(params="4k")], budget=budget)
    print("alone", name, round(alone.test["mean"]["mean"], 4))
