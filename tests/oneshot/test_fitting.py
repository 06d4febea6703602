"""The architecture that is read out is the one preferred most among those that fit, by real costs."""

import itertools

import numpy as np
import pytest

from archwright.errors import EvaluationError, NothingFitsError
from archwright.objective import Objectives, at_most, maximize
from archwright.oneshot.fitting import by_regret, fitting, regrets
from archwright.space import Space, choice, integer, real, repeat, searchable

layer = searchable(lambda width: width)
SPACE = Space({
    "layers": repeat(layer(choice(1, 2, 4, 8, name="width")), integer(1, 3, name="depth")),
    "other": choice("a", "b", "c"),
})  # fmt: skip


def cost(architecture, names):
    widths = [v for k, v in architecture.items() if k.endswith("width")]
    return {name: float(sum(widths)) * (1 if name == "params" else 10) for name in names}


def preferences(seed, space=SPACE):
    rng = np.random.default_rng(seed)
    return [np.log(rng.dirichlet(np.ones(d.size))).tolist() for d in space.decisions]


def regret_of(space, table, codes):
    return sum(row[c] for row, c in zip(table, codes, strict=True) if c >= 0)


def ceilings(**limits):
    return Objectives.of([maximize("accuracy"), at_most(**limits)])


@pytest.mark.parametrize("seed", range(5))
def test_architectures_come_in_the_order_of_regret_each_once(seed):
    table = regrets(SPACE, preferences(seed))
    found = list(by_regret(SPACE, table))
    values = [regret for regret, _ in found]
    assert values[0] == 0
    assert values == sorted(values)
    assert {codes for _, codes in found} == {tuple(row) for row in SPACE.all_codes().tolist()}
    assert len(found) == SPACE.size
    assert all(regret == pytest.approx(regret_of(SPACE, table, codes)) for regret, codes in found)


def test_without_ceilings_it_is_argmax_decision_by_decision():
    preferred = preferences(1)
    (fit,) = fitting(SPACE, preferred, None, cost)
    codes = SPACE.codes([fit.architecture])[0].tolist()
    assert all(c == int(np.argmax(p)) for c, p in zip(codes, preferred, strict=True) if c >= 0)
    assert fit.regret == 0


@pytest.mark.parametrize(("seed", "limit"), [*itertools.product(range(4), (1, 3, 6, 12))])
def test_the_ceiling_is_held_and_nothing_preferred_more_fits(seed, limit):
    preferred = preferences(seed)
    table = regrets(SPACE, preferred)
    (fit,) = fitting(SPACE, preferred, ceilings(params=limit), cost)
    assert cost(fit.architecture, ["params"])["params"] <= limit
    assert fit.costs == cost(fit.architecture, ["params"])
    best = min(
        regret_of(SPACE, table, row)
        for row in SPACE.all_codes().tolist()
        if cost(SPACE.architecture(row), ["params"])["params"] <= limit
    )
    assert fit.regret == pytest.approx(best)


@pytest.mark.parametrize("seed", range(6))
def test_where_too_many_are_too_costly_it_walks_and_still_holds_the_ceiling(seed):
    fits = fitting(SPACE, preferences(seed), ceilings(params=2), cost, most=1)
    assert all(cost(f.architecture, ["params"])["params"] <= 2 for f in fits)
    assert all(f.architecture in SPACE for f in fits)


def test_a_deep_space_with_a_tight_ceiling_is_walked_in_few_steps():
    space = Space([layer(choice(1, 2, 4, 8, name=f"w{i}")) for i in range(40)])
    asked = []

    def counted(architecture, names):
        asked.append(architecture)
        return {"params": float(sum(architecture.values()))}

    (fit,) = fitting(space, [[0.0, 1.0, 2.0, 3.0]] * 40, ceilings(params=60), counted)
    assert sum(fit.architecture.values()) <= 60
    assert sum(fit.architecture.values()) >= 57  # and does not give away what it may spend
    assert len(asked) < 2_500


def test_the_best_several_are_different_and_in_order():
    fits = fitting(SPACE, preferences(2), ceilings(params=6), cost, k=5)
    assert len({f.architecture for f in fits}) == 5
    assert [f.regret for f in fits] == sorted(f.regret for f in fits)


def test_nothing_fits_is_an_error_that_says_how_near_it_came():
    for most in (1, 500):
        with pytest.raises(NothingFitsError, match=r"macs 10 at least \(ceiling 5\)"):
            fitting(SPACE, preferences(0), ceilings(macs=5), cost, most=most)


def test_rules_of_the_space_are_kept():
    ruled = SPACE.where(lambda a: a["other"] != "b")
    preferred = preferences(0)
    for fit in fitting(ruled, preferred, None, cost, k=20):
        assert fit.architecture["other"] != "b"


def test_decisions_of_which_nothing_is_known_are_open_and_tried_at_some_values():
    space = Space({"rate": real(0.0, 1.0), "kind": choice("a", "b")})
    table = regrets(space, [None, [0.0, 1.0]])
    assert len(table[0]) == 8
    assert {min(table[0]), max(table[0])} == {0, space.decisions[0].size - 1}


def test_architectures_that_cannot_be_built_are_passed_over():
    def fails(architecture, names):
        if architecture["other"] == "a":
            raise EvaluationError("no")
        return cost(architecture, names)

    (fit,) = fitting(SPACE, [None, *preferences(0)[1:]], ceilings(params=100), fails)
    assert fit.architecture["other"] != "a"


def test_several_ceilings_are_held_at_once():
    (fit,) = fitting(SPACE, preferences(3), ceilings(params=10, macs=50), cost)
    found = cost(fit.architecture, ["params", "macs"])
    assert found["params"] <= 10
    assert found["macs"] <= 50
    assert set(fit.costs) == {"params", "macs"}
