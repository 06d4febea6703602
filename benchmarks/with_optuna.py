"""Optuna on the same job, in worker processes that share a journal: TPE with Hyperband pruning, or its own GP.

A space of ours becomes define-by-run questions: each decision is asked for when the answers so far make it live.
Numbers in rising order are asked for as an integer between their first and last place, so that TPE knows of the
order; all else is categorical. A network above the ceiling is told by `set_constraint` and pruned before it is
trained. Training is `archwright.evaluator.Training` with the same recipe; after each epoch Hyperband may end it.
"""

from __future__ import annotations

import multiprocessing
import random
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archwright import task as tasks
from archwright.errors import ArchwrightError
from archwright.evaluator import Context, Recipe, StopTrial, Training
from archwright.objective import Objectives
from archwright.space import Architecture, Space
from archwright.space.layout import Decision
from archwright.space.variation import is_live
from archwright.trial import Measurement, Proposal, Trial

__all__ = ["Assignment", "optimize", "suggest"]

STUDY = "main-job"
FEWEST_EPOCHS = 4
"""Hyperband's smallest resource; its largest is the recipe's epochs, the factor between rungs 3."""


def suggest(trial: Any, space: Space) -> Architecture:
    """An architecture by Optuna's answers, its live decisions alone."""
    codes: list[int] = []
    for d in space.decisions:
        if not is_live(d, codes):
            codes.append(-1)
        elif d.kind == "real":
            node: Any = d.node
            codes.append(node.code(trial.suggest_float(d.name, node.lo, node.hi, log=node.log)))
        elif d.size > 1 and (d.ordered or _rises(d)):
            codes.append(trial.suggest_int(d.name, 0, d.size - 1))
        else:
            codes.append(trial.suggest_categorical(d.name, list(range(d.size))))
    return space.architecture(codes)


def _rises(d: Decision) -> bool:
    numbers = [v for v in d.values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    return len(numbers) == d.size and numbers == sorted(set(numbers))


@dataclass(frozen=True)
class Assignment:
    """What each process is told.

    Args:
        data: A task's name.
        recipe: How to train, its precision and layout already measured.
        objectives: The task's metric, and the ceiling.
        seed: Of the sampler and of the trainings.
        until: When to begin no more trials, on the clock of `time.monotonic`.
        deadline: When trainings end early, on the same clock.
        journal: Where the study is kept.
        sampler: ``"tpe"``, whose trainings Hyperband may end early, or ``"gp"``, whose all go to their end.
    """

    data: str
    recipe: Recipe
    objectives: Objectives
    seed: int
    until: float
    deadline: float
    journal: Path
    sampler: str = "tpe"


def optimize(assignment: Assignment, workers: int) -> list[Trial]:
    """Run the study until its time is spent; every trial as a `Trial`, pruned ones failed with reason ``pruned``."""
    import optuna

    _quieten()
    study = optuna.create_study(study_name=STUDY, storage=_storage(assignment.journal), direction="maximize")
    started = time.time()
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_work, args=(assignment, number)) for number in range(workers)]
    for process in processes:
        process.start()
    try:
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.kill()
            process.join()
    if any(process.exitcode for process in processes):
        raise SystemExit(f"a worker of Optuna ended with {[process.exitcode for process in processes]}")
    return [_trial(t, assignment.objectives, started) for t in study.trials if t.state.is_finished()]


def _work(assignment: Assignment, number: int) -> None:
    import optuna
    import torch

    _quieten()
    torch.set_num_threads(1)
    task = tasks.load(assignment.data)
    space = task.space()
    training = Training(space, task, assignment.recipe)
    seed = int(np.random.SeedSequence([assignment.seed, number]).generate_state(1)[0])
    study = optuna.load_study(
        study_name=STUDY,
        storage=_storage(assignment.journal),
        sampler=optuna.samplers.GPSampler(seed=seed)
        if assignment.sampler == "gp"
        else optuna.samplers.TPESampler(seed=seed, constant_liar=True),
        pruner=optuna.pruners.NopPruner()
        if assignment.sampler == "gp"
        else optuna.pruners.HyperbandPruner(min_resource=FEWEST_EPOCHS, max_resource=assignment.recipe.epochs),
    )

    def objective(trial: Any) -> float:
        architecture = suggest(trial, space)
        trial.set_user_attr("architecture", architecture.to_json())
        names = sorted(assignment.objectives.needs)
        costs = training.costs(architecture, names) if names else {}
        violation = assignment.objectives.violation(costs)
        trial.set_user_attr("costs", costs)
        trial.set_user_attr("violation", violation)
        if names:
            trial.set_constraint("ceiling", violation)
        if violation > 0:
            raise optuna.TrialPruned
        pruned = False

        def report(point: Any) -> None:
            nonlocal pruned
            trial.report(point[task.metric], int(point["epoch"]))
            pruned = trial.should_prune()
            if pruned:
                raise StopTrial("pruned")

        evaluation = random.Random(f"{assignment.seed} {trial.number}").getrandbits(31)
        measured = training(
            Proposal(architecture), evaluation, Context(trial.number, assignment.deadline, None, report)
        )
        trial.set_user_attr("seed", evaluation)
        trial.set_user_attr("costs", {**costs, **measured.costs})
        trial.set_user_attr("epochs", measured.epochs)
        trial.set_user_attr("metrics", dict(measured.metrics))
        if pruned:
            raise optuna.TrialPruned
        return measured.metrics[task.metric]

    study.optimize(objective, timeout=max(0.0, assignment.until - time.monotonic()), catch=(ArchwrightError,))


def _trial(frozen: Any, objectives: Objectives, started: float) -> Trial:
    known = frozen.user_attrs
    architecture = Architecture.from_json(known["architecture"]) if "architecture" in known else Architecture({})
    seconds = frozen.duration.total_seconds()
    measured = Measurement(known.get("metrics", {}), known.get("costs", {}), (), seconds, known.get("epochs", 0))
    violation = known.get("violation", 0.0)
    done = frozen.state.name == "COMPLETE"
    return Trial(
        frozen.number,
        Proposal(architecture, origin="Optuna"),
        "done" if done else "infeasible" if violation > 0 else "failed",
        measured,
        objectives.scores(measured) if done else None,
        violation,
        "" if done else "pruned" if frozen.state.name == "PRUNED" else "failed",
        key=known.get("architecture", ""),
        seed=known.get("seed", 0),
        finished=frozen.datetime_complete.timestamp() - started,
    )


def _storage(journal: Path) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(journal)))


def _quieten() -> None:
    import optuna

    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
