import numpy as np
import pytest

from archwright.errors import SpaceExhaustedError
from archwright.space import Space, choice, integer, real, repeat, searchable
from archwright.strategy import Grid
from archwright.testing import StrategyContract
from archwright.testing.strategy import TOY, run
from archwright.trial import Measurement

FLAT = Space({"a": choice(*"xyz"), "b": integer(0, 100), "c": real(1e-4, 1.0, log=True)})
CELL = Space({f"edge{i}": choice(*range(5)) for i in range(6)})
DEEP = Space({f"d{i}": choice(*range(10)) for i in range(200)})


def sizes(architecture):
    return Measurement({"loss": float(len(architecture))})


def proposed(strategy, space, n):
    return [dict(t.architecture) for t in run(strategy, space, n=n, evaluate=sizes)]


class TestGrid(StrategyContract):
    def make(self, space):
        return Grid(space)

    def test_another_seed_is_another_search(self):
        """Of all strategies this one alone promises the contrary: nothing in it is random."""
        assert run(Grid(TOY), TOY, n=40, seed=3) == run(Grid(TOY), TOY, n=40, seed=4)

    @pytest.mark.parametrize("order", ["spread", "lexicographic"])
    def test_the_whole_grid_is_proposed_once_and_then_exhausted(self, order):
        strategy = Grid(FLAT, levels=4, order=order)
        found = proposed(strategy, FLAT, 100)
        assert len(found) == strategy.size == 3 * 4 * 4
        assert len({tuple(a.values()) for a in found}) == len(found)
        assert {a["b"] for a in found} == {0, 33, 67, 100}
        assert sorted({a["c"] for a in found}) == pytest.approx([1e-4, 10 ** (-8 / 3), 10 ** (-4 / 3), 1.0], rel=1e-3)
        with pytest.raises(SpaceExhaustedError, match=r"all 48 points of the grid .* 4 levels"):
            strategy.ask(np.random.default_rng(0))  # it was told of all

    def test_lexicographic_is_the_order_of_nested_loops(self):
        found = proposed(Grid(FLAT, levels=2, order="lexicographic"), FLAT, 12)
        assert [tuple(a.values()) for a in found] == [(a, b, c) for a in "xyz" for b in (0, 100) for c in (1e-4, 1.0)]

    @pytest.mark.parametrize("order", ["spread", "lexicographic"])
    def test_both_orders_go_through_a_conditional_space(self, order):
        layer = searchable(lambda width: width)
        space = Space({"layers": repeat(layer(choice(1, 2)), (0, 3)), "size": choice(8, 16)})
        found = {tuple(a.items()) for a in proposed(Grid(space, order=order), space, 100)}
        assert found == {tuple(a.items()) for a in space}

    def test_spread_has_seen_all_values_about_equally_often_when_cut_off(self):
        spread = np.array([list(a.values()) for a in proposed(Grid(CELL), CELL, 100)])
        nested = np.array([list(a.values()) for a in proposed(Grid(CELL, order="lexicographic"), CELL, 100)])
        assert all(15 <= np.sum(column == v) <= 25 for column in spread.T for v in range(5))
        assert len(np.unique(nested[:, :3])) == 1

    def test_a_huge_space_is_begun_at_once(self):
        found = proposed(Grid(DEEP), DEEP, 20)
        assert len({tuple(a.values()) for a in found}) == 20
        assert len({a["d0"] for a in found}) == 10

    def test_what_computes_the_same_is_proposed_once(self):
        double = searchable(lambda x, on: x * 2 if on else x, flow=lambda flow, x, y, on: x)
        space = Space(double(1, choice(False, True)))
        assert space.size == 2
        assert len(proposed(Grid(space), space, 5)) == 1

    def test_rules_that_allow_little_are_kept(self):
        ruled = CELL.where(lambda a: sum(a.values()) == 24)
        assert proposed(Grid(ruled), ruled, 5) == [{f"edge{i}": 4 for i in range(6)}]

    @pytest.mark.parametrize("given", [{"levels": 1}, {"order": "random"}])
    def test_settings_that_make_no_sense_are_refused(self, given):
        with pytest.raises(ValueError, match=r"at least 2|Allowed: spread, lexicographic"):
            Grid(TOY, **given)
