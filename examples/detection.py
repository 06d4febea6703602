"""Images and boxes in, a trained network that finds things in new images out.

    python examples/detection.py

Replace `images`, `boxes` and `labels` by yours, or name a folder in the manner of COCO, Pascal VOC or YOLO:
aw.task.load("cells/"). Needs the extra `detection`.
"""

import os

import numpy as np

import archwright as aw
from archwright.export import predict

rng = np.random.default_rng(0)
images = rng.integers(90, 150, (100, 48, 64, 3), dtype=np.uint8)
boxes, labels = [], []
for image in images:  # bright squares and dark bars, one to three of them
    at = [(left, rng.integers(2, 34), rng.random() < 0.5) for left in (2, 24, 46)[: rng.integers(1, 4)]]
    sizes = [(12, 12) if square else (16, 6) for _, _, square in at]
    boxes.append([(x, y, x + wide, y + high) for (x, y, _), (wide, high) in zip(at, sizes, strict=True)])
    labels.append(["square" if square else "bar" for _, _, square in at])
    for (left, top, right, bottom), label in zip(boxes[-1], labels[-1], strict=True):
        image[top:bottom, left:right] = 230 if label == "square" else 20
things = aw.task.Detection(images, boxes, labels)
print(things)

budget = os.environ.get("ARCHWRIGHT_EXAMPLE_BUDGET", "2 min")
result = aw.search(things, objectives=[aw.maximize("map50"), aw.at_most(params="100k")], budget=budget)
print(f"mAP at an IoU of 0.5: {result.test['map50']['mean']:.3f} on the test images")

folder = result.save("runs/detection")
answer = predict(folder, images[:1])[0]
print(answer.value, answer.save_drawing("runs/detection/drawn"))
