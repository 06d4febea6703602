"""A text in, a language model out that goes on with what is begun.

    python examples/language.py

Any text file will do: aw.task.load("tale.txt"). Needs the extra: pip install 'archwright[text]'
"""

import os

import archwright as aw
from archwright.export import predict

text = aw.task.load("python_manual", window=64)  # what Python's help() knows of its topics
print(text)

budget = os.environ.get("ARCHWRIGHT_EXAMPLE_BUDGET", "10 min")
result = aw.search(text, objectives=[aw.minimize("bits"), aw.at_most(params="200k")], budget=budget, workers=2)
print(f"{result.test['bits']['mean']:.2f} bits a character, by {result.best.architecture['kind']}")

folder = result.save("runs/language")
for answer in predict(folder, ["The return statement", "A class is"], tokens=120, form="source"):
    print(answer.value)
