import sys

import numpy as np
import pytest

from archwright import Space, choice, integer, real, repeat, searchable, subset
from archwright.errors import ArchwrightError, MissingExtraError, ObjectiveError
from archwright.objective import Objectives, at_most, maximize, minimize
from archwright.strategy import Optuna, Random
from archwright.testing import StrategyContract
from archwright.testing.strategy import CAPPED, TOY, TWO, run, toy
from archwright.trial import Measurement, Proposal, Trial

pytest.importorskip("optuna")


class TestTpe(StrategyContract):
    def make(self, space):
        return Optuna(space, settings={"n_startup_trials": 6})


class TestCmaEs(StrategyContract):
    def make(self, space):
        pytest.importorskip("cmaes")
        return Optuna(space, sampler="cma-es")


class TestNsga2(StrategyContract):
    def make(self, space):
        return Optuna(space, sampler="nsga2", settings={"population_size": 6})


@pytest.mark.parametrize("sampler", ["gp", "nsga3", "random"])
@pytest.mark.parametrize("objectives", [TWO, CAPPED])
def test_other_samplers_resume_with_workers_goals_and_ceilings(sampler, objectives):
    settings = {"n_startup_trials": 5} if sampler == "gp" else {"population_size": 4} if sampler == "nsga3" else {}

    def made():
        return Optuna(TOY, sampler=sampler, settings=settings, objectives=objectives)

    whole = run(made(), TOY, n=8, workers=2, objectives=objectives)
    assert run(made(), TOY, n=8, workers=2, objectives=objectives, history=whole[:7]) == whole
    assert len({t.key for t in whole}) == 8


BRANCHES = Space({
    "branch": choice(*(searchable(lambda *at: at, name=f"b{b}")(
        integer(0, 40, name=f"x{b}"), integer(0, 40, name=f"y{b}")) for b in range(3))),
})  # fmt: skip


def branches(architecture):
    """One branch is the best at its best place; each has another one."""
    branch = architecture["branch"]
    b = int(branch[1:])
    x, y = architecture[f"branch/{branch}/x{b}"], architecture[f"branch/{branch}/y{b}"]
    distance = abs(x - 9 * b - 8) + abs(y - 30 + 4 * b)
    return Measurement({"loss": 9.0 * abs(b - 1) + distance})


def test_tpe_beats_random_search_where_decisions_are_conditional():
    # Equal strategies win 8 of 8 pairs in 1 of 256 runs.
    wins = 0
    for seed in range(8):
        ours = min(t.scores[0] for t in run(Optuna(BRANCHES), BRANCHES, n=50, seed=seed, evaluate=branches))
        random = min(t.scores[0] for t in run(Random(BRANCHES), BRANCHES, n=50, seed=seed, evaluate=branches))
        wins += ours < random
    assert wins == 8


def test_cma_es_beats_random_search_on_real_numbers():
    # Equal strategies win 9 of 10 pairs or more in 11 of 1,024 runs.
    pytest.importorskip("cmaes")
    space = Space({name: real(0, 1) for name in "abcd"})

    def far(architecture):
        return Measurement({"loss": sum((v - 0.7) ** 2 for v in architecture.values())})

    wins = 0
    for seed in range(10):
        trials = run(Optuna(space, sampler="cma-es"), space, n=60, seed=seed, evaluate=far)
        random = run(Random(space), space, n=60, seed=seed, evaluate=far)
        wins += min(t.scores[0] for t in trials) < min(t.scores[0] for t in random)
    assert wins >= 9


def test_it_avoids_what_exceeds_a_ceiling():
    # Of random architectures of the toy 60 of 100 exceed this ceiling; of 80 proposals of a strategy that learnt
    # nothing, 34 or fewer would in 1 of 1,000 runs.
    ceiling = Objectives.of([minimize("loss"), at_most(params=40)])
    random = TOY.sample(np.random.default_rng(0), 2000)
    assert np.mean([toy(a).costs["params"] > 40 for a in random]) > 0.58
    late = []
    for seed in range(4):
        late += run(Optuna(TOY, objectives=ceiling), TOY, n=60, seed=seed, objectives=ceiling)[40:]
    assert sum(t.status == "infeasible" for t in late) <= 34


def told(strategy, trials):
    for trial in trials:
        strategy.tell(trial)
    return strategy


@pytest.mark.parametrize("sampler", ["tpe", "gp", "nsga2", "cma-es"])
@pytest.mark.parametrize("objectives", [None, CAPPED])
def test_the_study_sees_every_trial_and_nothing_else(sampler, objectives):
    from optuna.trial import TrialState

    trials = run(Random(TOY), TOY, n=12, objectives=CAPPED, fails=lambda number: number % 4 == 3)
    strategy = told(Optuna(TOY, sampler=sampler, objectives=objectives), trials)
    strategy.ask(np.random.default_rng(0), pending=[Proposal(TOY.sample(np.random.default_rng(1)))])
    seen = strategy.study.trials
    assert len(seen) == len(trials)
    for optunas, ours in zip(seen, trials, strict=True):
        codes = dict(zip([d.name for d in TOY.decisions], TOY.codes([ours.architecture])[0], strict=True))
        assert optunas.params == {name: code for name, code in codes.items() if code >= 0}
        assert optunas.state == (TrialState.FAIL if ours.status == "failed" else TrialState.COMPLETE)
        if ours.status == "done":
            assert tuple(optunas.values) == ours.scores
        if sampler != "cma-es" and ours.status != "failed":
            assert optunas.constraints == {"ceilings": ours.violation}
        if ours.status == "infeasible":
            assert optunas.values[0] > max([t.scores[0] for t in trials[: ours.number] if t.scores], default=0)


def test_pending_proposals_are_running_trials_for_the_sampler():
    class Spy:
        def __init__(self, sampler):
            self.sampler, self.running = sampler, []

        def __getattr__(self, name):
            return getattr(self.sampler, name)

        def before_trial(self, study, trial):
            self.running.append([t.params for t in study.trials if t.state.name == "RUNNING" and t.params])
            self.sampler.before_trial(study, trial)

    strategy = told(Optuna(TOY), run(Random(TOY), TOY, n=12))
    made, spies = strategy._sampler, []
    strategy._sampler = lambda seed: spies.append(Spy(made(seed))) or spies[-1]
    pending = [Proposal(a) for a in TOY.sample(np.random.default_rng(9), 3)]
    strategy.ask(np.random.default_rng(0), pending)
    assert len(spies[0].running[0]) == 3
    assert {len(p) for p in spies[0].running[0]} == {len(p.architecture) for p in pending}


def test_decisions_are_what_optuna_calls_them():
    body = searchable(lambda rate, reads: (rate, reads))(real(1e-4, 1e-1, log=True), subset(range(10), (1, 5)))
    space = Space({"layers": repeat(body, (1, 3)), "kind": choice("a", "b")})
    strategy = Optuna(space)
    by_name = {name: type(d).__name__ for name, d in strategy._distributions.items()}
    assert by_name["layers/times"] == "IntDistribution"
    assert by_name["kind"] == "CategoricalDistribution"
    assert by_name["layers/0/rate"] == "FloatDistribution"
    assert by_name["layers/0/reads"] == "IntDistribution"  # 637 subsets
    trials = run(strategy, space, n=20, evaluate=lambda a: Measurement({"loss": a["layers/0/rate"]}))
    assert min(t.scores[0] for t in trials[10:]) < 1e-3


def test_a_duplicate_is_drawn_again_and_then_replaced_as_the_origin_says():
    space = Space({"a": choice(1, 2, 3), "b": choice(1, 2)})
    origins = [
        t.proposal.origin
        for seed in range(10)
        for t in run(Optuna(space, tries=2), space, n=6, seed=seed, evaluate=lambda a: Measurement({"loss": a["a"]}))
    ]
    assert set(origins) == {"tpe", "tpe, drawn 2 times for a new one", "random, for want of a new one from tpe"}


def test_cma_es_is_told_one_number_for_several_goals():
    pytest.importorskip("cmaes")
    trials = run(Random(TOY), TOY, n=10, objectives=TWO)
    strategy = told(Optuna(TOY, sampler="cma-es", objectives=TWO), trials)
    assert all(-1 <= t.value <= 0 for t in strategy.study.trials)


def test_a_score_that_is_no_number_is_a_failure_to_the_sampler():
    architecture = TOY.sample(np.random.default_rng(0))
    strategy = told(Optuna(TOY), [Trial(0, Proposal(architecture), "done", toy(architecture), (float("nan"),))])
    assert [t.state.name for t in strategy.study.trials] == ["FAIL"]


def test_trials_with_other_numbers_of_scores_are_refused():
    trials = run(Random(TOY), TOY, n=2, objectives=TWO)
    strategy = told(Optuna(TOY), run(Random(TOY), TOY, n=2))
    with pytest.raises(ObjectiveError, match="2 scores, those before it 1"):
        strategy.tell(trials[0])


def test_bad_arguments_are_named():
    with pytest.raises(ArchwrightError, match=r"no sampler 'tpee'.*Did you mean 'tpe'"):
        Optuna(TOY, sampler="tpee")
    with pytest.raises(ArchwrightError, match=r"TPESampler has no argument 'n_startup'.*'n_startup_trials'"):
        Optuna(TOY, settings={"n_startup": 3})
    with pytest.raises(ArchwrightError, match=r"do not suit.*NSGAIISampler.*population_size"):
        Optuna(TOY, sampler="nsga2", settings={"population_size": 1})
    with pytest.raises(ValueError, match="tries must be at least 1, got 0"):
        Optuna(TOY, tries=0)


@pytest.mark.parametrize(("package", "sampler"), [("optuna", "tpe"), ("cmaes", "cma-es")])
def test_a_missing_package_names_the_extra(monkeypatch, package, sampler):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"'{package}' is needed.*pip install 'archwright\[optuna\]'"):
        Optuna(TOY, sampler=sampler)


def test_goals_and_ceilings_are_known_before_the_first_trial():
    strategy = Optuna(TOY, objectives=Objectives.of([minimize("loss"), maximize("size"), at_most(params=100)]))
    assert len(strategy.study.directions) == 2
    architecture = TOY.sample(np.random.default_rng(0))
    strategy.tell(Trial(0, Proposal(architecture), "infeasible", violation=0.5))
    assert strategy.study.trials[0].constraints == {"ceilings": 0.5}
