"""Images in, a network that makes more like them out.

    python examples/generation.py

Replace the data by yours: aw.task.ImageGeneration(images), or a folder of images:
aw.task.load("faces/", kind="generation", resize=(32, 32)).
"""

import os

import archwright as aw
from archwright.export import predict, save_grid

digits = aw.task.load("digits", kind="generation")
print(digits)

budget = os.environ.get("ARCHWRIGHT_EXAMPLE_BUDGET", "3 min")
result = aw.search(digits, objectives=[aw.minimize("frechet"), aw.at_most(params="100k")], budget=budget, workers=2)
print(f"Fréchet distance {result.test['frechet']['mean']:.2f} to the test images")

folder = result.save("runs/generation")
print(save_grid(predict(folder, samples=64), "runs/generation/grid.png"))
