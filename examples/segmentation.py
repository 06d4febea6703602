"""Images and masks in, a trained network that says a class for every pixel out.

    python examples/segmentation.py

Replace `images` and `masks` by yours, or name a folder with images/ and masks/: aw.task.load("streets/").
"""

import os

import numpy as np

import archwright as aw
from archwright.export import predict

rng = np.random.default_rng(0)
rows, columns = np.mgrid[:32, :32]
masks = np.zeros((120, 32, 32), dtype=np.uint8)
for mask in masks:  # a disc before a bar, on ground
    (r, c), at = rng.integers(6, 26, 2), rng.integers(0, 26)
    mask[:, at : at + 6] = 1
    mask[(rows - r) ** 2 + (columns - c) ** 2 < 30] = 2
images = np.array([90, 140, 190])[masks] + rng.normal(0, 30, masks.shape)  # one grey channel, and much noise
scenes = aw.task.Segmentation(images.clip(0, 255).astype(np.uint8), masks, names=["ground", "bar", "disc"])
print(scenes)

budget = os.environ.get("ARCHWRIGHT_EXAMPLE_BUDGET", "2 min")
result = aw.search(scenes, objectives=[aw.maximize("mean_iou"), aw.at_most(params="50k")], budget=budget)
print(f"mean IoU {result.test['mean_iou']['mean']:.3f} on the test images")

folder = result.save("runs/segmentation")
answer = predict(folder, images[:1].clip(0, 255).astype(np.uint8))[0]
print(answer.value, answer.save_mask("runs/segmentation/masks"))
