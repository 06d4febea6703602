import pickle

import numpy as np
import pytest

from archwright.errors import SpaceError
from archwright.space import Space, choice, integer, real, repeat, searchable, subset

pair = searchable(lambda a, b=0: (a, b))


def names(space):
    return [d.name for d in space.decisions]


def test_a_call_without_open_arguments_runs_at_once():
    assert pair(1, b=2) == (1, 2)


def test_a_call_with_an_open_argument_waits():
    assert Space(pair(choice(1, 2), b=5)).build(Space(pair(choice(1, 2), b=5)).architecture([1])) == (2, 5)


def test_the_same_node_twice_is_one_decision():
    width = choice(8, 16, name="width")
    space = Space([pair(width), pair(width)])
    assert space.size == 2
    for a in space:
        first, second = space.build(a)
        assert first == second


def test_the_same_call_twice_agrees_in_both_places():
    block = pair(choice(8, 16), choice(3, 5))
    assert Space([block, "between", block]).size == 4


def test_a_repeat_decides_each_copy_anew():
    space = Space([repeat(pair(choice(8, 16)), 3)])
    assert space.size == 8
    assert {space.build(a)[1] for a in space} == {(8, 0), (16, 0)}


def test_a_tied_repeat_decides_once():
    space = Space([repeat(pair(choice(8, 16)), 3, tied=True)])
    assert [space.build(a) for a in space] == [[(8, 0)] * 3, [(16, 0)] * 3]


def test_a_tied_choice_stays_one_decision_inside_a_repeat():
    space = Space([repeat(pair(choice(1, 2, 3), choice("relu", "silu", tied=True)), 2)])
    assert space.size == 3 * 3 * 2
    assert all(x[1] == y[1] for x, y in map(space.build, space))


def test_open_depth_switches_copies_on():
    space = Space([repeat(pair(choice(8, 16)), (0, 2))])
    assert names(space) == ["times", "0/a", "1/a"]
    assert space.size == 1 + 2 + 4
    assert sorted(len(space.build(a)) for a in space) == [0, 1, 1, 2, 2, 2, 2]


def test_nested_repeats_multiply():
    space = Space([repeat(searchable(list)([repeat(pair(choice(1, 2)), 2)]), (1, 2))])
    assert space.size == 4 + 16


def test_a_repeat_used_in_two_places_agrees_in_both():
    stage = repeat(pair(choice(8, 16)), (1, 2))
    space = Space({"a": [stage], "b": [stage]})
    assert space.size == 6
    assert all(built["a"] == built["b"] for built in map(space.build, space))


def test_an_option_may_hold_open_choices():
    space = Space(choice(pair(choice(1, 2, name="inner")), "skip", name="op"))
    assert names(space) == ["op", "op/<lambda>/inner"]
    assert space.size == 3
    assert sorted(map(str, map(space.build, space))) == ["(1, 0)", "(2, 0)", "skip"]


def test_a_decision_shared_by_two_options_is_live_under_either():
    shared = choice(1, 2, name="shared")
    space = Space(choice(pair(shared), pair(shared, 9), "off", name="op"))
    assert space.size == 5
    assert len({space.build(a) for a in space}) == 5


def test_a_shared_decision_met_before_the_one_that_switches_it_comes_after_it():
    shared = choice(1, 2, name="shared")
    space = Space([choice(pair(shared), 0, name="x"), choice(pair(shared), 5, name="y")])
    assert space.size == 2 + 2 + 2 + 1
    for a in space:
        assert space.architecture(a) == a


def test_a_repeat_inside_a_choice_is_spliced_too():
    space = Space([choice(repeat(pair(1), 2), repeat(pair(choice(3, 4)), 1), name="stage")])
    assert [space.build(a) for a in space] == [[(1, 0), (1, 0)], [(3, 0)], [(4, 0)]]


def test_subsets_list_their_members_in_order():
    space = Space(subset(["a", "b", "c"], (1, 2), name="inputs"))
    built = [space.build(a) for a in space]
    assert built == [["a"], ["b"], ["c"], ["a", "b"], ["a", "c"], ["b", "c"]]


def test_options_of_a_subset_may_be_open():
    space = Space(subset([choice(1, 2, name="first"), "b"], 1, name="s"))
    assert [space.build(a) for a in space] == [[1], [2], ["b"]]


def test_a_real_is_spread_over_its_logarithm():
    space = Space({"lr": real(1e-4, 1.0, log=True)})
    drawn = np.array([space.build(a)["lr"] for a in space.sample(np.random.default_rng(0), 2000)])
    assert drawn.min() >= 1e-4
    assert drawn.max() <= 1.0
    assert abs(np.median(np.log10(drawn)) + 2) < 0.15


def test_modules_in_a_space_are_templates():
    torch = pytest.importorskip("torch")
    template = torch.nn.Linear(3, 3)
    space = Space([repeat(template, 2), choice(template, None, name="last")])
    before = template.weight.clone()
    first, second = (space.build(space.architecture([0])) for _ in range(2))
    modules = {id(m) for m in (*first, *second, template)}
    assert len(modules) == 7
    with torch.no_grad():
        first[0].weight.zero_()
    assert torch.equal(template.weight, before)
    assert torch.equal(second[0].weight, before)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: choice(name="op"), "op"),
        (lambda: integer(3, 1), "empty"),
        (lambda: integer(1, 3, step=0), "empty"),
        (lambda: real(1, 1), "empty"),
        (lambda: real(0, 1, log=True), "above 0"),
        (lambda: subset([1, 2], 3), "allowed is 0..2"),
        (lambda: subset(range(40), 20), "choice"),
        (lambda: repeat(1, -1), "whole numbers"),
        (lambda: repeat(1, choice(1, "2")), "whole numbers"),
        (lambda: choice(1, 2, default=3), "default=3"),
        (lambda: choice(0, 1, default=True), "default=True"),
        (lambda: integer(1, 9, step=2, default=4), "none of the values"),
        (lambda: real(0, 1, default=2), "outside"),
        (lambda: subset([1, 2, 3], 2, default=[1]), "none of the values"),
        (lambda: repeat(1, 3, default=2), "range of times"),
        (lambda: repeat(1, (0, 3), default=4), "none of the values"),
    ],
)
def test_nodes_that_make_no_sense_say_why(make, said):
    with pytest.raises(SpaceError, match=said):
        make()


class TestDefault:
    def test_it_is_what_the_nodes_name_and_else_the_first_or_the_middle(self):
        inner = pair(integer(1, 3, default=3), b=choice(3, 5))
        space = Space(
            {
                "op": choice("none", inner, name="op", default=inner),
                "blocks": repeat(choice("a", "b", default="b"), (0, 4), default=2),
                "lr": real(1e-4, 1, log=True, default=0.01),
                "reads": subset("abc", (1, 2), default=["a", "c"]),
                "depth": integer(1, 6),
                "nothing": choice(1, None, default=None),
            }
        )
        made = space.build(space.default)
        assert made.pop("lr") == pytest.approx(0.01, rel=1e-3)
        assert made == {"op": (3, 3), "blocks": ["b", "b"], "reads": ["a", "c"], "depth": 3, "nothing": None}
        assert space.default in space
        assert f"to begin with: {space.default}" in space.describe()

    def test_there_is_none_where_no_node_names_one(self):
        assert Space([choice(1, 2), integer(0, 3)]).default is None

    def test_there_is_none_where_a_rule_forbids_it(self):
        space = Space({"a": choice(1, 2, default=2)})
        assert space.where(lambda x: x["a"] == 1).default is None
        assert dict(space.where(lambda x: x["a"] == 2).default) == {"a": 2}

    def test_it_travels_with_the_space(self):
        space = Space({"a": repeat(choice(1, 2, default=2), (0, 3), default=1)})
        assert pickle.loads(pickle.dumps(space)).default == space.default

    def test_it_is_no_part_of_what_the_space_is(self):
        assert Space([choice(1, 2, default=2)]).fingerprint == Space([choice(1, 2)]).fingerprint


def test_names_are_unique_and_say_where():
    block = pair(choice(8, 16, name="width"), b=choice(3, 5))
    space = Space(searchable(lambda *x: x)(repeat(block, (1, 2)), "pool", repeat(block, 1, name="late")))
    assert names(space) == ["0/times", "0/0/width", "0/0/b", "0/1/width", "0/1/b", "late/0/width", "late/0/b"]


def test_equal_names_are_told_apart():
    space = Space([pair(choice(1, 2, name="x"), choice(1, 2, name="x"))])
    assert names(space) == ["x", "x#2"]


def test_options_of_one_kind_are_told_apart_by_their_arguments():
    linear = searchable(lambda n: ("linear", n))
    space = Space(choice(searchable(Thing)(1), searchable(Thing)(2), linear(choice(3, 4)), name="op"))
    assert space.decisions[0].values == ("Thing(1)", "Thing(2)", "<lambda>")


class Thing:
    def __init__(self, n):
        self.n = n


def test_a_decision_shared_by_several_places_is_named_after_what_they_have_in_common():
    kernel = choice(3, 5, name="kernel")
    conv, pool = searchable(lambda k: ("conv", k), name="conv"), searchable(lambda k: ("pool", k), name="pool")
    space = Space({"op": choice(conv(kernel), pool(kernel)), "lr": choice(0.1, 0.2)})
    assert names(space) == ["op", "op/kernel", "lr"]
    assert space.size == 8
