import json

import numpy as np
import pytest

import archwright as aw
from archwright.errors import (
    ArchwrightError,
    BudgetError,
    EvaluationError,
    NothingFitsError,
    ObjectiveError,
    ResumeError,
    SpaceError,
    StoreError,
    StoreLockedError,
)
from archwright.evaluator import Recipe
from archwright.store import Store
from archwright.strategy import LocalSearch, Random, Strategy

SPACE = aw.Space({"x": aw.integer(0, 9), "y": aw.choice("a", "b", "c")})


def loss(architecture):
    return {"loss": abs(architecture["x"] - 3) + (architecture["y"] != "b")}


@pytest.fixture(scope="module")
def digits():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return aw.task.ImageClassification(x[:500].reshape(-1, 8, 8), y[:500], name="digits500")


FAST = Recipe(epochs=2, precision="float32", layout="contiguous")


@pytest.fixture(scope="module")
def result(digits, tmp_path_factory):
    store = tmp_path_factory.mktemp("run") / "runs.db"
    return aw.search(
        digits,
        objectives=[aw.maximize("accuracy"), aw.at_most(params="30k")],
        trials=6,
        recipe=FAST,
        store=store,
        progress=False,
    )


HOME = aw.Space({"x": aw.integer(0, 9, default=7), "y": aw.choice("a", "b", "c", default="c")})


def test_the_space_s_default_is_tried_first():
    found = aw.search(space=HOME, evaluate=loss, objectives=aw.minimize("loss"), trials=3, progress=False)
    assert dict(found.trials[0].architecture) == {"x": 7, "y": "c"}
    assert found.trials[0].proposal.origin == "given to begin with"


@pytest.mark.parametrize(("ceiling", "first"), [(20, 7), (7, 7), (6, 6), (1, 1)])
def test_under_ceilings_the_widest_narrower_default_that_meets_them_is_tried_first(ceiling, first):
    class Costly:
        def __call__(self, proposal, seed, context=None):
            return aw.Measurement(loss(proposal.architecture), {"params": proposal.architecture["x"]})

        def costs(self, architecture, names):
            return {"params": float(architecture["x"])}

    goals = [aw.minimize("loss"), aw.at_most(params=ceiling)]
    found = aw.search(space=HOME, evaluate=Costly(), objectives=goals, trials=2, progress=False)
    assert dict(found.trials[0].architecture) == {"x": first, "y": "c"}


def test_a_default_that_no_width_brings_within_the_ceilings_is_left_out():
    wide = aw.Space({"kind": aw.choice("small", "large", default="large"), "x": aw.integer(0, 9, default=7)})

    class Costly:
        def __call__(self, proposal, seed, context=None):
            return aw.Measurement({"loss": 0.0}, self.costs(proposal.architecture, ("params",)))

        def costs(self, architecture, names):
            return {"params": float(architecture["x"] + (100 if architecture["kind"] == "large" else 0))}

    goals = [aw.minimize("loss"), aw.at_most(params=50)]
    found = aw.search(space=wide, evaluate=Costly(), objectives=goals, trials=4, progress=False)
    assert {t.status for t in found.trials} == {"done"}
    assert {t.architecture["kind"] for t in found.trials} == {"small"}


def test_random_search_begins_at_random():
    found = aw.search(
        space=HOME, evaluate=loss, objectives=aw.minimize("loss"), trials=3, strategy=Random, seed=1, progress=False
    )
    assert found.trials[0].proposal.origin == "random"


def test_a_function_is_searched_in_a_line():
    found = aw.search(space=SPACE, evaluate=loss, objectives=aw.minimize("loss"), trials=30, progress=False)
    assert dict(found.best.architecture) == {"x": 3, "y": "b"}
    assert found.best.metrics["loss"] == 0
    assert found.best.model is None
    assert found.test is None
    assert found.why_it_ended == "the budget of trials is spent"


def test_a_space_may_be_any_value_with_open_places():
    found = aw.search(space={"x": aw.integer(0, 3)}, evaluate=lambda a: a["x"], trials=4, progress=False)
    assert found.best.architecture["x"] == 3


def test_strategies_are_given_as_classes_as_functions_or_ready():
    for strategy in (Random, lambda s: LocalSearch(s, initial=2), Random(SPACE)):
        found = aw.search(
            space=SPACE, evaluate=loss, objectives=aw.minimize("loss"), strategy=strategy, trials=5, progress=False
        )
        assert len(found.trials) == 5


def test_processes_find_what_one_process_finds(tmp_path):
    options = {"space": SPACE, "evaluate": loss, "objectives": aw.minimize("loss"), "trials": 20, "progress": False}
    alone = aw.search(**options, workers=0, deterministic=True)
    helped = aw.search(**options, workers=1, deterministic=True)
    assert alone.trials == helped.trials


def test_the_main_job_gives_a_trained_plain_network_tested_once(digits, result):
    torch = pytest.importorskip("torch")
    assert digits.test_openings == 1
    assert type(result.best.model).__module__.startswith("torch")
    part = digits.open_test()
    with torch.no_grad():
        accuracy = (result.best.model(part.inputs).argmax(1) == part.targets).float().mean().item()
    assert accuracy == pytest.approx(result.test["accuracy"]["per_seed"][0], abs=1e-6)
    assert result.test["accuracy"]["low"] <= result.test["accuracy"]["mean"] <= result.test["accuracy"]["high"]
    assert result.best.costs["params"] <= 30_000
    assert sum(p.numel() for p in result.best.model.parameters()) == result.best.costs["params"]


def test_the_final_choice_names_its_candidates(result):
    outcome = result.chosen.outcome
    best = {t.number for t in result.leaderboard(len(outcome["candidates"]))}
    assert {c["number"] for c in outcome["candidates"]} == best
    means = {c["number"]: np.mean(c["validation"]["accuracy"]) for c in outcome["candidates"]}
    assert means[outcome["chosen"]] == max(means.values())
    assert 0 < outcome["candidates_s"] < outcome["seconds"]
    json.dumps(outcome)


def test_everything_is_written(result, tmp_path):
    folder = result.save(tmp_path / "out")
    names = {p.name for p in folder.iterdir()}
    assert {"card.json", "model.py", "report.html"} <= names
    card = json.loads((folder / "card.json").read_text())
    assert card["architecture"] == dict(result.best.architecture)
    assert card["metrics"]["test"]["accuracy"]["mean"] == result.test["accuracy"]["mean"]
    assert "parameters reaches" in (folder / "report.html").read_text()


def test_the_same_seed_is_the_same_result(digits):
    from archwright import nn

    small = nn.Sequential(nn.ConvBlock(width=aw.choice(2, 4, 6, 8)), nn.GlobalPool(), nn.Classifier(10))
    runs = [
        aw.search(digits, space=small, trials=3, recipe=FAST, seed=4, progress=False, strategy=Random, workers=workers)
        for workers in (0, 1)
    ]
    assert runs[0].trials == runs[1].trials
    assert runs[0].test == runs[1].test


def test_a_finished_run_goes_on_with_a_larger_budget(tmp_path):
    options = {"space": SPACE, "evaluate": loss, "progress": False}
    store = tmp_path / "runs.db"
    aw.search(**options, objectives=aw.minimize("loss"), trials=5, store=store, seed=3)
    with pytest.raises(ResumeError, match="finished"):
        aw.resume(store, **options)
    longer = aw.resume(store, **options, trials=12)
    whole = aw.search(**options, objectives=aw.minimize("loss"), trials=12, seed=3)
    assert longer.trials == whole.trials


def test_several_searches_share_a_store(tmp_path):
    store = tmp_path / "runs.db"
    for seed in (0, 1):
        aw.search(
            space=SPACE,
            evaluate=loss,
            objectives=aw.minimize("loss"),
            trials=3,
            store=store,
            seed=seed,
            name="toy",
            progress=False,
        )
    with Store(store) as kept:
        assert [r.name for r in kept.runs()] == ["toy", "toy-2"]
        assert [kept.count(r.id) for r in kept.runs()] == [3, 3]


def test_a_strategy_of_a_script_must_be_given_again(tmp_path):
    class Mine(Random):
        pass

    store = tmp_path / "runs.db"
    options = {"space": SPACE, "evaluate": loss, "progress": False}
    aw.search(**options, objectives=aw.minimize("loss"), strategy=Mine, trials=3, store=store)
    with pytest.raises(ResumeError, match=r"Mine.*strategy="):
        aw.resume(store, **options, trials=5)
    assert len(aw.resume(store, **options, trials=5, strategy=Mine).trials) == 5


def test_a_resume_under_a_changed_space_shows_the_difference(tmp_path):
    store = tmp_path / "runs.db"
    aw.search(space=SPACE, evaluate=loss, objectives=aw.minimize("loss"), trials=3, store=store, progress=False)
    changed = aw.Space({"x": aw.integer(0, 8), "y": aw.choice("a", "b", "c")})
    with pytest.raises(ResumeError) as caught:
        aw.resume(store, space=changed, evaluate=loss, trials=9, progress=False)
    assert "-decision x: integer(0, 9)" in str(caught.value)
    assert "+decision x: integer(0, 8)" in str(caught.value)


def test_a_resume_with_changed_data_shows_the_difference(digits, tmp_path):
    store = tmp_path / "runs.db"
    aw.search(digits, trials=1, recipe=FAST, store=store, strategy=Random, progress=False)
    part = digits.train
    other = aw.task.ImageClassification(part.inputs.numpy()[:, 0], part.targets.numpy(), name="digits500")
    with pytest.raises(ResumeError, match=r"sizes.*then.*now"):
        aw.resume(store, task=other, trials=3, progress=False)


def test_a_run_that_is_being_written_is_not_resumed(tmp_path):
    store = tmp_path / "runs.db"
    aw.search(space=SPACE, evaluate=loss, objectives=aw.minimize("loss"), trials=3, store=store, progress=False)
    with Store(store) as kept, kept.lock(kept.runs()[0].id), pytest.raises(StoreLockedError):
        aw.resume(store, space=SPACE, evaluate=loss, trials=9, progress=False)


def test_random_search_runs_beside_where_it_is_wanted(tmp_path):
    store = tmp_path / "runs.db"
    found = aw.search(
        space=SPACE,
        evaluate=loss,
        objectives=aw.minimize("loss"),
        budget="1 min",
        trials=10,
        baseline=True,
        store=store,
        progress=False,
    )
    assert found.baseline["curve"]
    with Store(store) as kept:
        assert [r.name for r in kept.runs()] == ["search", "search-random"]


def test_the_survey_tells_what_is_feasible(result):
    assert 0 < result.survey["feasible"] <= 1
    assert result.survey["costs"]["params"]["min"] <= result.survey["costs"]["params"]["max"]


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"trials": 0}, BudgetError, "trials"),
        ({"budget": "-1m"}, BudgetError, "-1m"),
        ({}, BudgetError, "no budget"),
        ({"trials": 3, "workers": -1}, BudgetError, "workers"),
        ({"trials": 3, "workers": 1.5}, BudgetError, "workers"),
        ({"trials": 3, "timeout": "0s"}, BudgetError, "timeout"),
        ({"trials": 3, "objectives": ["accuracy"]}, ObjectiveError, "maximize"),
        ({"trials": 3, "evaluate": 7}, EvaluationError, "evaluate"),
        ({"trials": 3, "space": aw.Space({"x": 1})}, SpaceError, "no choice"),
        ({"trials": 3, "space": SPACE.where(lambda a: False)}, SpaceError, "forbade|forbids"),
        ({"trials": 3, "store": "/proc/none/runs.db"}, StoreError, "/proc"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_starts(options, error, said):
    given = {"space": SPACE, "evaluate": loss, "objectives": aw.minimize("loss"), "progress": False} | options
    with pytest.raises(error, match=said):
        aw.search(**given)


def test_a_ceiling_that_nothing_meets_is_told_with_the_cheapest(digits):
    with pytest.raises(NothingFitsError, match="params"):
        aw.search(
            digits, objectives=[aw.maximize("accuracy"), aw.at_most(params=20)], trials=3, recipe=FAST, progress=False
        )


def test_a_metric_that_the_task_lacks_is_refused_with_those_it_has(digits):
    with pytest.raises(ObjectiveError, match="Did you mean 'accuracy'"):
        aw.search(digits, objectives=aw.maximize("acuracy"), trials=3, recipe=FAST, progress=False)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda a: 1 / 0, "ZeroDivisionError"),
        (lambda a: "good", "number"),
        (lambda a: float("nan"), "finite"),
        (lambda a: None, "number"),
        (lambda a: {"other": 1.0}, "loss"),
    ],
)
def test_a_function_that_fails_makes_failed_trials_that_say_why(function, reason):
    found = aw.search(space=SPACE, evaluate=function, objectives=aw.minimize("loss"), trials=3, progress=False)
    assert [t.status for t in found.trials] == ["failed"] * 3
    assert all(reason in t.reason for t in found.trials)
    assert found.best is None


def test_a_function_that_never_returns_is_timed_out():
    def endless(architecture):
        while True:
            pass

    found = aw.search(
        space=SPACE, evaluate=endless, objectives=aw.minimize("loss"), trials=2, timeout=0.3, workers=1, progress=False
    )
    assert [t.reason for t in found.trials] == ["timed out after 0.3 s"] * 2


def test_a_broken_strategy_is_no_trial():
    class Broken(Strategy):
        def ask(self, rng, pending=()):
            raise RuntimeError("my own mistake")

        def tell(self, trial):
            pass

    with pytest.raises(RuntimeError, match="my own mistake"):
        aw.search(
            space=SPACE, evaluate=loss, objectives=aw.minimize("loss"), strategy=Broken(), trials=2, progress=False
        )


def test_every_error_on_purpose_is_an_archwright_error():
    assert all(issubclass(e, ArchwrightError) for e in (BudgetError, ResumeError, NothingFitsError, EvaluationError))


def test_resuming_takes_the_search_and_not_the_random_one_beside_it(tmp_path):
    store = tmp_path / "runs.db"
    options = {"space": SPACE, "evaluate": loss, "progress": False}
    aw.search(**options, objectives=aw.minimize("loss"), trials=5, baseline=True, store=store)
    assert aw.resume(store, **options, trials=8).name == "search"


def test_a_perfect_accuracy_is_not_told_as_certain():
    torch = pytest.importorskip("torch")
    from archwright.run.tested import _interval
    from archwright.task import Part
    from archwright.task.metrics import classification_metrics

    part = Part(torch.zeros(360, 1), torch.zeros(360, dtype=torch.int64))
    always = torch.tensor([[1.0, 0.0]]).repeat(360, 1)
    ends = _interval(classification_metrics()["accuracy"], [always], part, 0)
    low, high = ends["low"], ends["high"]
    assert high == 1.0
    assert low == pytest.approx(1 - 3.69 / 360, abs=1e-4)  # Clopper & Pearson: about 1 - ln(2 / 0.05) / n


def test_the_shortest_budget_still_gets_a_network(digits):
    found = aw.search(digits, budget="1s", workers=1, recipe=FAST, progress=False)
    assert found.best.model is not None


def test_under_a_ceiling_the_search_begins_with_networks_that_meet_it(result):
    first = [t.measurement.costs["params"] for t in result.trials[:3]]
    assert sorted(first)[1] > 15_000  # what is made narrower becomes as wide as fits
    assert max(first) <= 30_000
    assert [t.proposal.origin for t in result.trials[:3]] == ["given to begin with"] * 3
