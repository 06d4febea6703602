"""A search to be killed: `crash_script.py STORE` starts it, or resumes it where a run is there already.

Where there is a file STORE.upto, no trial with the number in it or above is evaluated before that number grows: so
that however late the killer comes, the search has not ended without it.
"""

import sys
import time
from pathlib import Path

import archwright as aw
from archwright.run.loop import evaluation_seed

layer = aw.searchable(lambda width, kernel: (width, kernel))
SPACE = aw.Space({
    "layers": aw.repeat(layer(aw.choice(8, 16, 32, 64), aw.choice(1, 3, 5)), (1, 3)),
    "act": aw.choice("relu", "silu", "tanh"),
})  # fmt: skip


TRIALS, SEED = 250, 11
NUMBERS = {evaluation_seed(SEED, number): number for number in range(TRIALS)}


def evaluate(architecture, seed, upto):
    while upto.exists() and NUMBERS[seed] >= int(upto.read_text()):
        time.sleep(0.01)
    time.sleep(0.005 + (seed % 10) / 400)
    widths = [v for v in architecture.values() if isinstance(v, int)]
    if sum(widths) % 11 == 0:
        raise ValueError("made to fail")
    return {"loss": abs(sum(widths) - 70) + (seed % 100) / 1000}


def main(store):
    upto = Path(f"{store}.upto")
    common = {"space": SPACE, "evaluate": lambda architecture, seed: evaluate(architecture, seed, upto)}
    common["progress"] = False
    if Path(store).exists() and started(store):
        return aw.resume(store, **common)
    return aw.search(
        **common, objectives=aw.minimize("loss"), trials=TRIALS, workers=2, store=store, seed=SEED, deterministic=True,
        strategy=lambda space: aw.strategy.RegularizedEvolution(space, population_size=10, tournament_size=4),
    )  # fmt: skip


def started(store):
    with aw.store.Store(store) as kept:
        return bool(kept.runs())


if __name__ == "__main__":
    main(sys.argv[1])
