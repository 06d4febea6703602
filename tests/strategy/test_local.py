from archwright.space import Space, choice
from archwright.strategy import LocalSearch
from archwright.testing import StrategyContract
from archwright.testing.strategy import TOY, run
from archwright.trial import Measurement

LINE = Space({c: choice(0, 1, 2) for c in "abcd"})


def slope(architecture):
    return Measurement({"loss": float(sum(architecture.values()))})


class TestLocalSearch(StrategyContract):
    def make(self, space):
        return LocalSearch(space)

    def test_it_walks_down_a_slope_to_the_bottom(self):
        trials = run(LocalSearch(LINE), LINE, n=40, evaluate=slope)
        assert min(t.scores[0] for t in trials) == 0.0

    def test_every_neighbour_differs_from_its_parent_in_one_decision(self):
        trials = run(LocalSearch(LINE), LINE, n=40, evaluate=slope)
        for t in trials:
            for parent in t.proposal.parents:
                assert len(t.architecture.differs(trials[parent].architecture)) == 1

    def test_it_moves_at_the_first_improvement(self):
        trials = run(LocalSearch(LINE), LINE, n=12, evaluate=slope)
        best = trials[0]
        for t in trials[1:]:
            assert t.proposal.parents in ((best.number,), ())
            best = t if t.scores < best.scores or not t.proposal.parents else best

    def test_it_starts_again_where_no_neighbour_is_better(self):
        trials = run(LocalSearch(LINE), LINE, n=81, evaluate=slope)
        assert len(trials) == 81
        assert any(t.proposal.origin.startswith("restart after") for t in trials)

    def test_several_initial_architectures_are_tried_first(self):
        trials = run(LocalSearch(TOY, initial=5), TOY, n=20)
        assert [t.proposal.origin for t in trials[:5]] == ["random start"] * 5
        best = min(trials[:5], key=lambda t: t.scores)
        assert trials[5].proposal.parents == (best.number,)
