import numpy as np
import pytest

from archwright.space import Space, choice
from archwright.strategy.mcts import MonteCarloTreeSearch
from archwright.testing import StrategyContract
from archwright.testing.strategy import TOY, run
from archwright.trial import Measurement

DEEP = Space({f"d{i}": choice(0, 1, 2) for i in range(6)})


def in_tree(architecture):
    """The earlier a decision, the more it is worth: 729 leaves, the best where all are 0."""
    return Measurement({"loss": sum(v * 2.0**-i for i, v in enumerate(architecture.values()))})


def tree_search(n, seed=0, **settings):
    strategy = MonteCarloTreeSearch(DEEP, **settings)
    trials = run(strategy, DEEP, n=n, seed=seed, evaluate=in_tree)
    strategy.tell(trials[-1])  # `run` tells the last one to nobody
    return strategy, trials


class TestMonteCarloTreeSearch(StrategyContract):
    def make(self, space):
        return MonteCarloTreeSearch(space)

    def test_the_best_branch_is_visited_most(self):
        for seed in range(5):
            strategy, _ = tree_search(150, seed)
            visits = [strategy.root.children[a].visits for a in range(3)]
            assert visits[0] > visits[1] > visits[2]

    def test_it_finds_the_optimum_of_a_tree_faster_than_random_search(self):
        # Random search without duplicates meets the best of 729 within 150 trials in 150 / 729 of all runs, so in 8 of
        # 10 with a chance of 1 in 9,000.
        best = [min(t.scores[0] for t in tree_search(150, seed)[1]) for seed in range(10)]
        assert best.count(0) >= 8

    def test_without_exploration_it_stays_where_the_mean_is_best_once_all_have_been_tried(self):
        _, trials = tree_search(30, exploration=0.0)
        assert [t.architecture["d0"] for t in trials[3:]].count(0) > 20

    def test_visits_and_means_are_those_of_the_trials_below(self):
        strategy, trials = tree_search(60)
        assert strategy.root.visits == 60
        for action, child in strategy.root.children.items():
            below = [t for t in trials if t.architecture["d0"] == action]
            assert child.visits == len(below)
            assert child.total == pytest.approx(sum(strategy._reward.of(t) for t in below))

    def test_pending_proposals_are_visits_without_reward(self):
        strategy, _ = tree_search(60, exploration=0.0)
        alone = [strategy.ask(np.random.default_rng(i)) for i in range(20)]
        assert {p.architecture["d0"] for p in alone} == {0}
        asked = []
        for i in range(60):
            asked.append(strategy.ask(np.random.default_rng(i), tuple(asked)))
        assert {p.architecture["d0"] for p in asked} == {0, 1, 2}
        assert len({p.architecture for p in asked}) == 60

    def test_branches_told_to_their_ends_are_closed_and_the_whole_space_is_gone_through(self):
        space = Space({"a": choice(0, 1, 2), "b": choice(0, 1, 2)})
        strategy = MonteCarloTreeSearch(space, tries=1)
        trials = run(strategy, space, n=9, evaluate=in_tree)
        # With a single try a duplicate would show as a random proposal.
        assert {t.proposal.origin for t in trials} == {"tree search"}
        strategy.tell(trials[-1])
        assert strategy.root.closed

    def test_the_tree_stops_growing_at_its_bound_and_goes_on_learning(self):
        strategy, trials = tree_search(120, max_nodes=50)
        assert strategy.n_nodes == 50
        assert strategy.root.visits == 120
        assert len({t.key for t in trials}) == 120

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"exploration": -0.1}, "exploration must be finite and 0 or more, got -0.1"),
            ({"exploration": float("nan")}, "exploration"),
            ({"tries": 0}, "tries must be at least 1, got 0"),
            ({"max_nodes": 0}, "max_nodes must be at least 1, got 0"),
            ({"scale": "log"}, "scale"),
        ],
    )
    def test_arguments_that_make_no_sense_are_refused(self, settings, message):
        with pytest.raises(ValueError, match=message):
            MonteCarloTreeSearch(TOY, **settings)
