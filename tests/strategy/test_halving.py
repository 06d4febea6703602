import pytest

from archwright.strategy import Random, SuccessiveHalving
from archwright.testing import MultiFidelityContract
from archwright.testing.fidelity import learning, spent
from archwright.testing.strategy import TOY, run, toy


class TestSuccessiveHalving(MultiFidelityContract):
    def make(self, space):
        return SuccessiveHalving(Random(space), max_epochs=27)

    def test_every_rung_spends_the_same_epochs(self):
        trials = run(self.make(TOY), TOY, n=27 + 9 + 3 + 1, measure=learning)
        per_rung = {r: r * sum(t.proposal.epochs == r for t in trials) for r in (1, 3, 9, 27)}
        assert per_rung == {1: 27, 3: 27, 9: 27, 27: 27}
        assert spent(trials) == 27 + 2 * 9 + 6 * 3 + 18

    def test_who_goes_on_are_the_best_of_their_rung(self):
        trials = run(self.make(TOY), TOY, n=40, measure=learning)
        for low, high in ((1, 3), (3, 9), (9, 27)):
            rung = sorted((t for t in trials if t.proposal.epochs == low), key=lambda t: t.scores)
            gone = {t.proposal.continues for t in trials if t.proposal.epochs == high}
            assert gone == {t.number for t in rung[: len(rung) // 3]}

    def test_while_a_rung_waits_idle_workers_begin_the_next_bracket(self):
        trials = run(self.make(TOY), TOY, n=60, workers=6, measure=learning)
        assert [t.proposal.epochs for t in trials[:32]] == [1] * 32
        assert [t.proposal.epochs for t in trials[32:41]] == [3] * 9
        first = trials[:27]
        nine = {t.proposal.continues for t in trials[32:41]}
        assert nine == {t.number for t in sorted(first, key=lambda t: t.scores)[:9]}

    def test_a_rung_with_failures_ends_all_the_same(self):
        trials = run(self.make(TOY), TOY, n=40, measure=learning, fails=lambda n: n < 20)
        assert [t.proposal.epochs for t in trials[27:34]] == [3] * 7
        assert all(t.proposal.continues is None for t in trials[:27])

    def test_its_choice_is_good(self):
        # The one architecture trained in full is among the best tenth of its bracket by the scores of full trainings:
        # by chance that happens once in nine, so 12 of 20 in less than 1 of 10,000 runs.
        won = 0
        for seed in range(20):
            trials = run(self.make(TOY), TOY, n=40, seed=seed, measure=learning)
            full = sorted(toy(t.architecture).metrics["loss"] for t in trials[:27])
            (last,) = [t for t in trials if t.proposal.epochs == 27]
            won += toy(last.architecture).metrics["loss"] <= full[2]
        assert won >= 12

    def test_too_few_architectures_for_its_rungs_are_refused(self):
        with pytest.raises(ValueError, match="architectures must be at least 27"):
            SuccessiveHalving(Random(TOY), max_epochs=27, architectures=26)
        assert SuccessiveHalving(Random(TOY), max_epochs=27, architectures=30)
