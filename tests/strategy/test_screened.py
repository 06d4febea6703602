import numpy as np
import pytest
from scipy.stats import kendalltau

from archwright import Space, choice
from archwright.errors import EvaluationError
from archwright.strategy import ASHA, Random, RegularizedEvolution, Screened
from archwright.testing import StrategyContract
from archwright.testing.strategy import CAPPED, TOY, TWO, run, toy


def good(architecture):
    """Knows the loss but for the activation and the kernels."""
    widths = [v for k, v in architecture.items() if k.endswith("width")]
    return -abs(sum(widths) - 80) / 80 - abs(architecture["dropout"] - 1) / 4


def bad(architecture):
    return -good(architecture)


def any_score(architecture):
    return float(len(architecture))


class TestScreened(StrategyContract):
    def make(self, space):
        inner = RegularizedEvolution(space, population_size=8, tournament_size=3)
        return Screened(inner, score=any_score, n=20, keep=5)


def test_the_best_by_score_come_first_and_the_strategy_is_told_of_them():
    strategy = Screened(Random(TOY), score=good, n=50, keep=8)
    trials = run(strategy, TOY, n=12)
    scores = [good(t.architecture) for t in trials]
    assert scores[:8] == sorted(scores[:8], reverse=True)
    assert [t.proposal.origin for t in trials[:2]] == [f"number {i} by score of 50 random ones" for i in (1, 2)]
    assert all(t.proposal.origin == "random" for t in trials[8:])
    assert len({t.key for t in trials}) == 12


def test_a_good_score_starts_better_than_chance():
    # Of equal strategies, the one wins 9 of 10 pairs or more in 11 of 1,024 runs.
    wins = 0
    for seed in range(10):
        screened = run(Screened(Random(TOY), score=good, seed=seed), TOY, n=8, seed=seed)
        random = run(Random(TOY), TOY, n=8, seed=seed)
        wins += np.mean([t.scores[0] for t in screened]) < np.mean([t.scores[0] for t in random])
    assert wins >= 9


def test_the_rank_correlation_to_trained_results_is_kept():
    strategy = Screened(Random(TOY), score=good, n=100, keep=15)
    assert np.isnan(strategy.tau)
    trials = run(strategy, TOY, n=20)
    chosen = trials[:15]
    expected = kendalltau([good(t.architecture) for t in chosen], [-t.scores[0] for t in chosen]).statistic
    assert strategy.tau == pytest.approx(expected)
    assert strategy.tau > 0
    assert not strategy.dropped


@pytest.mark.parametrize("score", [bad, lambda a: 1.0])
def test_a_score_without_positive_correlation_is_dropped_after_ten_trainings(score):
    strategy = Screened(Random(TOY), score=score, n=100, keep=40)
    origins = [t.proposal.origin for t in run(strategy, TOY, n=20)]
    assert strategy.dropped
    assert strategy.tau <= 0
    assert origins[9] == "number 10 by score of 100 random ones"
    assert origins[10:] == ["random"] * 10


def test_several_goals_are_ranked_by_front():
    strategy = Screened(Random(TOY), score=lambda a: -toy(a).metrics["size"] - toy(a).metrics["loss"], n=60, keep=30)
    run(strategy, TOY, n=30, objectives=TWO)
    assert -1 <= strategy.tau <= 1


def test_trainings_are_counted_not_infeasible_ones():
    strategy = Screened(Random(TOY), score=lambda a: toy(a).metrics["size"], n=100, keep=60)
    trials = run(strategy, TOY, n=30, objectives=CAPPED)
    done = sum(t.status == "done" for t in trials[:-1])
    assert 0 < done < 29
    assert len(strategy._trained) == (10 if strategy.dropped else done)


def test_what_cannot_be_scored_comes_last():
    def fragile(architecture):
        if architecture["activation"] == "tanh":
            raise EvaluationError("cannot be built")
        return float("nan") if architecture["activation"] == "relu" else good(architecture)

    trials = run(Screened(Random(TOY), score=fragile, n=60, keep=10), TOY, n=10)
    assert {t.architecture["activation"] for t in trials} == {"silu"}


def test_each_architecture_is_scored_once_and_a_small_space_as_a_whole():
    small = Space({"a": choice(1, 2, 3), "b": choice(1, 2)})
    asked = []
    strategy = Screened(Random(small), score=lambda a: asked.append(a) or a["a"] * 10 + a["b"], n=30, keep=3)
    trials = run(strategy, small, n=6, evaluate=lambda a: toy(TOY.sample(np.random.default_rng(a["a"]))))
    assert len(asked) == len(set(asked)) == 6
    assert [(t.architecture["a"], t.architecture["b"]) for t in trials[:3]] == [(3, 2), (3, 1), (2, 2)]


def test_a_space_stands_for_evolution():
    assert isinstance(Screened(TOY, score=good).strategy, RegularizedEvolution)


def test_bad_arguments_are_named():
    with pytest.raises(TypeError, match="score must be a function of an architecture, got 3"):
        Screened(TOY, score=3)
    with pytest.raises(ValueError, match=r"keep must lie in 1\.\.n, got keep=5 with n=4"):
        Screened(TOY, score=good, n=4, keep=5)
    with pytest.raises(ValueError, match="drop_after must be at least 3"):
        Screened(TOY, score=good, drop_after=1)
    with pytest.raises(TypeError, match="such as Random"):
        Screened("random", score=good)


def test_around_a_strategy_with_rungs_the_first_are_trained_for_the_lowest():
    strategy = Screened(ASHA(Random(TOY), max_epochs=27), score=good, n=30, keep=5)
    assert strategy.rungs == strategy.strategy.rungs != ()
    trials = run(strategy, TOY, n=20)
    assert [t.proposal.epochs for t in trials[:5]] == [strategy.rungs[0]] * 5
