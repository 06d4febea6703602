"""A text in, a language model out that goes on with what is begun.

    python examples/language.py

Any text file will do: aw.task.load("tale.txt"). Needs the extra: pip install 'archwright[text]'
"""

import os

import archwright as aw
from archwright.export import predict
from archwright.task.language import python_manual

manual = python_manual()[:40_000]  # some of what Python's help() knows; all of it: aw.task.load("python_manual")
text = aw.task.LanguageModelling(manual, name="manual", window=32)
print(text)

budget = os.environ.get("ARCHWRIGHT_EXAMPLE_BUDGET", "3 min")
result = aw.search(text, objectives=[aw.minimize("bits"), aw.at_most(params="100k")], budget=budget)
print(f"{result.test['bits']['mean']:.2f} bits a character, by {result.best.architecture['kind']}")

folder = result.save("runs/language")
for answer in predict(folder, ["The return statement", "A class is"], tokens=120, form="source"):
    print(answer.value)
