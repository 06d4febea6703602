import json

import numpy as np
import pytest

import archwright as aw
from archwright.errors import ObjectiveError, ResumeError, StoreError
from archwright.objective import Objectives
from archwright.run.settings import describe_strategy, make_strategy
from archwright.store import Store
from archwright.strategy import (
    Known,
    LocalSearch,
    Optuna,
    Portfolio,
    Random,
    RegularizedEvolution,
    Screened,
    Strategy,
    WarmStart,
)

SPACE = aw.Space({"x": aw.integer(0, 29), "y": aw.choice("a", "b", "c")})
OPTIONS = {"space": SPACE, "progress": False}


def loss(architecture):
    return {"loss": abs(architecture["x"] - 3) + (architecture["y"] != "b"), "x": float(architecture["x"])}


def near(architecture):
    return -abs(architecture["x"] - 5)


def nested(space):
    inner = Portfolio([RegularizedEvolution(space, population_size=5, tournament_size=2), LocalSearch(space)])
    return WarmStart(Screened(inner, score=near, n=10, keep=3), architectures=[{"x": 29, "y": "a"}])


class Asking(Strategy):
    """Is told what a search knows, and says so."""

    def __init__(self, space, *, objectives=None, costs=None, examples=(), strength=1):
        self.space, self.objectives, self.costs, self.examples = space, objectives, costs, examples
        self.strength = strength

    def ask(self, rng, pending=()):
        raise AssertionError

    def tell(self, trial):
        pass


def test_a_search_by_strategies_in_strategies_is_resumed_as_it_was(tmp_path):
    pytest.importorskip("optuna")
    for number, strategy in enumerate((nested, Optuna, lambda space: WarmStart(Optuna(space), trials=[]))):
        options = {**OPTIONS, "evaluate": loss, "store": tmp_path / f"{number}.db"}
        goal = aw.minimize("loss")
        whole = aw.search(**OPTIONS, evaluate=loss, objectives=goal, strategy=strategy, trials=20, seed=1)
        aw.search(**options, objectives=goal, strategy=strategy, trials=9, seed=1)
        again = aw.resume(options.pop("store"), **options, trials=20)
        assert again.trials == whole.trials
        assert len({t.key for t in again.trials}) == 20


def test_a_strategy_in_strategies_is_described_as_json_and_made_again():
    described = json.loads(json.dumps(describe_strategy(nested(SPACE))))
    made = make_strategy(described, SPACE)
    assert json.loads(json.dumps(describe_strategy(made))) == described
    assert made.space is SPACE
    assert made.strategy.score is near
    assert [type(s) for s in made.strategy.strategy.strategies] == [RegularizedEvolution, LocalSearch]


def test_what_a_search_knows_is_told_again_only_to_those_that_had_been_told():
    objectives = Objectives.of([aw.minimize("loss")])
    known = Known(objectives=objectives, costs=near)
    told = Asking(SPACE, objectives=objectives, examples=[SPACE.sample(np.random.default_rng(0))], strength=3)
    described = json.loads(json.dumps(describe_strategy(told)))
    made = make_strategy(described, SPACE, known)
    assert made.objectives is objectives
    assert made.costs is None
    assert made.examples == list(told.examples)
    assert made.strength == 3
    assert make_strategy(describe_strategy(Asking(SPACE)), SPACE, known).objectives is None


def test_a_search_tells_a_strategy_what_its_arguments_name():
    heard = []

    def made(space, objectives, costs=None, max_epochs=None, examples=()):
        heard.append((objectives, costs, max_epochs, examples))
        return Random(space)

    aw.search(**OPTIONS, evaluate=loss, objectives=aw.minimize("loss"), strategy=made, trials=2)
    assert heard[-1] == (Objectives.of([aw.minimize("loss")]), None, None, ())


def test_a_score_defined_inside_a_function_must_be_given_again(tmp_path):
    store = tmp_path / "runs.db"

    def made(space):
        return Screened(Random(space), score=lambda a: a["x"], n=10, keep=3)

    aw.search(**OPTIONS, evaluate=loss, objectives=aw.minimize("loss"), strategy=made, trials=3, store=store)
    with pytest.raises(ResumeError, match=r"Screened.*score.*strategy="):
        aw.resume(store, **OPTIONS, evaluate=loss, trials=6)
    assert len(aw.resume(store, **OPTIONS, evaluate=loss, trials=6, strategy=made).trials) == 6


@pytest.fixture
def earlier(tmp_path):
    place = tmp_path / "old.db"
    aw.search(**OPTIONS, evaluate=loss, objectives=aw.minimize("loss"), strategy=Random, trials=15, store=place)
    return place


def test_a_warm_start_knows_the_trials_of_an_earlier_run_and_is_resumed(earlier, tmp_path):
    with Store(earlier) as kept:
        known = {r.trial.key for r in kept.trials(kept.run().id)}
    options = {**OPTIONS, "evaluate": loss, "objectives": aw.minimize("loss"), "warm_start": earlier, "seed": 5}
    whole = aw.search(**options, strategy=LocalSearch, trials=16)
    assert not known & {t.key for t in whole.trials}
    assert whole.trials[0].proposal.origin.startswith("neighbour of prior trial")
    store = tmp_path / "new.db"
    aw.search(**options, strategy=LocalSearch, trials=6, store=store)
    earlier.unlink()  # the run keeps what it began with
    assert aw.resume(store, **OPTIONS, evaluate=loss, trials=16).trials == whole.trials
    assert aw.resume(store, **OPTIONS, evaluate=loss, trials=18, strategy=LocalSearch).trials[:16] == whole.trials


def test_earlier_trials_are_scored_by_todays_goals(earlier):
    kept = aw.search(
        **OPTIONS, evaluate=loss, objectives=[aw.maximize("x"), aw.minimize("loss")], warm_start=earlier, trials=2
    ).meta["strategy"]["arguments"]["trials"]
    assert [t["scores"] for t in kept] == [[-t["architecture"]["x"], loss(t["architecture"])["loss"]] for t in kept]
    with pytest.raises(ObjectiveError, match=r"trial 0 of run 'search' cannot be told to this search: .*accuracy"):
        aw.search(**OPTIONS, evaluate=loss, objectives=aw.maximize("accuracy"), warm_start=earlier, trials=2)


def test_a_run_of_another_space_is_refused_with_the_difference(earlier):
    other = aw.Space({"x": aw.integer(0, 30), "y": aw.choice("a", "b", "c")})
    with pytest.raises(StoreError) as caught:
        aw.search(
            space=other, evaluate=loss, objectives=aw.minimize("loss"), warm_start=earlier, trials=2, progress=False
        )
    assert "run 'search' searched another space" in str(caught.value)
    assert "-decision x: integer(0, 29)" in str(caught.value)


def test_of_a_run_on_other_data_the_best_architectures_are_tried_first(tmp_path):
    from archwright.run.prior import prior

    place = tmp_path / "old.db"
    aw.search(**OPTIONS, evaluate=loss, objectives=aw.minimize("loss"), strategy=Random, trials=15, store=place)
    with Store(place) as kept:
        run = kept.run()
        kept.update(run.id, meta={**run.meta, "task": {"fingerprint": "of other data"}})
        losses = sorted(r.trial.scores[0] for r in kept.trials(run.id))
    found = prior(place, SPACE, Objectives.of([aw.minimize("loss")]))
    assert [loss(a)["loss"] for a in found["architectures"]] == losses[:10]
