"""Stop a search, go on with it later, and get the very same history as if it had never stopped.

    python examples/resume.py

Every trial is written to the store, in a transaction, before the strategy hears of it. So it makes no difference
whether a search ends by its budget, by Ctrl-C or by `kill -9`: `resume` tells the stored trials again and goes on.
"""

import math
import os
import tempfile
from pathlib import Path

import archwright as aw
from archwright import Space, choice, real
from archwright.errors import ResumeError

TRIALS = 20 if "ARCHWRIGHT_EXAMPLE_BUDGET" in os.environ else 100

space = Space({"x": real(-4, 4), "y": real(-4, 4), "shape": choice("round", "flat")})


def evaluate(architecture):
    """Himmelblau's function, which has four minima of equal depth; `flat` is flatter around them."""
    x, y = architecture["x"], architecture["y"]
    height = (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2
    return math.sqrt(height) if architecture["shape"] == "flat" else height


def history(result):
    return [(trial.number, dict(trial.architecture), trial.scores) for trial in result.trials]


with tempfile.TemporaryDirectory() as folder:
    store = Path(folder) / "runs.db"
    same = {"space": space, "evaluate": evaluate, "progress": False}

    # Half of it. `deterministic` matters with several workers: the history must not depend on who finishes first.
    half = aw.search(
        **same, objectives=aw.minimize("height"), store=store, name="valleys", trials=TRIALS // 2, deterministic=True
    )
    print(f"stopped after {len(half.trials)} trials, best {half.best.metrics['height']:.5f}: {half.why_it_ended}")

    # The rest, as it would be in another process on another day. The new budget includes what is spent already.
    whole = aw.resume(store, "valleys", **same, trials=TRIALS)
    print(f"resumed to {len(whole.trials)} trials, best {whole.best.metrics['height']:.5f}")

    # Another run in the same store, never stopped, with the same seed.
    once = aw.search(
        **same, objectives=aw.minimize("height"), store=store, name="at once", trials=TRIALS, deterministic=True
    )
    print("the same history, trial for trial:", history(whole) == history(once))

    # Under another space the old trials would mean nothing: resume refuses, and shows what changed.
    wider = Space({"x": real(-6, 6), "y": real(-4, 4), "shape": choice("round", "flat")})
    try:
        aw.resume(store, "valleys", space=wider, evaluate=evaluate, trials=2 * TRIALS, progress=False)
    except ResumeError as error:
        print(f"\n{error}")
