import numpy as np
import pytest

from archwright.space import Space, choice
from archwright.strategy import Random
from archwright.strategy.editing import Edit, Editing
from archwright.testing import StrategyContract
from archwright.testing.strategy import TOY, run
from archwright.trial import Measurement, Proposal, Trial

FLAT = Space({f"d{i}": choice(0, 1, 2, 3) for i in range(6)})


class TestEditing(StrategyContract):
    def make(self, space):
        return Editing(space, initial=5)

    def test_it_walks_only_to_neighbours_and_names_the_parent(self):
        trials = run(self.make(TOY), TOY, n=80)
        children = [t for t in trials if t.proposal.parents]
        assert len(children) > 60
        for child in children:
            (parent,) = child.proposal.parents
            before, after = TOY.codes([trials[parent].architecture, child.architecture]).tolist()
            changed = [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b and min(a, b) >= 0]
            assert len(changed) == 1  # all else that differs was switched on or off
            if TOY.decisions[changed[0]].name == "layers/times":
                assert abs(before[changed[0]] - after[changed[0]]) == 1
                assert child.proposal.origin.startswith(("add layers/times", "remove layers/times"))
            else:
                assert child.proposal.origin.startswith("change")

    def test_edits_are_those_that_the_architecture_allows(self):
        strategy = Editing(TOY)
        depth = next(i for i, d in enumerate(TOY.decisions) if d.name == "layers/times")
        for times, kinds in ((0, {"add"}), (1, {"add", "remove"}), (2, {"remove"})):
            codes = strategy._process.changed(TOY.codes([TOY.sample(np.random.default_rng(0))])[0].tolist(), depth,
                                              times, np.random.default_rng(1))  # fmt: skip
            edits = strategy.edits(codes)
            assert {e.kind for e in edits if e.place == depth} == kinds
            assert all(codes[e.place] >= 0 for e in edits)
            assert all(e.action != codes[e.place] for e in edits if e.kind == "change")
            live = [i for i, c in enumerate(codes) if c >= 0 and i != depth]
            assert sum(e.kind == "change" for e in edits) == sum(TOY.decisions[i].size - 1 for i in live)

    def test_an_edit_that_helped_is_likelier_and_one_that_harmed_is_not(self):
        for score, sign in ((0.0, 1), (2.0, -1)):
            strategy = Editing(FLAT, scale="range")
            for number, (codes, loss) in enumerate((([0] * 6, 1.0), ([3] * 6, 2.0), ([2] * 6, 0.0))):
                strategy.tell(Trial(number, Proposal(FLAT.architecture(codes)), "done", Measurement(), (loss,)))
            edits = strategy.edits([0] * 6)
            made = edits.index(Edit("change", 0, 1))
            before = strategy.policy(edits)
            assert before == pytest.approx(np.full(18, 1 / 18))
            child = Proposal(FLAT.architecture([1, 0, 0, 0, 0, 0]), parents=(0,))
            strategy.tell(Trial(3, child, "done", Measurement(), (score,)))
            assert np.sign(strategy.policy(edits)[made] - before[made]) == sign
            assert strategy.policy(edits).sum() == pytest.approx(1)

    def test_it_learns_which_edits_are_worth_while(self):
        # Only value 3 is of use, at the first three decisions: the policy prefers it there to values of no use.
        loss = lambda a: Measurement({"loss": -float(sum(v == 3 for v in list(a.values())[:3]))})  # noqa: E731
        strategy = Editing(FLAT)
        trials = run(strategy, FLAT, n=60, evaluate=loss)
        for trial in trials[-1:]:
            strategy.tell(trial)
        edits = strategy.edits([0] * 6)
        p = dict(zip(edits, strategy.policy(edits), strict=True))
        for place in range(3):
            assert p[Edit("change", place, 3)] > max(p[Edit("change", place, 1)], p[Edit("change", place, 2)])

    def test_it_beats_random_search(self):
        # A one-sided sign test at 20 pairs fails by chance in less than 1 of 1,000 runs when 17 or more are won.
        wins = 0
        for seed in range(20):
            ours = min(t.scores[0] for t in run(self.make(TOY), TOY, n=60, seed=seed))
            random = min(t.scores[0] for t in run(Random(TOY), TOY, n=60, seed=seed))
            wins += ours <= random
        assert wins >= 17

    def test_trials_whose_parent_is_unknown_move_no_preference(self):
        strategy = Editing(FLAT)
        strategy.tell(Trial(9, Proposal(FLAT.architecture([1] * 6), parents=(3,)), "done", Measurement(), (0.0,)))
        assert not strategy._preferences

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"initial": 0}, "initial must be at least 1, got 0"),
            ({"parents": 0}, "parents must be at least 1, got 0"),
            ({"tries": 0}, "tries must be at least 1, got 0"),
            ({"learning_rate": 0.0}, "learning_rate"),
            ({"decay": 1.0}, "decay"),
        ],
    )
    def test_arguments_that_make_no_sense_are_refused(self, settings, message):
        with pytest.raises(ValueError, match=message):
            Editing(TOY, **settings)
