import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archwright.errors import ObjectiveError
from archwright.objective import best, dominates, latest, non_dominated_rank, pareto_front, ranked
from archwright.space import Architecture
from archwright.trial import Proposal, Trial

NOTHING = Proposal(Architecture({}))


def trial(number, *scores, violation=0.0, status="done"):
    return Trial(number, NOTHING, status, scores=scores or None, violation=violation)


def failed(number):
    return trial(number, status="failed")


def refused(number, violation):
    return trial(number, violation=violation, status="infeasible")


coarse = st.integers(0, 3).map(float)
kinds = st.one_of(
    st.builds(lambda a, b: (trial, (a, b), {}), coarse, coarse),
    st.builds(lambda a, b, v: (trial, (a, b), {"violation": v}), coarse, coarse, coarse),
    st.builds(lambda v: (refused, (v,), {}), coarse),
    st.just((failed, (), {})),
)
trials = st.lists(kinds, max_size=12).map(lambda ks: [make(i, *args, **kw) for i, (make, args, kw) in enumerate(ks)])


@given(trials)
def test_dominance_is_a_strict_partial_order(them):
    for a in them:
        assert not dominates(a, a)
    for a, b in itertools.product(them, repeat=2):
        assert not (dominates(a, b) and dominates(b, a))
    for a, b, c in itertools.product(them, repeat=3):
        if dominates(a, b) and dominates(b, c):
            assert dominates(a, c)


@given(trials)
def test_members_of_a_front_do_not_dominate_each_other_and_a_front_before_dominates_them(them):
    ranks = non_dominated_rank(them)
    for i, a in enumerate(them):
        assert not any(dominates(b, a) for j, b in enumerate(them) if ranks[j] >= ranks[i])
        if ranks[i] > 0:
            assert any(dominates(b, a) for j, b in enumerate(them) if ranks[j] == ranks[i] - 1)


@given(trials)
def test_the_pareto_front_is_what_no_trial_dominates_among_those_within_the_ceilings(them):
    front = pareto_front(them)
    within = [t for t in them if t.status == "done" and t.violation == 0]
    assert {t.number for t in front} == {t.number for t in within if not any(dominates(o, t) for o in them)}
    assert [t.scores for t in front] == sorted(t.scores for t in front)


@given(trials)
def test_the_leaderboard_holds_every_trial_once_and_never_puts_worse_above_better(them):
    order = ranked(them)
    assert sorted(t.number for t in order) == list(range(len(them)))
    for above, below in itertools.combinations(order, 2):
        assert not dominates(below, above)
    assert ranked(reversed(them)) == order


@given(trials)
def test_the_best_is_on_the_front(them):
    front, chosen = pareto_front(them), best(them)
    assert (chosen is None) == (not front)
    assert chosen is None or chosen in front


def test_a_trial_within_the_ceilings_beats_a_better_one_beyond_them():
    assert dominates(trial(0, 9.0, 9.0), trial(1, 0.0, 0.0, violation=0.01))
    assert dominates(trial(0, 9.0, 9.0, violation=0.1), trial(1, 0.0, 0.0, violation=0.2))
    assert dominates(refused(0, 5.0), failed(1))
    assert dominates(trial(0, 9.0), refused(1, 0.0))
    assert not dominates(trial(0, 1.0, 2.0), trial(1, 2.0, 1.0))


def test_with_one_goal_the_leaderboard_is_by_score_and_failures_are_last():
    them = [failed(0), refused(1, 0.5), trial(2, -0.8), trial(3, -0.9), refused(4, 0.1), trial(5, -0.9)]
    assert [t.number for t in ranked(them)] == [3, 5, 2, 4, 1, 0]
    assert best(them).number == 3


def test_with_several_goals_the_lonelier_of_a_front_comes_first():
    them = [trial(0, 0.0, 10.0), trial(1, 1.0, 8.0), trial(2, 1.2, 7.9), trial(3, 10.0, 0.0), trial(4, 11.0, 11.0)]
    assert [t.number for t in ranked(them)] == [0, 3, 2, 1, 4]


def test_with_several_goals_the_best_is_the_knee():
    assert best([trial(0, 0.0, 10.0), trial(1, 1.0, 1.0), trial(2, 10.0, 0.0)]).number == 1


def test_trials_of_different_searches_cannot_be_compared():
    with pytest.raises(ObjectiveError, match="goals"):
        ranked([trial(0, 1.0), trial(1, 1.0, 2.0)])


def after(number, epochs, *scores, continues=None, status="done"):
    return Trial(number, Proposal(Architecture({}), epochs, continues), status, scores=scores or None)


def test_longer_trainings_come_first_and_no_length_is_as_long_as_the_longest():
    them = [after(0, 1, 0.1), after(1, 9, 0.5), after(2, None, 0.4), after(3, 3, 0.2), after(4, 9)]
    assert [t.number for t in ranked(them)] == [2, 1, 3, 0, 4]
    assert [t.number for t in pareto_front(them)] == [2]
    assert best(them).number == 2


def test_the_latest_are_those_that_no_measured_trial_goes_on_with():
    them = [
        after(0, 1, 0.1),
        after(1, 3, 0.1, continues=0),
        after(2, 1, 0.2),
        after(3, 3, continues=2, status="failed"),
    ]
    assert [t.number for t in latest(them)] == [1, 2, 3]
