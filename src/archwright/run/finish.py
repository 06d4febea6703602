"""The final choice: the best candidates trained again, the chosen one trained on all but the test, tested once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from archwright.errors import EvaluationError
from archwright.evaluator import Context
from archwright.objective import GAP, Objectives, best, minimize, ranked
from archwright.run.loop import CHOOSING, evaluation_seed, violation_of
from archwright.run.plan import FinalPlan
from archwright.trial import Measurement, Proposal, Trial
from archwright.worker import Job, Outcome, Workers

if TYPE_CHECKING:
    from torch import nn

    from archwright.evaluator import Training
    from archwright.task import Part, Task

__all__ = ["Chosen", "Refit", "choose", "finish"]

TRAINED = Objectives.of([minimize("train_loss")])
"""What the workers of the final choice are asked for: that the training ended in numbers."""


LATE, LEAST_S = 0.3, 20.0
"""By how much of its time, and by how many seconds at least, a final training of several threads may be late; then it
ends with what it has."""


class Refit:
    """An evaluator that trains anew and keeps the network.

    Trials numbered below `finals_from` train on the training part and are measured on validation: the first `together`
    on the task's own division of the two, the next on another, and so on (`Task.fold`). The others train on both parts
    together, by so many threads.
    """

    def __init__(self, training: Training, folder: Path, finals_from: int, together: int = 1, threads: int = 1):
        self.training, self.folder, self.finals_from, self.threads = training, folder, finals_from, threads
        self.together = together

    def __call__(self, proposal: Proposal, seed: int, context: Context | None = None) -> Measurement:
        """Train, write the weights to ``folder/<number>.pt``, and measure."""
        import torch

        context = context or Context()
        final = context.number >= self.finals_from
        part: Literal["train", "train+validation"] = "train+validation" if final else "train"
        before = torch.get_num_threads()
        try:
            if final and self.threads > 1:
                torch.set_num_threads(self.threads)
            fold = 0 if final else context.number // self.together % self.training.task.folds
            module, measured = self.training.fit(
                proposal.architecture, seed, part, proposal.epochs, context.deadline, fold
            )
        finally:
            torch.set_num_threads(before)
        if final:
            torch.save(module.state_dict(), self.folder / f"{context.number}.pt")
        last = measured.curve[-1]["train_loss"] if measured.curve else float("nan")
        return Measurement(
            {**measured.metrics, "train_loss": last}, measured.costs, measured.curve, measured.seconds, measured.epochs
        )


@dataclass(frozen=True)
class Chosen:
    """The network that a search ends with.

    Args:
        trial: The trial that proposed it.
        module: Trained on training and validation part, evaluation mode, on the CPU.
        outcome: The whole choice as JSON; see `archwright.report.RunRecord`.
    """

    trial: Trial
    module: nn.Module
    outcome: Mapping[str, Any]


def choose(trials: Sequence[Trial], objectives: Objectives, candidates: int) -> list[Trial]:
    """The trials to train again: the best of the leaderboard and, with several goals, the front's knee.

    Of equal scores, of which small validation parts give many, those come first that are surer of what is right: by
    their log loss, where it is measured. Where none is within a ceiling on what training alone tells, those nearest to
    it: better a network that says so than none.

    Args:
        trials: Of the search.
        objectives: What better means.
        candidates: How many, one at least.
    """
    done = [t for t in trials if t.status == "done"]
    order = list(ranked([t for t in done if t.violation == 0] or done, tie=_doubt))
    if len(objectives.goals) > 1 and order:
        knee = best(order)
        order = [knee, *order] if knee is not None else order
    distinct: dict[str, Trial] = {}
    for trial in order:
        distinct.setdefault(trial.key, trial)
    return list(distinct.values())[: max(1, candidates)]


def _doubt(trial: Trial) -> float:
    """How unsure a trial was of what is right on validation; all alike where that was not measured."""
    return trial.measurement.metrics.get("log_loss", 0.0) if trial.measurement else 0.0


def finish(
    training: Training,
    trials: Sequence[Trial],
    objectives: Objectives,
    plan: FinalPlan,
    *,
    workers: Workers,
    folder: Path,
    seed: int = 0,
    until: float | None = None,
    step: Callable[[str], None] = lambda text: None,
) -> Chosen | None:
    """Choose among the best trials, train the chosen one, and measure it on the test part, once.

    Args:
        training: Trains.
        trials: Of the search.
        objectives: What better means.
        plan: How thorough to be.
        workers: Who train; they are told by which evaluator.
        folder: Where weights are kept meanwhile.
        seed: All randomness is a function of it.
        until: When all shall be done, on the clock of `time.monotonic`: the final trainings are then as long as the
            chosen network's own pace lets them be.
        step: Told each training that has ended.

    Returns:
        None where no trial was measured.
    """
    began = time.monotonic()
    picked = choose(trials, objectives, plan.candidates)
    if not picked:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    jobs = plan.seeds * len(picked) if plan.candidates and len(picked) > 1 else 0
    workers.load(Refit(training, folder, jobs, len(picked)), TRAINED)
    candidates = [
        Job(
            n,
            Proposal(picked[n % len(picked)].architecture, plan.epochs),
            evaluation_seed(seed, n, CHOOSING),
            deadline=until,
        )
        for n in range(jobs)
    ]
    by_number = _collect(workers, candidates, step, "candidate")
    candidates_s = time.monotonic() - began
    validated = [
        [m for n in range(i, jobs, len(picked)) if (m := by_number[n].measurement) and by_number[n].status == "done"]
        for i in range(len(picked))
    ]
    winner = _winner(picked, validated, objectives)
    if until is not None:
        measured = validated[picked.index(winner)] or ([winner.measurement] if winner.measurement else [])
        plan = plan.fitted(until - time.monotonic(), workers.capacity, _final_epoch_s(training.task, measured))
    if training.task.sizes["test"] == 0:  # more than one seed is for the spread of test figures
        plan = replace(plan, finals=1)
    # What threads bring is not known beforehand, and on a busy machine it may be less than nothing; and where a trial
    # had no time for one epoch, nobody knows how long that is.
    unknown = plan.threads > 1 or (winner.measurement is not None and "part_of_epoch" in winner.measurement.extra)
    latest = None
    if until is not None and unknown:
        latest = max(until + LATE * (until - time.monotonic()), time.monotonic() + LEAST_S)
    finals = [
        Job(
            jobs + i,
            Proposal(winner.architecture, plan.final_epochs),
            evaluation_seed(seed, jobs + i, CHOOSING),
            deadline=latest,
        )
        for i in range(plan.finals)
    ]
    if plan.threads > 1:
        workers.load(Refit(training, folder, jobs, threads=plan.threads), TRAINED)
    trained = [o for o in _collect(workers, finals, step, "final").values() if o.status == "done"]
    if not trained:
        raise EvaluationError("the final training failed with every seed; the trials are kept: resume to try again")
    modules = [_load(training, winner, folder / f"{o.number}.pt") for o in sorted(trained, key=lambda o: o.number)]
    task = training.task
    from archwright.run.tested import CONFIDENCE, tested

    part = task.open_test()
    named = (task.metric, *(g.metric for g in objectives.goals), *(c.cost for c in objectives.ceilings))
    wanted = frozenset({*named, f"{GAP}{task.metric}"})
    outcome = {
        "chosen": winner.number,
        "architecture": dict(winner.architecture),
        "plan": asdict(plan),
        "seeds": [evaluation_seed(seed, jobs + i, CHOOSING) for i in range(plan.finals)],
        "candidates": [
            {
                "number": t.number,
                "validation": _by_metric(t, measured),
                "costs": dict(t.measurement.costs) if t.measurement else {},
            }
            for t, measured in zip(picked, validated, strict=True)
        ],
        **tested(task, part, modules, wanted, seed),
        **_references(task, part),
        "confidence": CONFIDENCE,
        "costs": dict(winner.measurement.costs) if winner.measurement else {},
        "candidates_s": candidates_s,
        "seconds": time.monotonic() - began,
    }
    return Chosen(winner, modules[0], outcome)


def _collect(workers: Workers, jobs: Sequence[Job], step: Callable[[str], None], name: str) -> dict[int, Outcome]:
    for job in jobs:
        workers.submit(job)
    found: dict[int, Outcome] = {}
    while len(found) < len(jobs):
        outcome = workers.next(0.5)
        if outcome is not None:
            found[outcome.number] = outcome
            step(f"{name} {len(found)} of {len(jobs)}")
    return found


def _final_epoch_s(task: Task, measured: Sequence[Measurement]) -> float | None:
    """Seconds of one epoch on training and validation part, from measurements of epochs on the training part."""
    times = [m.seconds / m.epochs for m in measured if m.epochs]
    more = len(task.train_and_validation()) / len(task.train)
    return more * float(np.median(times)) if times else None


def _winner(picked: Sequence[Trial], validated: Sequence[Sequence[Any]], objectives: Objectives) -> Trial:
    """The candidate that is best by the mean of its new measurements; where none has any, the search's own best."""
    means: list[Trial] = []
    for trial, measured in zip(picked, validated, strict=True):
        if measured:
            told = [_with_costs(m, trial) for m in measured]
            scores = np.mean([objectives.scores(m) for m in told], axis=0)
            metrics = {name: float(np.mean([m.metrics[name] for m in told])) for name in told[0].metrics}
            mean = replace(told[0], metrics=metrics)
            over = violation_of(objectives, mean)
            means.append(Trial(trial.number, trial.proposal, "done", mean, tuple(scores.tolist()), over, key=trial.key))
    knee = best(means) if len(objectives.goals) > 1 else None
    chosen = knee or next(iter(ranked(means, tie=_doubt)), None)
    return next(t for t in picked if chosen is None or t.number == chosen.number)


def _with_costs(measured: Measurement, trial: Trial) -> Measurement:
    known = trial.measurement.costs if trial.measurement else {}
    return Measurement(measured.metrics, {**known, **measured.costs})


def _by_metric(trial: Trial, measured: Sequence[Measurement]) -> dict[str, list[float]]:
    if not measured:
        return {k: [v] for k, v in (trial.measurement.metrics if trial.measurement else {}).items()}
    return {k: [m.metrics[k] for m in measured] for k in measured[0].metrics if k != "train_loss"}


def _load(training: Training, trial: Trial, path: Path) -> nn.Module:
    import torch

    from archwright.nn import deployed, materialize

    task = training.task
    built = materialize(training.space.build(trial.architecture), task.input_shape, dtype=task.input_dtype)
    module = deployed(built)
    module.load_state_dict(torch.load(path, weights_only=True))
    return module.eval()


def _references(task: Task, test: Part) -> dict[str, Any]:
    """What simple methods score on the same test samples. One that fails costs nobody the network: it is told."""
    if not len(test):
        return {"references": {}}
    try:
        return {"references": task.references(task.train_and_validation(), test)}
    except Exception as error:  # of any library
        return {"references": {}, "references_failed": f"{type(error).__name__}: {error}"}
