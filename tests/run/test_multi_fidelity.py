"""Brief trainings that others go on with, through the whole chain: real trainings, real processes, resumed."""

import numpy as np
import pytest

import archwright as aw
from archwright.evaluator import Recipe, Training
from archwright.objective import Objectives, latest, maximize
from archwright.report.record import trained
from archwright.report.rows import leaderboard_rows
from archwright.run import Budget, Loop, problem
from archwright.run.finish import choose
from archwright.store import Record
from archwright.strategy import ASHA, Random, WarmStart
from archwright.trial import Measurement, Proposal, Trial
from archwright.worker import InProcess

RECIPE = Recipe(epochs=8, precision="float32", layout="contiguous")
ACCURACY = Objectives.of([maximize("accuracy")])


def halves(space, max_epochs):
    return ASHA(Random(space), max_epochs=max_epochs, min_epochs=2, reduction=2)


@pytest.fixture(scope="module")
def digits():
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return aw.task.ImageClassification(x[:400].reshape(-1, 8, 8), y[:400], name="digits400")


@pytest.fixture(scope="module")
def space():
    from archwright import nn

    width = aw.choice(4, 6, 8, 12, 16, 24, name="width")
    return aw.Space(
        nn.Sequential(
            nn.ConvBlock(width=width, kernel=aw.choice(1, 3, name="kernel")), nn.GlobalPool(), nn.Classifier(10)
        )
    )


@pytest.fixture(scope="module")
def stored(digits, space, tmp_path_factory):
    store = tmp_path_factory.mktemp("run") / "runs.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(problem, "search_epochs", None)  # not to be called: the longest rung is a full training
        return aw.search(
            digits, space=space, strategy=halves, recipe=RECIPE, trials=12, workers=2, deterministic=True, store=store,
            seed=3, progress=False,
        )  # fmt: skip


def test_trainings_go_on_in_whichever_process_is_free(stored):
    assert {t.status for t in stored.trials} == {"done"}
    going = [t for t in stored.trials if t.proposal.continues is not None]
    assert len(going) >= 4
    for trial in going:
        before = stored.trials[trial.proposal.continues]
        assert trial.measurement.extra["continued_from_epoch"] == before.proposal.epochs
        assert trial.measurement.epochs == trial.proposal.epochs - before.proposal.epochs
        assert trained(trial) == trial.proposal.epochs


def test_each_architecture_is_on_the_leaderboard_once_as_it_was_trained_longest(stored):
    rows = leaderboard_rows(stored.trials, ACCURACY, None)
    assert len(rows) == len({t.key for t in stored.trials})
    assert [row["epochs_in_all"] for row in rows] == sorted((row["epochs_in_all"] for row in rows), reverse=True)
    assert [t.number for t in stored.leaderboard(100)] == [row["number"] for row in rows]
    assert rows[0]["epochs_in_all"] == 8


def test_the_curve_of_a_trial_begins_with_the_trials_that_it_went_on_with(stored):
    record = stored.record()
    best = record.ranked[0]
    assert best.measurement.curve[0]["epoch"] > 1
    assert [p["epoch"] for p in record.curve(best)] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_resumed_search_trains_anew_where_weights_are_gone_and_says_so(stored, digits, space, tmp_path):
    # Ended by its budget, it is resumed in a new session, which has none of the weights of the first.
    notes = []

    class Told(aw.report.Progress):
        def note(self, text):
            notes.append(text)

    goals = Objectives.of([maximize("accuracy")])
    again = aw.resume(
        stored.store, task=digits, space=space, trials=22, progress=Told(goals, quiet=True),
    )  # fmt: skip
    assert again.trials[:12] == stored.trials
    fresh = [t for t in again.trials[12:] if t.proposal.continues is not None and t.proposal.continues < 12]
    assert fresh
    for trial in fresh:
        assert trial.measurement.epochs == trial.proposal.epochs
        assert any(note.startswith(f"trial {trial.number} was trained from the beginning") for note in notes)


class Silent:
    def told(self, trial):
        pass

    def note(self, text):
        pass


def test_weights_are_kept_only_of_trials_that_may_go_on(digits, space, tmp_path):
    training = Training(space, digits, RECIPE)
    kept = []
    loop = Loop(
        space, halves(space, 8), ACCURACY, watcher=Silent(), folder=tmp_path,
        keep=lambda trial, told, asked_after: kept.append(Record(trial, told, asked_after)),
    )  # fmt: skip
    with InProcess(training, ACCURACY) as workers:
        loop.run(workers, Budget(trials=14))
    assert any(t.proposal.epochs == 8 for t in loop.trials)
    left = {int(path.stem) for path in (tmp_path / "weights").iterdir()}
    assert left == {t.number for t in latest(loop.trials) if t.proposal.epochs < 8}


def of(number, epochs, accuracy, continues=None, status="done", x=0):
    proposal = Proposal(aw.Space({"x": aw.integer(0, 99)}).architecture({"x": x}), epochs, continues)
    measured = Measurement({"accuracy": accuracy}) if status == "done" else None
    scores = (-accuracy,) if status == "done" else None
    return Trial(number, proposal, status, measured, scores, key=str(x))


def test_a_brief_training_is_never_chosen_before_a_full_one():
    trials = [
        of(0, 1, 0.99, x=0),
        of(1, 1, 0.5, x=1),
        of(2, 9, 0.8, continues=1, x=1),
        of(3, 1, 0.7, x=3),
        of(4, 9, 0, continues=3, status="failed", x=3),
    ]
    assert [t.number for t in choose(trials, ACCURACY, 4)] == [2, 0, 3]
    assert [row["number"] for row in leaderboard_rows(trials, ACCURACY)] == [2, 0, 3]


def test_earlier_architectures_begin_at_the_lowest_rung(space):
    given = [dict(space.sample(np.random.default_rng(i))) for i in range(2)]
    strategy = WarmStart(halves(space, 8), architectures=given)
    assert strategy.rungs == (2, 4, 8)
    assert strategy.ask(np.random.default_rng(0)).epochs == 2
