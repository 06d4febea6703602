"""An image and a table of the same samples in one network, beside a network for either alone.

    python examples/multimodal.py

The pair is constructed for the example: the upper halves of digits are the images, the lower halves a table of 32
numbers. Replace both by yours; texts and sequences may join them.
"""

import os

from sklearn.datasets import load_digits

import archwright as aw

data = load_digits()
upper = (15 * data.images[:, :4]).astype("uint8")  # bytes in three axes are grey images
x = {"upper": upper, "lower": data.images[:, 4:].reshape(-1, 32)}
both = aw.task.Multimodal(x, data.target, name="halves of digits")
print(both)

budget = os.environ.get("ARCHWRIGHT_EXAMPLE_BUDGET", "1 min")
for task in (both, both.alone("upper"), both.alone("lower")):
    result = aw.search(task, objectives=[aw.maximize("accuracy"), aw.at_most(params="10k")], budget=budget)
    fusion = result.best.architecture.get("towers/fusion", "nothing")
    print(f"{task.name}: joined by {fusion}, accuracy {result.test['accuracy']['mean']:.3f} on test")
