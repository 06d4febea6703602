"""Pairs of texts in, a trained network that translates new ones out.

    python examples/translation.py

Replace `english` and `german` by yours, or name a table: aw.task.load("pairs.csv", kind="translation", text="en",
target="de"). Needs the extra `translation`.
"""

import os
from itertools import product

import archwright as aw
from archwright.export import predict

who = {"the man": "der Mann", "the woman": "die Frau", "a child": "ein Kind", "my dog": "mein Hund"}
does = {"sees": "sieht", "hears": "hört", "finds": "findet", "likes": "mag"}
what = {"a bird": "einen Vogel", "the ball": "den Ball", "a house": "ein Haus", "the sea": "das Meer"}
when = {"today": "heute", "every day": "jeden Tag", "again": "wieder", "at night": "nachts"}
english = [" ".join(words) for words in product(who, does, what, when)]
german = [f"{when[t]} {does[d]} {who[w]} {what[o]}" for w, d, o, t in product(who, does, what, when)]
pairs = aw.task.Translation(english, german, name="who does what", vocabulary=120)
print(pairs)

budget = os.environ.get("ARCHWRIGHT_EXAMPLE_BUDGET", "3 min")
result = aw.search(pairs, objectives=[aw.minimize("nats"), aw.at_most(params="300k")], budget=budget)
print(f"BLEU {result.test['bleu']['mean']:.1f} on the test pairs")

folder = result.save("runs/translation")
for answer in predict(folder, ["my dog likes the sea at night", "the woman finds a bird again"]):
    print(answer.value)
