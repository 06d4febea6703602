"""A search that begins with a supernet, to be killed: `oneshot_script.py STORE` starts it, or resumes it."""

import sys
from pathlib import Path

import numpy as np

import archwright as aw
from archwright import Space, choice, nn, repeat
from archwright.evaluator import Recipe
from archwright.run import OneShot

layer = choice(nn.LinearBlock(8), nn.LinearBlock(16), nn.LinearBlock(8, activation="tanh"), name="layer")
SPACE = Space(nn.Sequential(nn.LinearBlock(8), repeat(layer, (1, 3)), nn.Classifier(2)))


def table():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(240, 6))
    return aw.task.TabularClassification(x, (x[:, 0] * x[:, 1] > 0).astype(int))


def main(store, epochs=60):
    common = {"space": SPACE, "progress": False}
    if Path(store).exists() and aw.store.Store(store, create=False).runs():
        return aw.resume(store, task=table(), **common)
    return aw.search(
        table(),
        oneshot=OneShot("darts", {"epochs": epochs, "save_every": 7}, first=3, sample=2),
        trials=8,
        recipe=Recipe(epochs=2, precision="float32", layout="contiguous"),
        deterministic=True,
        store=store,
        **common,
    )


if __name__ == "__main__":
    main(sys.argv[1])
