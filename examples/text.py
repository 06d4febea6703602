"""Texts in, a trained network that classifies new ones out.

    python examples/text.py

Replace `texts` and `labels`; any language will do. CSV and Parquet files: aw.task.load("mail.csv", kind="text").
Needs the extra: pip install 'archwright[text]'
"""

import os

import archwright as aw
from archwright.export import predict

names = aw.task.load("first_names")  # 4,832 names of the US census, female or male: texts of one word, read by letters
print(names)

budget = os.environ.get("ARCHWRIGHT_EXAMPLE_BUDGET", "1 min")
result = aw.search(names, objectives=[aw.maximize("balanced_accuracy"), aw.at_most(params="100k")], budget=budget)
print(f"test balanced accuracy {result.test['balanced_accuracy']['mean']:.3f} by {result.best.architecture['kind']}")

folder = result.save("runs/text")
for answer, name in zip(predict(folder, ["Philomena", "Thorsten"]), ["Philomena", "Thorsten"], strict=True):
    print(f"{name}: {answer.label} ({answer.probability:.0%})")
