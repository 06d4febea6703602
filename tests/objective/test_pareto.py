import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from archwright.errors import ObjectiveError
from archwright.objective import crowding_distance, hypervolume, knee, non_dominated_sort
from archwright.objective.pareto import _volume

# Small whole numbers make ties and duplicates common: where such algorithms break.
coarse = st.integers(0, 5).map(float)


def points(n_goals=st.integers(1, 4), most=25):
    return n_goals.flatmap(lambda k: st.integers(1, most).flatmap(lambda n: arrays(float, (n, k), elements=coarse)))


def dominated_by(a, b):
    return bool((b <= a).all() and (b < a).any())


def peeled(array):
    """Fronts by their definition: peel off what nothing left dominates."""
    ranks, left, rank = np.full(len(array), -1), list(range(len(array))), 0
    while left:
        front = [i for i in left if not any(dominated_by(array[i], array[j]) for j in left)]
        ranks[front], left, rank = rank, [i for i in left if i not in front], rank + 1
    return ranks


@given(points())
def test_sorting_gives_the_fronts_of_the_definition(array):
    assert non_dominated_sort(array).tolist() == peeled(array).tolist()


@given(points(), st.randoms(use_true_random=False))
def test_the_order_of_points_does_not_matter_to_their_fronts(array, random):
    order = list(range(len(array)))
    random.shuffle(order)
    assert non_dominated_sort(array[order]).tolist() == non_dominated_sort(array)[order].tolist()


def test_no_points_have_no_fronts():
    assert non_dominated_sort([]).tolist() == []
    assert crowding_distance([]).tolist() == []
    assert hypervolume([], [1, 1]) == 0


def test_ten_thousand_points_are_sorted_alike_by_both_algorithms():
    array = np.random.default_rng(0).random((10_000, 2))
    padded = np.column_stack([array, np.zeros(len(array))])  # a third goal that tells nothing
    assert (non_dominated_sort(array) == non_dominated_sort(padded)).all()


def test_points_must_be_a_table_of_numbers():
    with pytest.raises(ObjectiveError, match="shape"):
        non_dominated_sort([1.0, 2.0])
    with pytest.raises(ObjectiveError, match="NaN"):
        non_dominated_sort([[1.0, float("nan")]])
    with pytest.raises(ObjectiveError, match="shape"):
        hypervolume([[1.0, 2.0]], [1, 1, 1])
    with pytest.raises(ObjectiveError, match="finite"):
        hypervolume([[1.0, 2.0]], [1, float("inf")])


def test_crowding_is_worked_out_as_in_the_paper():
    assert crowding_distance([[0, 10], [2, 6], [3, 5], [10, 0]]).tolist() == pytest.approx([np.inf, 0.8, 1.4, np.inf])
    assert crowding_distance([[3, 3]]).tolist() == [np.inf]
    assert crowding_distance([[3, 3]] * 4).tolist() == [0] * 4
    assert crowding_distance([[0, 7], [1, 7], [4, 7]]).tolist() == [np.inf, 1, np.inf]


@given(points(n_goals=st.integers(2, 4), most=10), arrays(float, 4, elements=coarse))
def test_a_further_point_never_shrinks_the_hypervolume(array, extra):
    corner = np.full(array.shape[1], 6.0)
    before = hypervolume(array, corner)
    after = hypervolume(np.vstack([array, extra[: array.shape[1]]]), corner)
    assert after >= before - 1e-9
    covered = (array <= extra[: array.shape[1]]).all(axis=1).any()
    assert (after > before + 1e-9) != covered


@given(points(n_goals=st.integers(1, 4), most=10))
def test_dominated_points_add_nothing_to_the_hypervolume(array):
    corner = np.full(array.shape[1], 5.5)
    front = array[non_dominated_sort(array) == 0]
    assert hypervolume(array, corner) == pytest.approx(hypervolume(front, corner))


@settings(max_examples=40)
@given(points(n_goals=st.integers(2, 5), most=8))
def test_the_hypervolume_counts_the_unit_cells_that_are_covered(array):
    # On whole numbers the volume is exactly the number of unit cells with a point below: no tolerance needed.
    n_goals = array.shape[1]
    cells = np.stack(np.meshgrid(*[np.arange(6)] * n_goals), axis=-1).reshape(-1, n_goals)
    covered = (array[:, None] <= cells).all(axis=2).any(axis=0).sum()
    assert hypervolume(array, np.full(n_goals, 6.0)) == pytest.approx(covered, abs=1e-9)


@pytest.mark.parametrize("n_goals", [2, 3, 4, 5])
def test_the_hypervolume_agrees_with_a_monte_carlo_estimate(n_goals):
    rng = np.random.default_rng(n_goals)
    array = rng.random((20, n_goals))
    drawn = rng.random((100_000, n_goals))
    share = np.zeros(len(drawn), dtype=bool)
    for point in array:
        share |= (point <= drawn).all(axis=1)
    # Five standard errors: off by chance less than once in a million.
    error = 5 * np.sqrt(share.mean() * (1 - share.mean()) / len(drawn))
    assert hypervolume(array, np.ones(n_goals)) == pytest.approx(share.mean(), abs=error)


@given(points(n_goals=st.just(2), most=15))
def test_the_sweep_of_two_goals_equals_the_recursion_for_more(array):
    padded = np.column_stack([array, np.zeros(len(array))])
    assert hypervolume(array, [6, 6]) == pytest.approx(hypervolume(padded, [6, 6, 1]))
    assert hypervolume(array, [6, 6]) == pytest.approx(_volume(padded, np.array([6.0, 6.0, 1.0])))


def test_points_beyond_the_reference_add_nothing():
    assert hypervolume([[0, 0], [-5, 9]], [2, 3]) == 6
    assert hypervolume([[2, 0], [9, 9]], [2, 3]) == 0
    assert hypervolume([[1.0], [3.0]], [4]) == 3


def test_the_knee_bulges_most_from_the_line_between_the_extremes():
    assert knee([[0, 100], [1, 40], [2, 20], [5, 15], [10, 0]]) == 2
    assert knee([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.1, 0.1, 0.1], [0.3, 0.2, 0.2]]) == 3


def test_a_straight_or_hollow_front_has_its_knee_in_the_middle():
    assert knee([[0, 4], [1, 3], [2, 2], [3, 1], [4, 0]]) == 2
    assert knee([[0, 10], [9, 9], [10, 0]]) == 1
    assert knee([[7, 7]]) == 0
    assert knee([[1, 5], [1, 5]]) == 0
    with pytest.raises(ObjectiveError, match="empty"):
        knee([])


@given(points(n_goals=st.integers(1, 4)), st.floats(0.1, 100), st.floats(-50, 50))
def test_the_knee_is_on_the_front_and_units_do_not_matter_to_it(array, scale, shift):
    chosen = knee(array)
    assert non_dominated_sort(array)[chosen] == 0
    # Powers of two scale exactly, so that ties stay ties.
    assert knee(array * 4 + 8) == chosen
    assert non_dominated_sort(array * scale + shift)[chosen] == 0
