import numpy as np
import pytest

pytest.importorskip("optuna")

from archwright.strategy import BOHB
from archwright.testing import MultiFidelityContract
from archwright.testing.fidelity import learning
from archwright.testing.strategy import TOY, run, toy


class TestBOHB(MultiFidelityContract):
    def make(self, space):
        return BOHB(space, max_epochs=27)

    def test_a_share_of_its_architectures_is_random(self):
        trials = run(BOHB(TOY, max_epochs=3, random_share=0.5), TOY, n=200, measure=learning)
        begun = [t for t in trials if t.proposal.continues is None]
        random = sum(t.proposal.origin == "random" for t in begun)
        # Of about 150 architectures half, give or take 5 standard deviations.
        assert abs(random - len(begun) / 2) < 5 * (len(begun) / 4) ** 0.5

    def test_its_model_proposes_better_architectures_than_chance(self):
        # Medians of the full loss of what the model proposed after 60 trials, and of what was drawn at random in the
        # same search; a one-sided sign test at 6 pairs wins all by chance in 2 of 100 runs.
        for seed in range(6):
            late = run(BOHB(TOY, max_epochs=9), TOY, n=140, seed=seed, measure=learning)[60:]
            loss = {"random": [], "model": []}
            for trial in late:
                if trial.proposal.continues is None:
                    by = "random" if trial.proposal.origin == "random" else "model"
                    loss[by].append(toy(trial.architecture).metrics["loss"])
            assert np.median(loss["model"]) < np.median(loss["random"])

    def test_a_share_that_is_none_is_refused(self):
        with pytest.raises(ValueError, match=r"random_share must lie in 0\.\.1, got 2"):
            BOHB(TOY, max_epochs=9, random_share=2)
