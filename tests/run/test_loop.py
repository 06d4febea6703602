import itertools
from types import SimpleNamespace

import pytest

from archwright.objective import Objectives, at_most, minimize
from archwright.run import Budget, Loop
from archwright.space import Space, choice, repeat, searchable
from archwright.store import Record
from archwright.strategy import LocalSearch, Random, RegularizedEvolution
from archwright.trial import Measurement
from archwright.worker import InProcess, Outcome, Workers

layer = searchable(lambda width, kernel: (width, kernel))
SPACE = Space({"layers": repeat(layer(choice(8, 16, 32, 64), choice(1, 3, 5)), (1, 3)), "act": choice("relu", "silu")})
LOSS = Objectives.of([minimize("loss")])
CAPPED = Objectives.of([minimize("loss"), at_most(params=100)])


def evaluate(proposal, seed, context=None):
    total = sum(v for v in proposal.architecture.values() if isinstance(v, int))
    return Measurement({"loss": abs(total - 60) + (seed % 7) / 10}, {"params": float(total)}, epochs=2)


class Silent:
    def told(self, trial):
        pass

    def note(self, text):
        pass


class Shuffled(Workers):
    """Runs what was submitted in an order that a seed decides, as several workers would."""

    def __init__(self, objectives, capacity, order):
        self.inside = InProcess(evaluate, objectives)
        self.capacity = capacity
        self.jobs = []
        self.order = itertools.cycle(order)

    def load(self, evaluator, objectives):
        self.inside.load(evaluator, objectives)

    @property
    def pending(self):
        return len(self.jobs)

    def submit(self, job):
        self.jobs.append(job)

    def next(self, timeout_s=None):
        if not self.jobs:
            return None
        self.inside.submit(self.jobs.pop(next(self.order) % len(self.jobs)))
        return self.inside.next()

    def close(self):
        self.inside.close()


def make(space=SPACE, strategy=None, objectives=LOSS, **options):
    kept = []
    options.setdefault("keep", lambda trial, told, asked_after: kept.append(Record(trial, told, asked_after)))
    made = (strategy or (lambda s: RegularizedEvolution(s, population_size=6, tournament_size=3)))(space)
    return Loop(space, made, objectives, watcher=Silent(), **options), kept


@pytest.mark.parametrize("strategy", [Random, LocalSearch, None])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_deterministic_search_does_not_depend_on_who_finishes_first(strategy, workers):
    histories = []
    for order in ([0], [2, 0, 1], [1, 1, 2, 0, 0]):
        loop, _ = make(strategy=strategy, seed=5, workers=workers, deterministic=True)
        loop.run(Shuffled(LOSS, workers, order), Budget(trials=40))
        histories.append(loop.trials)
    assert histories[0] == histories[1] == histories[2]
    assert [t.number for t in histories[0]] == list(range(40))


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("cut", [1, 2, 17, 39])
@pytest.mark.parametrize("objectives", [LOSS, CAPPED])
def test_a_resumed_deterministic_search_equals_the_uninterrupted_one(workers, cut, objectives):
    whole, kept = make(objectives=objectives, seed=3, workers=workers, deterministic=True)
    whole.run(Shuffled(objectives, workers, [1, 0, 2]), Budget(trials=40))
    resumed, more = make(objectives=objectives, seed=3, workers=workers, deterministic=True)
    resumed.replay(kept[:cut])
    resumed.run(Shuffled(objectives, workers, [0]), Budget(trials=40))
    assert resumed.trials == whole.trials
    assert [r.trial for r in more] == [t for t in whole.trials if t.number >= cut]


def test_a_resumed_free_search_keeps_its_trials_and_runs_again_what_was_in_flight():
    whole, kept = make(seed=3, workers=3)
    whole.run(Shuffled(LOSS, 3, [2, 1, 0]), Budget(trials=30))
    first = [r for r in kept[:12] if r.trial.number != 4]
    resumed, _ = make(seed=3, workers=3)
    resumed.replay(first)
    resumed.run(Shuffled(LOSS, 3, [0]), Budget(trials=30))
    assert resumed.trials[: len(first)] == [r.trial for r in first]
    assert sorted(t.number for t in resumed.trials) == list(range(30))
    again = next(t for t in resumed.trials if t.number == 4)
    assert again.seed == next(t for t in whole.trials if t.number == 4).seed


def test_the_budget_of_trials_counts_what_was_trained_alone():
    loop, _ = make(objectives=CAPPED, workers=2)
    why = loop.run(Shuffled(CAPPED, 2, [0, 1]), Budget(trials=25))
    assert sum(t.status != "infeasible" for t in loop.trials) == 25
    assert any(t.status == "infeasible" for t in loop.trials)
    assert why == "the budget of trials is spent"


def test_the_budget_of_epochs_ends_a_search():
    loop, _ = make()
    why = loop.run(InProcess(evaluate, LOSS), Budget(epochs=20))
    assert "epochs" in why
    assert len(loop.trials) == 10


def test_the_budget_of_time_ends_a_search(monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr("archwright.run.loop.time", SimpleNamespace(monotonic=lambda: next(ticks) / 100))
    loop, _ = make()
    assert "time" in loop.run(InProcess(evaluate, LOSS), Budget(seconds=0.2))
    assert 1 <= len(loop.trials) <= 20
    assert loop.trials[-1].finished >= 0.1


def test_whichever_budget_ends_first_ends_it():
    loop, _ = make()
    assert "trials" in loop.run(InProcess(evaluate, LOSS), Budget(seconds=60, trials=5, epochs=1000))
    assert len(loop.trials) == 5


def test_a_space_that_is_used_up_ends_a_search():
    small = Space({"a": choice(1, 2, 3)})
    loop, _ = make(small, Random, workers=2)
    why = loop.run(Shuffled(LOSS, 2, [0]), Budget(trials=100))
    assert "all 3" in why
    assert len(loop.trials) == 3


def test_failures_are_trials_and_the_search_goes_on():
    def fails(proposal, seed, context=None):
        if proposal.architecture["act"] == "relu":
            raise ValueError("no relu here")
        return evaluate(proposal, seed)

    loop, _ = make(strategy=Random)
    loop.run(InProcess(fails, LOSS), Budget(trials=40))
    assert len(loop.trials) == 40
    failed = [t for t in loop.trials if t.status == "failed"]
    assert failed
    assert all("no relu here" in t.reason and t.architecture["act"] == "relu" and t.scores is None for t in failed)


def test_a_search_in_which_everything_fails_stops_and_says_why():
    def fails(proposal, seed, context=None):
        raise ValueError("always")

    loop, _ = make(strategy=Random)
    assert "always" in loop.run(InProcess(fails, LOSS), Budget(trials=1000))
    assert len(loop.trials) == 30


def test_infeasible_networks_are_never_trained():
    trained = []

    class Costly:
        def costs(self, architecture, names):
            return {"params": float(sum(v for v in architecture.values() if isinstance(v, int)))}

        def __call__(self, proposal, seed, context=None):
            trained.append(proposal.architecture)
            return evaluate(proposal, seed)

    loop, _ = make(objectives=CAPPED, strategy=Random)
    loop.run(InProcess(Costly(), CAPPED), Budget(trials=20))
    infeasible = [t for t in loop.trials if t.status == "infeasible"]
    assert infeasible
    assert len(trained) == 20
    assert not {t.architecture for t in infeasible} & set(trained)
    assert all(t.violation > 0 and "params" in t.reason for t in infeasible)


def test_the_same_function_is_never_trained_twice():
    class Stubborn(Random):
        def ask(self, rng, pending=()):
            from archwright.trial import Proposal

            return Proposal(self.space.architecture([0, 0, 0, -1, -1, -1, -1, 0]))

    calls = []

    def counted(proposal, seed, context=None):
        calls.append(1)
        return evaluate(proposal, seed)

    loop, _ = make(strategy=Stubborn)
    loop.run(InProcess(counted, LOSS), Budget(trials=5))
    assert len(calls) == 1
    assert [t.reason for t in loop.trials[1:]] == ["same function as trial 0"] * 4
    assert len({t.scores for t in loop.trials}) == 1


def test_trials_are_kept_before_they_are_told():
    order = []

    class Noted(Random):
        def tell(self, trial):
            order.append(("told", trial.number))
            super().tell(trial)

    loop, _ = make(strategy=Noted, keep=lambda trial, told, asked_after: order.append(("kept", trial.number)))
    loop.run(InProcess(evaluate, LOSS), Budget(trials=3))
    assert order == [(what, n) for n in range(3) for what in ("kept", "told")]


def test_an_outcome_that_nobody_asked_for_is_no_trial():
    loop, _ = make()
    with pytest.raises(KeyError):
        loop._end(Outcome(99, "done", Measurement({"loss": 1.0})))
