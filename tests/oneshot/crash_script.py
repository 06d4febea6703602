"""A run to be killed: `crash_script.py ALGORITHM FOLDER RESULT` starts it or goes on, and writes what came of it."""

import sys
import time

import torch

from archwright import oneshot
from archwright.testing.oneshot import toy_space, toy_task


def main(algorithm, folder, result):
    torch.set_num_threads(1)
    task = toy_task()
    loss = task.loss

    def slow(*args):  # so that a kill falls into the midst of an epoch
        time.sleep(0.01)
        return loss(*args)

    task.loss = slow
    candidates = {"candidates": 6} if algorithm in ("enas", "sandwich") else {}
    found = getattr(oneshot, algorithm)(
        toy_space(), task, epochs=10, seed=2, folder=folder, save_every=1, top=2, **candidates
    )
    torch.save(
        {
            "weights": found.supernet.state_dict(),
            "history": [vars(point) for point in found.history],
            "top": [(r.architecture.to_json(), dict(r.metrics)) for r in found.top],
            "logits": dict(found.logits),
        },
        result,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
