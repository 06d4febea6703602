from archwright.strategy import Hyperband, Random
from archwright.strategy.hyperband import brackets_of
from archwright.testing import MultiFidelityContract
from archwright.testing.fidelity import learning
from archwright.testing.strategy import TOY, run

FIVE = [
    ((81, 27, 9, 3, 1), (1, 3, 9, 27, 81)),
    ((34, 11, 3, 1), (3, 9, 27, 81)),
    ((15, 5, 1), (9, 27, 81)),
    ((8, 2), (27, 81)),
    ((5,), (81,)),
]
"""What Algorithm 1 gives for R = 81, eta = 3: Table 1."""


class TestHyperband(MultiFidelityContract):
    def make(self, space):
        return Hyperband(Random(space), max_epochs=27)

    def test_the_brackets_are_those_of_the_paper(self):
        assert [(b.sizes, b.epochs) for b in brackets_of((1, 3, 9, 27, 81), 3)] == FIVE

    def test_it_runs_through_all_brackets_in_turn_and_again(self):
        n = sum(sum(sizes) for sizes, _ in FIVE)
        trials = run(Hyperband(Random(TOY), max_epochs=81), TOY, n=2 * n, measure=learning)
        for trials_of_round in (trials[:n], trials[n:]):
            at = 0
            for sizes, epochs in FIVE:
                for size, length in zip(sizes, epochs, strict=True):
                    assert [t.proposal.epochs for t in trials_of_round[at : at + size]] == [length] * size
                    at += size

    def test_every_bracket_costs_about_the_same(self):
        costs = [sum(n * r for n, r in zip(sizes, epochs, strict=True)) for sizes, epochs in FIVE]
        assert max(costs) <= 1.4 * min(costs)

    def test_idle_workers_go_to_later_brackets(self):
        trials = run(Hyperband(Random(TOY), max_epochs=27), TOY, n=60, workers=10, measure=learning)
        assert [t.proposal.epochs for t in trials[:36]] == [1] * 27 + [3] * 9
        assert all(t.proposal.continues is None for t in trials[:36])
        assert all(t.proposal.continues is not None for t in trials[36:45])
