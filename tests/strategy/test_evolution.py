import numpy as np
import pytest

from archwright.strategy import Random, RegularizedEvolution
from archwright.testing import StrategyContract
from archwright.testing.strategy import CAPPED, TOY, run
from archwright.trial import Measurement, Proposal, Trial


def done(number, loss):
    architecture = TOY.sample(np.random.default_rng(number))
    return Trial(
        number, Proposal(architecture), "done", Measurement({"loss": loss}), (loss,), key=TOY.key(architecture)
    )


class TestRegularizedEvolution(StrategyContract):
    def make(self, space):
        return RegularizedEvolution(space, population_size=8, tournament_size=3)

    def test_the_oldest_dies_even_if_it_is_the_best(self):
        strategy = RegularizedEvolution(TOY, population_size=8, tournament_size=8)
        for number in range(9):
            strategy.tell(done(number, loss=float(number)))
        parents = {strategy.ask(np.random.default_rng(i)).parents for i in range(30)}
        assert parents == {(1,)}

    def test_parents_are_named_and_differ_in_one_decision_and_what_it_switches_on(self):
        trials = run(self.make(TOY), TOY, n=60)
        children = [t for t in trials if t.proposal.parents]
        assert len(children) > 40
        for child in children:
            (parent,) = child.proposal.parents
            assert child.proposal.origin == f"mutation of {parent}"
            changed = child.architecture.differs(trials[parent].architecture)
            assert len(changed) == 1 or "layers/times" in changed

    def test_it_beats_random_search(self):
        # Medians of the best loss after 80 trials over 20 seeds; a one-sided sign test at 20 pairs fails by chance
        # in less than 1 of 1,000 runs when 17 or more of 20 are won.
        wins = 0
        for seed in range(20):
            ours = min(t.scores[0] for t in run(self.make(TOY), TOY, n=80, seed=seed))
            random = min(t.scores[0] for t in run(Random(TOY), TOY, n=80, seed=seed))
            wins += ours <= random
        assert wins >= 17

    def test_infeasible_trials_do_not_age_others_out(self):
        trials = run(self.make(TOY), TOY, n=120, objectives=CAPPED)
        late = [t for t in trials[60:] if t.proposal.parents]
        assert late
        assert all(trials[t.proposal.parents[0]].status == "done" for t in late)

    @pytest.mark.parametrize("sizes", [(0, 1), (5, 6), (5, 0)])
    def test_sizes_that_make_no_sense_are_refused(self, sizes):
        with pytest.raises(ValueError, match="tournament_size"):
            RegularizedEvolution(TOY, population_size=sizes[0], tournament_size=sizes[1])

    def test_it_begins_with_what_it_is_given(self):
        given = [TOY.sample(np.random.default_rng(i)) for i in (7, 8, 7)]
        strategy = RegularizedEvolution(TOY, population_size=8, tournament_size=3, examples=given)
        trials = run(strategy, TOY, n=12, workers=2)
        assert [t.architecture for t in trials[:2]] == given[:2]
        assert [t.proposal.origin for t in trials[:3]] == ["given to begin with"] * 2 + ["random"]
