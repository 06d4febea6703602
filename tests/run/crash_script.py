"""A search to be killed: `crash_script.py STORE` starts it, or resumes it where a run is there already."""

import sys
import time

import archwright as aw

layer = aw.searchable(lambda width, kernel: (width, kernel))
SPACE = aw.Space({
    "layers": aw.repeat(layer(aw.choice(8, 16, 32, 64), aw.choice(1, 3, 5)), (1, 3)),
    "act": aw.choice("relu", "silu", "tanh"),
})  # fmt: skip


def evaluate(architecture, seed):
    time.sleep(0.005 + (seed % 10) / 400)
    widths = [v for v in architecture.values() if isinstance(v, int)]
    if sum(widths) % 11 == 0:
        raise ValueError("made to fail")
    return {"loss": abs(sum(widths) - 70) + (seed % 100) / 1000}


def main(store):
    from pathlib import Path

    common = {"space": SPACE, "evaluate": evaluate, "progress": False}
    if Path(store).exists() and started(store):
        return aw.resume(store, **common)
    return aw.search(
        **common, objectives=aw.minimize("loss"), trials=250, workers=2, store=store, seed=11, deterministic=True,
        strategy=lambda space: aw.strategy.RegularizedEvolution(space, population_size=10, tournament_size=4),
    )  # fmt: skip


def started(store):
    with aw.store.Store(store) as kept:
        return bool(kept.runs())


if __name__ == "__main__":
    main(sys.argv[1])
