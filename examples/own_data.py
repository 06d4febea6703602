"""Your own arrays in, a trained network and its files out.

    python examples/own_data.py

Replace `x` and `y`: images are (n, height, width), (n, height, width, 3) or (n, 3, height, width), numbers of any
kind; labels may be numbers or strings. Folders of images, CSV files and time series are in docs/tasks.md.
"""

import os
from pathlib import Path

from sklearn.datasets import load_digits

import archwright as aw

BUDGET = os.environ.get("ARCHWRIGHT_EXAMPLE_BUDGET", "1 min")

# 1. The data. archwright divides them: the search sees training and validation parts, and the test part is opened once.
x, y = load_digits(return_X_y=True)
task = aw.task.ImageClassification(x.reshape(-1, 8, 8), y, name="my digits")
print(task)

# 2. The search: the best accuracy that at most 20,000 parameters can have. The time covers everything that follows.
result = aw.search(
    task,
    objectives=[aw.maximize("accuracy"), aw.at_most(params="20k")],
    budget=BUDGET,
)

# 3. What came out: the network, and what it does on data that the search never saw.
print()
for trial in result.leaderboard(3):
    accuracy = trial.measurement.metrics["accuracy"]
    print(f"trial {trial.number}: validation accuracy {accuracy:.4f}, {trial.architecture}")

model = result.best.model  # a plain torch.nn.Module, trained, in evaluation mode
accuracy = result.test["accuracy"]
print(f"test accuracy {accuracy['mean']:.4f} (95 % interval {accuracy['low']:.4f} to {accuracy['high']:.4f})")
print(f"parameters    {sum(p.numel() for p in model.parameters()):,}")

# 4. Files that need no archwright: weights, Python source, ONNX, .pt2, and the report.
folder = result.save("runs/own_data")
for path in sorted(Path(folder).iterdir()):
    print(f"{path}  {path.stat().st_size:,} bytes")
