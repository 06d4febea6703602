"""What every strategy promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from archwright.errors import SpaceExhaustedError
from archwright.objective import Objectives, at_most, minimize
from archwright.space import Architecture, Space, choice, integer, repeat, searchable
from archwright.strategy import Strategy
from archwright.trial import Measurement, Proposal, Trial

__all__ = ["StrategyContract", "run"]

_layer = searchable(lambda width, kernel: (width, kernel))
TOY = Space({
    "layers": repeat(_layer(choice(8, 16, 32, 64), choice(1, 3, 5)), (1, 3)),
    "activation": choice("relu", "silu", "tanh"),
    "dropout": integer(0, 4),
})  # fmt: skip
ONE = Objectives.of([minimize("loss")])
TWO = Objectives.of([minimize("loss"), minimize("size")])
CAPPED = Objectives.of([minimize("loss"), at_most(params=100)])


def toy(architecture: Architecture) -> Measurement:
    """A smooth loss with one best architecture, and costs that pull the other way."""
    widths = [v for k, v in architecture.items() if k.endswith("width")]
    kernels = [v for k, v in architecture.items() if k.endswith("kernel")]
    loss = (
        abs(sum(widths) - 80) / 80 + abs(architecture["dropout"] - 1) / 4 + 0.1 * (architecture["activation"] != "silu")
    )
    return Measurement({"loss": loss + 0.01 * sum(kernels), "size": float(sum(widths))}, {"params": float(sum(widths))})


def run(
    strategy: Strategy,
    space: Space,
    *,
    n: int,
    seed: int = 0,
    objectives: Objectives = ONE,
    evaluate: Callable[[Architecture], Measurement] = toy,
    workers: int = 1,
    fails: Callable[[int], bool] = lambda number: False,
    history: Sequence[Trial] = (),
    measure: Callable[[Proposal], Measurement] | None = None,
) -> list[Trial]:
    """A search in the fewest lines: up to `workers` proposals pending, told in the order asked.

    With `measure`, in place of `evaluate`, what is measured may depend on how long a proposal is trained.
    """
    trials = list(history)
    told = 0
    asked: list[Proposal] = []
    for number in range(n):
        while told <= number - workers:
            strategy.tell(trials[told])
            told += 1
        if number < len(history):
            asked.append(history[number].proposal)
            continue
        try:
            proposal = strategy.ask(np.random.default_rng([seed, number]), tuple(asked[told:]))
        except SpaceExhaustedError:
            break
        asked.append(proposal)
        measured = evaluate(proposal.architecture) if measure is None else measure(proposal)
        violation = objectives.violation(measured.costs)
        key = space.key(proposal.architecture)
        if fails(number):
            trials.append(Trial(number, proposal, "failed", reason="made to fail", key=key))
        elif violation > 0:
            costs = Measurement(costs=measured.costs)
            trials.append(Trial(number, proposal, "infeasible", costs, violation=violation, key=key))
        else:
            trials.append(Trial(number, proposal, "done", measured, objectives.scores(measured), key=key))
    return trials


def begun(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that do not go on with an earlier one."""
    return [t for t in trials if t.proposal.continues is None]


class StrategyContract(ABC):
    """Subclass it, name the class ``Test...``, and say in `make` how to make your strategy for a space."""

    @abstractmethod
    def make(self, space: Space) -> Strategy:
        """A new strategy for `space`."""

    def test_it_stays_inside_the_space(self) -> None:
        for trial in run(self.make(TOY), TOY, n=60):
            TOY.check(trial.architecture)

    def test_it_keeps_the_rules_of_the_space(self) -> None:
        ruled = TOY.where(lambda a: a["activation"] != "tanh")
        for trial in run(self.make(ruled), ruled, n=60):
            assert trial.architecture["activation"] != "tanh"

    def test_the_same_seed_is_the_same_search(self) -> None:
        assert run(self.make(TOY), TOY, n=40, seed=3) == run(self.make(TOY), TOY, n=40, seed=3)

    def test_another_seed_is_another_search(self) -> None:
        assert run(self.make(TOY), TOY, n=40, seed=3) != run(self.make(TOY), TOY, n=40, seed=4)

    def test_a_resumed_search_is_the_same_search(self) -> None:
        for workers in (1, 3):
            whole = run(self.make(TOY), TOY, n=50, seed=7, workers=workers)
            for cut in (1, 20, 49):
                assert run(self.make(TOY), TOY, n=50, seed=7, workers=workers, history=whole[:cut]) == whole

    def test_asking_twice_changes_nothing(self) -> None:
        strategy = self.make(TOY)
        for trial in run(self.make(TOY), TOY, n=30):
            strategy.tell(trial)
        first, second = (strategy.ask(np.random.default_rng(5)) for _ in range(2))
        assert first == second

    def test_it_works_with_pending_trials_and_proposes_none_of_them(self) -> None:
        trials = run(self.make(TOY), TOY, n=40, workers=8)
        for i, trial in enumerate(trials):
            pending = {t.key for t in trials[max(0, i - 7) : i]}
            assert trial.key not in pending or trial.proposal.continues is not None

    def test_it_survives_failed_trials(self) -> None:
        trials = run(self.make(TOY), TOY, n=40, fails=lambda number: number % 3 == 0)
        assert sum(t.status == "done" for t in trials) > 20

    def test_it_survives_nothing_but_failures(self) -> None:
        assert len(run(self.make(TOY), TOY, n=40, fails=lambda number: True)) == 40

    def test_it_survives_infeasible_trials(self) -> None:
        trials = run(self.make(TOY), TOY, n=60, objectives=CAPPED)
        assert {t.status for t in trials} == {"done", "infeasible"}

    def test_it_serves_several_goals(self) -> None:
        trials = run(self.make(TOY), TOY, n=60, objectives=TWO)
        assert all(len(t.scores or ()) == 2 for t in trials)

    def test_a_space_of_one_architecture_is_proposed_and_then_exhausted(self) -> None:
        single = Space({"activation": choice("relu")})
        trials = run(self.make(single), single, n=5, evaluate=lambda a: Measurement({"loss": 1.0}))
        assert [dict(t.architecture) for t in begun(trials)] == [{"activation": "relu"}]

    def test_it_says_so_when_a_finite_space_is_exhausted(self) -> None:
        small = Space({"a": choice(1, 2, 3), "b": choice(1, 2)})
        strategy = self.make(small)
        trials = run(strategy, small, n=30, evaluate=lambda a: Measurement({"loss": float(a["a"] * a["b"])}))
        assert len({t.key for t in trials}) == 6
        assert len(begun(trials)) == 6
