"""Comparing strategies: what is charged, what is paired, what is kept, and what is worked out from it."""

import math
import subprocess
import sys
from functools import partial
from pathlib import Path

import cloudpickle
import numpy as np
import pytest

from archwright.benchmark import Benchmark
from archwright.benchmark.compare import LEDGER, compare, parse_budget
from archwright.benchmark.page import document, save
from archwright.benchmark.simulation import known_of, simulate
from archwright.benchmark.tables import markdown
from archwright.errors import ArchwrightError, BudgetError, EvaluationError
from archwright.objective import Objectives, at_most, maximize, minimize
from archwright.run import Budget
from archwright.run.loop import evaluation_seed
from archwright.space import Space, choice, integer
from archwright.strategy import LocalSearch, Random, Strategy, make
from archwright.trial import Measurement, Proposal, Trial

sys.path.insert(0, str(Path(__file__).parent))
from bowl import BOTH, EVOLUTION, Bowl, Continuing, bowl, numbers

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # worker processes cannot import tests


@pytest.fixture(scope="module")
def compared():
    return compare(BOTH, bowl(), seeds=6, budget=40, workers=1, progress=False)


# One run


@pytest.mark.parametrize("factory", [Random, EVOLUTION, LocalSearch])
def test_a_run_is_the_plain_loop(factory):
    problem = bowl()
    strategy, trials = make(factory, problem.space, known_of(problem)), []
    for number in range(30):
        proposal = strategy.ask(np.random.default_rng([5, number]))
        measured = problem.evaluator(proposal, evaluation_seed(5, number))
        scores = problem.objectives.scores(measured)
        strategy.tell(Trial(number, proposal, "done", measured, scores, key=problem.space.key(proposal.architecture)))
        trials.append((proposal, scores))
    run = simulate(problem, factory, 5, Budget(trials=30))
    assert [(s.proposal, s.scores) for s in run.steps] == trials
    assert [s.queries for s in run.steps] == list(range(1, 31))
    assert run.steps[-1].epochs == 300
    assert run.steps[-1].seconds == pytest.approx(sum(p.architecture["depth"] for p, _ in trials))
    best = np.minimum.accumulate([scores[0] for _, scores in trials])
    assert [run.steps[i.step].number for i in run.incumbents] == [
        n for n in range(30) if n == 0 or best[n] < best[n - 1]
    ]
    assert run.incumbents[-1].value == pytest.approx(-best[-1])
    assert run.incumbents[-1].reported == pytest.approx(-best[-1] - 0.1)


def test_a_run_that_went_on_from_a_shorter_one_is_the_longer_one():
    for parallel in (1, 3):
        whole = simulate(bowl(), EVOLUTION, 0, Budget(trials=40), parallel=parallel)
        half = simulate(bowl(), EVOLUTION, 0, Budget(trials=17), parallel=parallel)
        gone_on = simulate(bowl(), EVOLUTION, 0, Budget(trials=40), parallel=parallel, earlier=half)
        assert (gone_on.steps, gone_on.incumbents) == (whole.steps, whole.incumbents)
        assert gone_on.asked == 40


def test_several_simulated_workers_end_in_the_order_of_their_times():
    run = simulate(bowl(), Random, 0, Budget(trials=30), parallel=4)
    ends = [s.seconds for s in run.steps]
    assert ends == sorted(ends)
    assert [s.number for s in run.steps] != list(range(30))
    alone = simulate(bowl(), Random, 0, Budget(trials=30))
    assert ends[-1] < alone.steps[-1].seconds / 2  # four at a time, of unequal lengths


def test_pending_proposals_are_told_to_the_strategy():
    met = []

    class Curious(Random):
        def ask(self, rng, pending=()):
            met.append(len(pending))
            return super().ask(rng, pending)

    simulate(bowl(), Curious, 0, Budget(trials=6), parallel=3)
    assert met == [0, 1, 2, 2, 2, 2]


def test_failures_cost_what_was_asked_for_and_infeasible_proposals_nothing():
    problem = bowl(*at_most(params=500), fails=True)
    run = simulate(problem, Random, 1, Budget(trials=30))
    count = {status: sum(s.status == status for s in run.steps) for status in ("done", "failed", "infeasible")}
    assert count["done"] + count["failed"] == 30 == run.steps[-1].queries
    assert count["failed"] > 3
    assert count["infeasible"] > 3
    assert run.steps[-1].epochs == 300
    for before, step in zip(run.steps, run.steps[1:], strict=False):
        if step.status == "infeasible":
            assert (step.seconds, step.epochs, step.queries) == (before.seconds, before.epochs, before.queries)
        else:
            assert step.seconds > before.seconds


class Repeating(Strategy):
    """Proposes one architecture for ever."""

    def __init__(self, space):
        self.space = space

    def ask(self, rng, pending=()):
        return Proposal(self.space.architecture({"depth": 1, "width": 0, "op": "a"}))

    def tell(self, trial):
        pass


def test_what_is_proposed_again_costs_again_and_is_counted():
    found = compare({"same": Repeating}, bowl(), seeds=1, budget=12, progress=False, workers=1)
    row = next(r for r in found.summary() if r["strategy"] == "same")
    assert (row["queries"], row["epochs"], row["repeated"]) == (12, 120, 11)


@pytest.mark.parametrize("counts_from_the_first", [True, False])
def test_a_training_that_goes_on_is_no_new_query_and_pays_its_own_epochs_alone(counts_from_the_first):
    class Own(Bowl):
        def __call__(self, proposal, seed, context=None):
            found = super().__call__(proposal, seed)
            if proposal.continues is None or counts_from_the_first:
                return found
            return Measurement(found.metrics, found.costs, seconds=found.seconds * 0.8, epochs=8)

    plain = bowl()
    problem = Benchmark("own", plain.space, Own(), plain.objectives, 1.0, "test", 10)
    run = simulate(problem, Continuing, 0, Budget(epochs=100))
    assert [s.epochs for s in run.steps[:4]] == [2, 10, 12, 20]
    assert [s.queries for s in run.steps[:4]] == [1, 1, 2, 2]
    assert [s.full for s in run.steps[:4]] == [False, True, False, True]
    depths = [s.proposal.architecture["depth"] for s in run.steps[::2]]
    assert run.steps[-1].seconds == pytest.approx(sum(depths))
    # Ten epochs count for more than two, and what is believed of an incumbent is its value after a full training.
    assert run.incumbents[0].value == pytest.approx(run.incumbents[1].value)


def test_a_strategy_gets_what_it_declares():
    told = {}

    class Asking(Random):
        def __init__(self, space, objectives, max_epochs, costs):
            super().__init__(space)
            told.update(objectives=objectives, max_epochs=max_epochs, costs=costs)

    problem = bowl(minimize("params"))
    compare({"asking": Asking}, problem, seeds=1, budget=2, progress=False, workers=1)
    assert (told["objectives"], told["max_epochs"]) == (problem.objectives, 10)
    assert told["costs"](problem.space.architecture({"depth": 2, "width": 1, "op": "a"})) == {"params": 20.0}


def test_a_space_that_is_exhausted_ends_a_run_and_is_noted():
    tiny = Benchmark("tiny", Space({"depth": integer(1, 4), "width": choice(2), "op": choice("c")}), Bowl(),
                     Objectives.of([maximize("accuracy")]), best=0.97)  # fmt: skip
    found = compare({"local": LocalSearch}, tiny, seeds=2, budget=30, progress=False, workers=1)
    assert all(len(run.steps) == 4 for run in found.runs.values())
    assert "ended before the budget" in markdown(found)
    assert found.to_optimum("tiny", "random")[0] <= 4


# Many runs


def test_random_search_is_always_there_and_named_once(compared):
    assert compared.strategies == ("random", "evolution", "local")
    named = compare({"chance": Random, **BOTH}, bowl(), seeds=1, budget=2, progress=False, workers=1)
    assert named.strategies == ("chance", "evolution", "local")
    assert named.control == "chance"


def test_all_strategies_meet_the_same_luck(compared):
    for seed in range(6):
        first = [compared.runs["bowl", s, seed].steps[0].proposal.architecture for s in compared.strategies]
        assert first[0] == first[1] == first[2]
    assert len({compared.runs["bowl", "random", seed].steps[0].proposal.architecture for seed in range(6)}) > 3


def test_processes_change_no_number(compared):
    assert numbers(compare(BOTH, bowl(), seeds=6, budget=40, workers=2, progress=False)) == numbers(compared)


# What is worked out


def test_queries_to_the_optimum_and_regret_are_those_of_the_trials(compared):
    for strategy in compared.strategies:
        for seed, reached in enumerate(compared.to_optimum("bowl", strategy)):
            scores = [-s.scores[0] for s in compared.runs["bowl", strategy, seed].steps]
            hits = [i + 1 for i, score in enumerate(scores) if score > 1 - 1e-12]
            assert reached == (hits[0] if hits else math.inf)
            gaps = compared.gaps("bowl", strategy, [1, 17, 40])[seed]
            assert gaps == pytest.approx([1 - max(scores[:n]) for n in (1, 17, 40)])


def test_the_table_is_tidy_and_agrees_with_the_runs(compared):
    table = compared.table()
    assert len(table) == 3 * 6 * 40
    last = table[(table.strategy == "local") & (table["query"] == 40)].sort_values("seed")
    assert last.regret.tolist() == pytest.approx(compared.gaps("bowl", "local", [40])[:, 0].tolist())
    assert (last.best - last.reported).tolist() == pytest.approx([0.1] * 6)
    assert (table.groupby(["strategy", "seed"]).regret.diff().dropna() <= 1e-12).all()
    assert list(table) == [
        "benchmark", "strategy", "seed", "query", "seconds", "epochs", "status", "best", "regret", "reported",
    ]  # fmt: skip


def test_evolution_beats_random_search_on_a_bowl(compared):
    duels = {d.first: d for d in compared.duels("bowl")}
    assert duels["local"].result.wins >= 5  # one in 9 by chance were they alike
    assert compared.ranking("bowl").test.mean_ranks[0] > 2


def test_several_goals_are_compared_by_hypervolume(tmp_path):
    problem = bowl(minimize("params"), best=None)
    points = [(*problem.objectives.scores(problem.measure(a)),) for a in problem.space]
    front = {"scores": points, "reference": np.max(points, axis=0).tolist()}
    found = compare(BOTH, bowl(minimize("params"), front=front), seeds=3, budget=40, workers=1, progress=False)
    from archwright.objective import hypervolume

    run = found.runs["bowl", "local", 2]
    share = hypervolume([s.scores for s in run.steps[:25]], front["reference"]) / hypervolume(
        points, front["reference"]
    )
    assert found.gaps("bowl", "local", [25])[2, 0] == pytest.approx(1 - share)
    assert "missing hypervolume" in markdown(found)
    save(found, tmp_path)


def test_a_best_that_nobody_knows_is_the_best_found(tmp_path):
    found = compare(BOTH, bowl(best=None), seeds=2, budget=10, workers=1, progress=False)
    assert min(found.gaps("bowl", s, [10]).min() for s in found.strategies) == 0
    assert "is not known" in markdown(found)


@pytest.mark.parametrize("budget", ["120 epochs", "60s"])
def test_other_budgets_count_what_ended_within_them(budget):
    found = compare(BOTH, bowl(), seeds=3, budget=budget, workers=1, parallel=2, progress=False)
    for run in found.runs.values():
        kept = found.within(run)
        assert kept
        assert found.spent(kept[-1]) <= found.amount
        assert len(kept) >= len(run.steps) - 2
    assert document(found)["budget"] == {"amount": found.amount, "unit": found.unit}
    assert found.unit in ("epochs", "seconds")


def test_fidelities_under_a_budget_of_queries_are_noted():
    found = compare({"on": Continuing}, bowl(), seeds=1, budget=4, workers=1, progress=False)
    assert "budget of epochs" in markdown(found)


def test_three_benchmarks_are_ranked_as_a_whole(tmp_path):
    problems = [bowl(name=name, fails=name == "c") for name in "abc"]
    found = compare(BOTH, problems, seeds=4, budget=20, workers=1, progress=False)
    ranking = found.ranking()
    assert ranking.test.blocks == 3
    assert sum(ranking.test.mean_ranks) == pytest.approx(6)
    assert "## All benchmarks" in markdown(found)
    assert set(document(found)["ranks"]) == {"a", "b", "c", "all"}


# What makes no sense


@pytest.mark.parametrize("budget", [0, -3, "soon", "0 epochs", 1.5, True, Budget(trials=3, epochs=4)])
def test_budgets_that_make_no_sense(budget):
    with pytest.raises(BudgetError):
        parse_budget(budget)


def test_what_cannot_be_compared_is_refused_before_any_work(tmp_path):
    def refused(strategies, problems, **more):
        with pytest.raises(ArchwrightError) as error:
            compare(strategies, problems, out=tmp_path / "out", progress=False, **more)
        assert not (tmp_path / "out" / LEDGER).exists()
        return str(error.value)

    assert "seeds cannot be 0" in refused(BOTH, bowl(), seeds=0)
    assert "parallel" in refused(BOTH, bowl(), parallel=0)
    assert "Did you mean 'local'" in refused(BOTH, bowl(), control="locl")
    assert "no benchmark" in refused(BOTH, "nowhere")
    assert "at least one" in refused(BOTH, [])
    assert "twice" in refused(BOTH, [bowl(), bowl()])
    assert "tournament_size" in refused({"e": partial(EVOLUTION, tournament_size=60)}, bowl())
    assert "another than Random" in refused({"random": LocalSearch}, bowl())
    assert "its class" in refused({"e": "evolution"}, bowl())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_strategy_that_breaks_is_named_with_its_benchmark_and_seed(workers):
    with pytest.raises(EvaluationError, match=r"'broken' failed on bowl, seed \d: KeyError"):
        compare({"broken": Breaking}, bowl(), seeds=2, budget=9, workers=workers, progress=False)


class Breaking(Random):
    """Breaks when it has been told three trials."""

    def tell(self, trial):
        if trial.number == 3:
            raise KeyError("no such thing")
        super().tell(trial)


def test_importing_benchmarks_imports_no_torch():
    code = "import sys, archwright.benchmark.compare, archwright.benchmark.page; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
