"""Wrote ``assets/version_1.sql``: a store of schema version 1, as text. Kept to show how it was made.

Run once for each schema version, by the code of that version: ``python tests/store/build_version_1.py``.
"""

import sqlite3
import tempfile
from pathlib import Path

from archwright.space import Architecture
from archwright.store import Run, Store
from archwright.trial import Measurement, Proposal, Trial

TRIALS = (
    Trial(
        0,
        Proposal(Architecture({"0/kernel": 3, "branches": ["a", "b"], "bias": True}), origin="random"),
        "done",
        Measurement(
            {"accuracy": 0.1 + 0.2, "log_loss": float("inf")},
            {"params": 5120},
            ({"epoch": 1, "accuracy": 0.25}, {"epoch": 2, "accuracy": 0.1 + 0.2}),
            1.5,
            2,
            {"note": "β"},
        ),
        (-(0.1 + 0.2),),
        key="k0",
        seed=2**63 + 11,
        finished=1.75,
    ),
    Trial(2, Proposal(Architecture({"0/kernel": 5}), parents=(0,), origin="mutation of 0"), "failed", reason="NaN"),
    Trial(
        1,
        Proposal(Architecture({"0/kernel": 7}), epochs=3, continues=0),
        "infeasible",
        Measurement(costs={"params": 90_000}),
        violation=0.8,
        reason="params 90k is above 50k",
    ),
)

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        with Store(Path(folder) / "runs.db") as store:
            run = store.create(Run("digits", {"seed": 0, "space": {"fingerprint": "abc"}}))
            for told, trial in enumerate(TRIALS):
                store.add(run.id, trial, told, asked_after=max(0, told - 1))
            store.final(run.id, {"test": {"accuracy": 0.975}})
            store.update(run.id, status="finished")
        database = sqlite3.connect(Path(folder) / "runs.db")
        application_id = database.execute("PRAGMA application_id").fetchone()[0]
        lines = [f"PRAGMA application_id={application_id};", *database.iterdump()]
        database.close()
    (Path(__file__).parent / "assets" / "version_1.sql").write_text("\n".join(lines) + "\n")
