import numpy as np
import pytest

from archwright.space import Space, choice, integer, real, repeat, subset
from archwright.strategy import Seen
from archwright.strategy.process import Process
from archwright.testing.strategy import TOY
from archwright.trial import Proposal

MIXED = Space({
    "rate": real(0.001, 1.0, log=True),
    "width": integer(1, 100),
    "inputs": subset(("a", "b", "c"), (1, 2)),
    "alone": choice("only"),
    "layers": repeat([choice(1, 2, 3)], (0, 3)),
})  # fmt: skip


def random_episode(process, rng):
    return process.episode(lambda place, steps: int(rng.integers(process.sizes[place])), rng)


@pytest.mark.parametrize("space", [TOY, MIXED])
def test_episodes_end_in_architectures_of_the_space_and_their_steps_lead_back(space):
    process = Process(space, levels=5)
    rng = np.random.default_rng(0)
    for _ in range(100):
        codes = random_episode(process, rng)
        assert space.architecture(codes) in space
        steps = process.steps(codes)
        assert [place for place, _ in steps] == [i for i, c in enumerate(codes) if c >= 0 and process.sizes[i] > 1]
        assert all(0 <= action < process.sizes[place] for place, action in steps)
        again = iter(steps)
        assert process.steps(process.episode(lambda place, _, again=again: next(again)[1], rng)) == steps


def test_the_next_decision_is_live_given_those_before():
    process = Process(Space({"layers": repeat([choice(1, 2)], (0, 2)), "last": choice(1, 2)}))
    assert process.space.decisions[0].name.endswith("times")
    codes = [0]  # no copies: both their decisions are passed over
    assert process.place(codes) == 3
    assert codes == [0, -1, -1]
    assert process.place([1]) == 1


@pytest.mark.parametrize("levels", [2, 3, 7, 8])
def test_parts_of_a_range_cover_it_without_overlap_and_differ_in_size_by_one_at_most(levels):
    process = Process(Space({"x": integer(1, 100)}), levels=levels)
    parts = [process.action(0, code) for code in range(100)]
    assert parts == sorted(parts)
    counts = np.bincount(parts)
    assert len(counts) == levels
    assert counts.max() - counts.min() <= 1
    rng = np.random.default_rng(0)
    assert all(process.action(0, process.code(0, a, rng)) == a for a in range(levels) for _ in range(30))
    drawn = {process.code(0, a, rng) for a in range(levels) for _ in range(2000)}
    assert drawn == set(range(100))


def test_choices_keep_all_their_values():
    assert Process(Space({"x": choice(*range(50))}), levels=4).sizes == (50,)


def test_changing_a_decision_keeps_the_others_and_draws_what_it_switches_on():
    process = Process(TOY)
    rng = np.random.default_rng(1)
    for _ in range(100):
        before = random_episode(process, rng)
        place, _ = process.steps(before)[rng.integers(len(process.steps(before)))]
        after = process.changed(before, place, int(rng.integers(process.sizes[place])), rng)
        assert TOY.architecture(after) in TOY
        assert all(a == b for i, (a, b) in enumerate(zip(before, after, strict=True)) if i != place and min(a, b) >= 0)


def test_depths_are_the_numbers_of_open_copies():
    names = [MIXED.decisions[i].name for i in Process(MIXED).depths()]
    assert names == ["layers/times"]


def test_what_rules_forbid_and_what_is_seen_or_pending_is_passed_over():
    space = Space({"x": choice(1, 2, 3, 4)}).where(lambda a: a["x"] != 1)
    process, pending = Process(space), [Proposal(space.architecture([1]))]
    found = process.first_new(iter([[0], [1], [2], [3]]), Seen(space), pending)
    assert found is not None
    assert found["x"] == 3
    assert process.first_new(iter([[0], [1]]), Seen(space), pending) is None


def test_one_level_is_refused():
    with pytest.raises(ValueError, match="levels must be at least 2, got 1"):
        Process(TOY, levels=1)
