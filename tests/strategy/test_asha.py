import numpy as np
import pytest

from archwright.strategy import ASHA, Random, RegularizedEvolution
from archwright.testing import MultiFidelityContract
from archwright.testing.fidelity import learning, spent
from archwright.testing.strategy import TOY, run, toy


class TestASHA(MultiFidelityContract):
    def make(self, space):
        return ASHA(Random(space), max_epochs=27)

    def test_one_in_three_of_every_rung_goes_on_and_they_are_its_best(self):
        trials = run(self.make(TOY), TOY, n=300, measure=learning)
        by_rung = {r: [t for t in trials if t.proposal.epochs == r] for r in (1, 3, 9, 27)}
        for low, high in ((1, 3), (3, 9), (9, 27)):
            n, gone = len(by_rung[low]), {t.proposal.continues for t in by_rung[high]}
            # Who went on early may turn out not to be among the best: of n about the root of n do (section 3.3).
            assert n // 3 - 1 <= len(gone) <= n / 3 + n**0.5
            best = sorted((t for t in by_rung[low] if t.number < 290), key=lambda t: t.scores)[: n // 3 - 5]
            assert {t.number for t in best} <= gone

    def test_it_never_waits(self):
        trials = run(self.make(TOY), TOY, n=100, workers=90, measure=learning)
        assert [t.proposal.epochs for t in trials[:90]] == [1] * 90

    def test_around_random_it_finds_as_good_an_architecture_for_a_quarter_of_the_epochs(self):
        # The best full score among 81 architectures trained in full, against the best that ASHA trained in full with as
        # many architectures. Over 20 seeds, ties count as won; 15 of 20 happen by chance in 2 of 100 runs.
        won = 0
        for seed in range(20):
            every = run(Random(TOY), TOY, n=81, seed=seed)
            ours = run(self.make(TOY), TOY, n=81 + 27 + 9 + 3, seed=seed, measure=learning)
            assert spent(ours) <= 81 * 27 / 4
            full = [t for t in ours if t.proposal.epochs == 27]
            best = min(toy(t.architecture).metrics["loss"] for t in full)
            cut = np.quantile([t.scores[0] for t in every], 0.05)
            won += best <= cut
        assert won >= 15

    def test_evolution_inside_learns_from_the_highest_rung_with_enough_results(self):
        inner = RegularizedEvolution(TOY, population_size=8, tournament_size=4)
        trials = run(ASHA(inner, max_epochs=27, enough=8), TOY, n=150, measure=learning)
        late = [t for t in trials[100:] if t.proposal.continues is None and t.proposal.parents]
        assert len(late) > 15
        assert all(trials[t.proposal.parents[0]].proposal.epochs >= 9 for t in late)

    def test_evolution_inside_beats_random_inside(self):
        # A one-sided sign test at 20 pairs: 15 or more are won by chance in 2 of 100 runs.
        wins = 0
        for seed in range(20):
            evolving = ASHA(RegularizedEvolution(TOY, population_size=20, tournament_size=5), max_epochs=27)
            ours, random = (run(s, TOY, n=150, seed=seed, measure=learning) for s in (evolving, self.make(TOY)))
            wins += min(t.scores for t in ours) <= min(t.scores for t in random)
        assert wins >= 15

    def test_what_it_is_around_is_never_told_itself(self):
        inner = Random(TOY)
        strategy = ASHA(inner, max_epochs=27)
        assert strategy.strategy is inner
        run(strategy, TOY, n=20)
        assert not inner._seen._keys

    def test_rungs_are_laid_down_from_the_full_training(self):
        assert ASHA(Random(TOY), max_epochs=60, min_epochs=2).rungs == (2, 7, 20, 60)
        assert ASHA(Random(TOY), max_epochs=5, min_epochs=4).rungs == (5,)

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"max_epochs": 0}, "max_epochs must be a whole number of at least 1, got 0"),
            ({"max_epochs": 9.5}, "max_epochs must be a whole number"),
            ({"max_epochs": 9, "min_epochs": 10}, "min_epochs must be at most max_epochs"),
            ({"max_epochs": 9, "reduction": 1}, "reduction must be a whole number of at least 2, got 1"),
            ({"max_epochs": 9, "enough": 0}, "enough must be"),
        ],
    )
    def test_arguments_that_make_no_sense_are_refused(self, wrong, said):
        with pytest.raises(ValueError, match=said):
            ASHA(Random(TOY), **wrong)

    def test_a_strategy_that_does_not_keep_its_arguments_is_refused(self):
        class Forgetful(Random):
            def __init__(self, space, *, wanted):
                super().__init__(space)

        with pytest.raises(TypeError, match="keeps no attribute 'wanted'"):
            ASHA(Forgetful(TOY, wanted=1), max_epochs=9)
