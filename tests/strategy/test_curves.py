import numpy as np
import pytest

from archwright.strategy import CurveStopping, Random
from archwright.strategy.curves import optimistic
from archwright.testing import MultiFidelityContract
from archwright.testing.fidelity import learning, spent
from archwright.testing.strategy import TOY, run


class TestCurveStopping(MultiFidelityContract):
    def make(self, space):
        return CurveStopping(Random(space), max_epochs=27, chance=0.2)

    def test_the_first_are_trained_in_full_and_most_later_ones_are_not(self):
        trials = run(CurveStopping(Random(TOY), max_epochs=27), TOY, n=200, measure=learning)
        assert [t.proposal.epochs for t in trials[:36]] == [1, 3, 9, 27] * 9
        begun = sum(t.proposal.continues is None for t in trials[36:])
        full = sum(t.proposal.epochs == 27 for t in trials[36:])
        assert full < 0.35 * begun
        assert spent(trials) < 0.6 * 27 * (begun + 9)

    def test_it_stops_the_eventual_best_no_more_often_than_it_says(self):
        # 60 searches of 40 architectures each: how often is the one that would be the best at the end, of all, not
        # trained to the end? It passes three checks, each with odds of 0.1: at most 0.3, and by chance above 0.45 in
        # less than 1 of 100 times.
        lost = 0
        for seed in range(60):
            trials = run(CurveStopping(Random(TOY), max_epochs=27), TOY, n=70, seed=seed, measure=learning)
            begun = {t.key: t for t in trials if t.proposal.continues is None}
            full = {t.key for t in trials if t.proposal.epochs == 27}
            ends = {t.key: learning(type(t.proposal)(t.architecture, 27)).metrics["loss"] for t in begun.values()}
            lost += min(ends, key=lambda key: ends[key]) not in full
        assert lost / 60 <= 0.45

    def test_an_optimistic_end_is_beaten_as_rarely_as_promised(self):
        # Early and final scores correlate; the odds that a final score is better than the r-th largest gain allows are
        # about r / (n + 1): here 2 / 20 over 2,000 draws, whose standard deviation is 0.007.
        rng = np.random.default_rng(0)
        beaten = 0
        for _ in range(2000):
            early = rng.normal(size=20)
            final = 0.6 * early + rng.normal(size=20) * 0.5
            beaten += final[-1] < optimistic(early[:-1], final[:-1], early[-1], 2)
        assert 0.07 < beaten / 2000 < 0.13

    def test_whoever_goes_on_comes_before_new_architectures(self):
        trials = run(CurveStopping(Random(TOY), max_epochs=27), TOY, n=12, workers=3, measure=learning)
        assert [t.proposal.epochs for t in trials] == [1, 1, 1, 3, 3, 3, 9, 9, 9, 27, 27, 27]

    @pytest.mark.parametrize("chance", [0, 0.5, -1])
    def test_odds_that_make_no_sense_are_refused(self, chance):
        with pytest.raises(ValueError, match=r"chance must lie above 0 and below 0\.5"):
            CurveStopping(Random(TOY), max_epochs=9, chance=chance)
