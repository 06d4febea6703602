import numpy as np
import pytest

from archwright.objective import Objectives, at_most, hypervolume, minimize
from archwright.space import Space, choice, integer, real, subset
from archwright.strategy import GaussianProcess, Random
from archwright.strategy.surrogate.pool import Whole
from archwright.testing import StrategyContract
from archwright.testing.strategy import CAPPED, TOY, TWO, run, toy
from archwright.trial import Measurement, Proposal, Trial

SMALL = Space({"a": integer(0, 9), "b": integer(0, 9), "c": choice("x", "y")})


def small(architecture):
    loss = (architecture["a"] - 6) ** 2 + (architecture["b"] - 2) ** 2 + (architecture["c"] == "y")
    return Measurement({"loss": float(loss)}, {"params": float(architecture["a"] + architecture["b"] + 1)})


class TestGaussianProcess(StrategyContract):
    def make(self, space):
        return GaussianProcess(space, initial=5, candidates=60, whole=1000)

    def test_it_finds_the_best_of_200_in_few_trials(self):
        # Random search needs 100 in the median; that it needs at most 45 in each of 5 seeds happens in 1 of
        # 1,000 runs.
        for seed in range(5):
            trials = run(GaussianProcess(SMALL), SMALL, n=45, seed=seed, evaluate=small)
            assert min(t.scores[0] for t in trials) == 0

    def test_it_beats_random_search_where_the_space_is_large(self):
        # A one-sided sign test at 8 pairs: all are won by chance in 4 of 1,000 runs.
        for seed in range(8):
            ours = min(t.scores[0] for t in run(GaussianProcess(TOY), TOY, n=40, seed=seed))
            assert ours < min(t.scores[0] for t in run(Random(TOY), TOY, n=40, seed=seed))

    def test_it_begins_far_apart(self):
        def spread(make, seed):
            codes = SMALL.codes([t.architecture for t in run(make(SMALL), SMALL, n=5, seed=seed, evaluate=small)])
            x = Whole(SMALL).features(codes)
            return np.sort(((x[:, None] - x[None]) ** 2).sum(axis=2), axis=1)[:, 1].min()

        means = [np.mean([spread(make, seed) for seed in range(10)]) for make in (GaussianProcess, Random)]
        assert means[0] > means[1]

    def test_pending_proposals_are_kept_away_from(self):
        strategy = GaussianProcess(SMALL)
        for trial in run(GaussianProcess(SMALL), SMALL, n=15, evaluate=small):
            strategy.tell(trial)
        pending = []
        for i in range(8):
            pending.append(strategy.ask(np.random.default_rng(i), tuple(pending)))
        assert len({SMALL.key(p.architecture) for p in pending}) == 8
        # All alike would be one cluster; where the first was believed, others look elsewhere.
        assert len({p.architecture["a"] for p in pending} | {10 + p.architecture["b"] for p in pending}) >= 4

    def test_two_goals_reach_most_of_the_front(self):
        space, reference = SMALL, [200.0, 25.0]
        objectives = Objectives.of([minimize("loss"), minimize("params")])
        everything = [objectives.scores(small(a)) for a in space]
        exact = hypervolume(everything, reference)

        def share(strategy, seed):
            trials = run(strategy, space, n=50, seed=seed, objectives=objectives, evaluate=small)
            return hypervolume([t.scores for t in trials], reference) / exact

        known = {"objectives": objectives, "costs": lambda a: small(a).costs}
        assert min(share(GaussianProcess(space, **known), seed) for seed in range(3)) > 0.99
        assert min(share(GaussianProcess(space), seed) for seed in range(3)) > 0.98

    def test_three_goals_are_served(self):
        objectives = Objectives.of([minimize("loss"), minimize("size"), minimize("params")])
        for costs in (None, lambda a: toy(a).costs):
            trials = run(
                GaussianProcess(TOY, whole=0, objectives=objectives, costs=costs), TOY, n=20, objectives=objectives
            )
            assert len(trials) == 20

    @pytest.mark.parametrize("whole", [0, 65_536])
    def test_what_exceeds_a_known_ceiling_is_never_proposed(self, whole):
        strategy = GaussianProcess(TOY, objectives=CAPPED, costs=lambda a: toy(a).costs, candidates=60, whole=whole)
        assert {t.status for t in run(strategy, TOY, n=40, objectives=CAPPED)} == {"done"}

    @pytest.mark.parametrize("whole", [0, 65_536])
    def test_a_goal_that_is_measured_is_modelled_beside_a_cost_that_is_counted(self, whole):
        def measured(architecture):
            m = toy(architecture)
            return Measurement(m.metrics, {**m.costs, "latency_ms": m.costs["params"] ** 0.5})

        objectives = Objectives.of([minimize("loss"), minimize("latency_ms"), at_most(params=60)])
        strategy = GaussianProcess(
            TOY, objectives=objectives, costs=lambda a: {"params": toy(a).costs["params"]}, whole=whole
        )
        trials = run(strategy, TOY, n=18, objectives=objectives, evaluate=measured)
        assert {t.status for t in trials} == {"done"}

    def test_an_unknown_ceiling_is_learnt(self):
        # The best that is allowed is one of 200; by chance it is among 45 in all of 3 seeds in 1 of 100 runs.
        best = min(small(a).metrics["loss"] for a in SMALL if not LOW.violation(small(a).costs))
        found = []
        for seed in range(3):
            trials = run(GaussianProcess(SMALL), SMALL, n=45, seed=seed, objectives=LOW, evaluate=small)
            found.append(min((t.scores[0] for t in trials if t.status == "done"), default=np.inf))
        assert found == [best] * 3

    def test_it_begins_with_the_examples(self):
        examples = [TOY.sample(np.random.default_rng(i)) for i in range(12)]
        begun = run(GaussianProcess(TOY, whole=0, initial=4, examples=examples, objectives=CAPPED), TOY, n=3)
        assert [t.architecture for t in begun] == examples[:3]

    def test_where_the_space_is_large_some_trials_are_random_to_the_end(self):
        trials = run(GaussianProcess(TOY, whole=0), TOY, n=90)
        at = [t.number for t in trials if t.proposal.origin == "random"]
        assert at[:10] == list(range(10))
        assert 4 <= sum(n < 50 for n in at[10:]) <= 12
        assert 2 <= sum(n >= 50 for n in at) <= 8
        assert not any(t.proposal.origin == "random" for t in run(GaussianProcess(SMALL), SMALL, n=30, evaluate=small))

    def test_under_a_ceiling_what_is_random_is_made_to_fit(self):
        # One in a hundred fits as it is drawn.
        space = Space({name: integer(1, 10, name=name) for name in "abcd"})

        def measured(a):
            params = float(np.prod([a[n] for n in "abcd"]))
            return Measurement({"loss": abs(params - 9)}, {"params": params})

        objectives = Objectives.of([minimize("loss"), at_most(params=10)])
        strategy = GaussianProcess(space, whole=0, objectives=objectives, costs=lambda a: measured(a).costs)
        trials = run(strategy, space, n=20, objectives=objectives, evaluate=measured)
        assert {t.status for t in trials} == {"done"}
        assert sum(t.proposal.origin == "random" for t in trials) >= 10

    def test_short_trainings_inform_and_full_ones_are_proposed(self):
        strategy = GaussianProcess(SMALL, max_epochs=8)
        rng = np.random.default_rng(0)
        for number, architecture in enumerate(dict.fromkeys(SMALL.sample(rng, 60))):
            epochs = 2 if number % 2 else 8
            loss = small(architecture).metrics["loss"] + 30 * (epochs == 2)
            strategy.tell(
                Trial(
                    number,
                    Proposal(architecture, epochs),
                    "done",
                    Measurement({}),
                    (loss,),
                    key=SMALL.key(architecture),
                )
            )
        proposals = []
        for i in range(4):
            proposals.append(strategy.ask(np.random.default_rng(i), tuple(proposals)))
        assert {p.epochs for p in proposals} == {None}
        # Four random ones contain one of the best eighth in 4 of 10 runs; none of the best three has been told.
        assert min(small(p.architecture).metrics["loss"] for p in proposals) <= 4

    def test_every_kind_of_decision_is_served(self):
        space = Space(
            {"rate": real(1e-4, 1e-1, log=True), "members": subset(range(5), 2), "n": integer(1, 40), "k": choice(1, 2)}
        )

        def loss(architecture):
            return Measurement({"loss": abs(np.log10(architecture["rate"]) + 2) + abs(architecture["n"] - 20) / 40})

        trials = run(GaussianProcess(space), space, n=40, evaluate=loss)
        assert min(t.scores[0] for t in trials) < 0.1

    @pytest.mark.parametrize(
        ("settings", "message"),
        [({"initial": 0}, "initial"), ({"whole": -1}, "whole"), ({"candidates": 1}, "candidates")],
    )
    def test_settings_that_make_no_sense_are_refused(self, settings, message):
        with pytest.raises(ValueError, match=message):
            GaussianProcess(TOY, **settings)

    def test_thousands_of_trials_are_served(self, monkeypatch):
        monkeypatch.setattr("archwright.strategy.surrogate.model.MOST_EXACT", 30)
        trials = run(GaussianProcess(TOY, candidates=60, whole=0), TOY, n=60, seed=1)
        assert run(GaussianProcess(TOY, candidates=60, whole=0), TOY, n=60, seed=1, history=trials[:45]) == trials
        monkeypatch.undo()
        assert min(t.scores[0] for t in trials) < 0.1


LOW = Objectives.of([minimize("loss"), at_most(params=8)])


def test_functions_of_a_small_space_are_candidates_once_each():
    pool = Whole(SMALL).pool
    assert len(pool.keys) == 200
    assert Whole(TOY, most=1000).pool is None
    assert len(run(GaussianProcess(TOY), TOY, n=12, objectives=TWO)) == 12


def test_a_goal_that_only_its_cost_tells_of_is_found_in_few_trials():
    # No group of features holds the product; random search comes within 1 of the best in 1 of 20 runs of 25 trials.
    space = Space({name: integer(1, 40, name=name) for name in "abcdef"})

    def measured(a):
        size = float(np.prod([a[n] for n in "abc"]) + np.prod([a[n] for n in "def"]))
        return Measurement({"loss": abs(np.log(size) - np.log(9000))}, {"params": size})

    objectives = Objectives.of([minimize("loss"), at_most(params=40_000)])
    best = []
    for costs in (lambda a: measured(a).costs, None):
        made = (GaussianProcess(space, objectives=objectives, costs=costs) for _ in range(5))
        found = [run(s, space, n=25, seed=i, objectives=objectives, evaluate=measured) for i, s in enumerate(made)]
        best.append([min(t.scores[0] for t in trials if t.status == "done") for trials in found])
    assert np.median(best[0]) < 0.5 * np.median(best[1])
