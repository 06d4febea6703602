"""What every strategy promises that trains for few epochs first and goes on with some."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from archwright.objective import Objectives, minimize
from archwright.space import Architecture
from archwright.testing.strategy import CAPPED, TOY, TWO, StrategyContract, run, toy
from archwright.trial import Measurement, Proposal, Trial

__all__ = ["MultiFidelityContract", "learning", "spent"]

LOSS = Objectives.of([minimize("loss")])


def learning(proposal: Proposal) -> Measurement:
    """The toy loss, reached along a power law whose speed is the architecture's own: curves cross now and then."""
    full = toy(proposal.architecture)
    epochs = proposal.epochs or math.inf
    haste = _between(proposal.architecture, 0)
    loss = full.metrics["loss"] + (0.5 + haste) * epochs ** -(0.5 + haste)
    return Measurement({**full.metrics, "loss": loss}, full.costs)


def _between(architecture: Architecture, salt: int) -> float:
    """A number in 0..1 that is the architecture's own."""
    return float(np.random.default_rng([salt, int(TOY.key(architecture), 16)]).random())


def spent(trials: Sequence[Trial]) -> int:
    """Epochs trained in all, where whoever goes on pays only for those that are added."""
    reached = {t.number: t.proposal.epochs or 0 for t in trials}
    return sum(reached[t.number] - reached.get(t.proposal.continues or 0, 0) * _goes_on(t) for t in trials)


def _goes_on(trial: Trial) -> bool:
    return trial.proposal.continues is not None


class MultiFidelityContract(StrategyContract):
    """`make` shall give a strategy of at most 27 epochs, 1 at least."""

    def test_epochs_lie_between_the_shortest_and_the_full_training(self) -> None:
        rungs = self.make(TOY).rungs
        assert rungs[-1] == 27
        for workers in (1, 4):
            assert {t.proposal.epochs for t in run(self.make(TOY), TOY, n=150, workers=workers)} <= {*rungs}

    def test_one_is_trained_in_full_before_long(self) -> None:
        for workers in (1, 4):
            trials = run(self.make(TOY), TOY, n=150, workers=workers, measure=learning)
            assert any(t.proposal.epochs == 27 for t in trials)

    def test_it_goes_on_with_what_was_measured_once_and_to_more_epochs(self) -> None:
        for workers in (1, 4):
            trials = run(
                self.make(TOY), TOY, n=150, workers=workers, measure=learning, fails=lambda number: number % 7 == 3
            )
            going = [t for t in trials if t.proposal.continues is not None]
            assert len(going) > 20
            assert len({t.proposal.continues for t in going}) == len(going), "nothing goes on twice"
            for trial in going:
                before = trials[trial.proposal.continues or 0]
                assert before.status == "done"
                assert before.number <= trial.number - workers, "it was told before"
                assert before.architecture == trial.architecture
                assert (before.proposal.epochs or 0) < (trial.proposal.epochs or 0)

    def test_whoever_exceeds_a_ceiling_never_goes_on(self) -> None:
        trials = run(self.make(TOY), TOY, n=150, objectives=CAPPED, measure=learning)
        assert all(trials[t.proposal.continues].status == "done" for t in trials if t.proposal.continues is not None)

    def test_more_workers_than_a_rung_has_room_for_are_all_given_work(self) -> None:
        trials = run(self.make(TOY), TOY, n=200, workers=40, measure=learning)
        assert len(trials) == 200

    def test_several_goals_do_not_stop_it_from_going_on(self) -> None:
        trials = run(self.make(TOY), TOY, n=150, objectives=TWO, measure=learning)
        assert any(t.proposal.epochs == 27 for t in trials)

    def test_a_resumed_search_is_the_same_search_where_scores_depend_on_epochs(self) -> None:
        for workers in (1, 5):
            whole = run(self.make(TOY), TOY, n=100, seed=7, workers=workers, measure=learning)
            again = run(self.make(TOY), TOY, n=100, seed=7, workers=workers, measure=learning, history=whole[:61])
            assert again == whole

    def test_trials_of_an_earlier_search_are_learnt_from_and_not_continued_from_weights_that_are_gone(self) -> None:
        strategy = self.make(TOY)
        for i in range(-60, 0):
            architecture = TOY.sample(np.random.default_rng(-i))
            proposal = Proposal(architecture, epochs=(1, 3, None)[i % 3])
            measured = learning(proposal)
            strategy.tell(Trial(i, proposal, "done", measured, LOSS.scores(measured), key=TOY.key(architecture)))
        trials = run(strategy, TOY, n=60, measure=learning)
        assert all(t.proposal.continues is None or t.proposal.continues >= 0 for t in trials)
        reached: dict[str, int] = {}
        for trial in trials:
            assert (trial.proposal.epochs or 0) > reached.get(trial.key, 0)
            reached[trial.key] = trial.proposal.epochs or 0
