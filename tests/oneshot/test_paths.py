"""Paths that meet the ceilings."""

import functools
import itertools
from collections import Counter

import numpy as np
import pytest

from archwright.errors import NothingFitsError
from archwright.objective import at_most
from archwright.oneshot import fairnas, progressive, sandwich, spos
from archwright.oneshot.options import Options
from archwright.oneshot.paths import POOL, Paths, _pool
from archwright.oneshot.progressive import _draws, stages
from archwright.oneshot.reading import shared_of
from archwright.oneshot.sampling import extreme, uniform
from archwright.oneshot.session import Session
from archwright.testing.oneshot import toy_space, toy_task


def paths(**limits):
    options = Options(objectives=at_most(**limits) if limits else None, seed=3)
    session = Session("test", toy_space(), toy_task(), options, {})
    return Paths(session), session


def params(session, architecture):
    return shared_of(session).costs(architecture, ["params"])["params"]


@functools.cache
def sizes():
    _, session = paths()
    return {a: params(session, a) for a in session.space}


def test_without_ceilings_they_are_uniform():
    found, session = paths()
    assert [found(step) for step in range(20)] == [uniform(session.space, 3, step) for step in range(20)]


@pytest.mark.parametrize("quantile", [0.05, 0.3, 0.8])
def test_all_meet_the_ceiling_and_they_differ(quantile):
    all_sizes = sizes()
    ranked = sorted(all_sizes.values())
    limit = ranked[int(quantile * len(ranked))]
    found, _ = paths(params=limit)
    drawn = {found(step, path) for step in range(200) for path in range(2)}
    assert all(all_sizes[a] <= limit for a in drawn)
    functions = {toy_space().key(a) for a, size in all_sizes.items() if size <= limit}
    assert {toy_space().key(a) for a in drawn} <= functions
    assert len({toy_space().key(a) for a in drawn}) > 0.9 * min(POOL, len(functions))


def test_one_that_fits_is_found_where_random_ones_do_not(monkeypatch):
    monkeypatch.setattr("archwright.oneshot.paths.DRAWS", 4)
    monkeypatch.setattr("archwright.oneshot.paths._pool", _pool.__wrapped__)
    all_sizes = sizes()
    least = min(all_sizes.values())
    found, _ = paths(params=least)
    assert {all_sizes[found(step)] for step in range(20)} == {least}


def test_the_same_seed_draws_the_same():
    one, _ = paths(params="300")
    two, _ = paths(params="300")
    assert [one(step) for step in range(30)] == [two(step) for step in range(30)]


def test_a_ceiling_that_nothing_meets_is_told_before_training():
    with pytest.raises(NothingFitsError, match="Raise the ceiling"):
        paths(params=3)


def test_a_latency_limits_no_path():
    found, session = paths(latency_ms=1e-6)
    assert found(5) == uniform(session.space, 3, 5)


def limit_of(quantile):
    ranked = sorted(sizes().values())
    return ranked[int(quantile * (len(ranked) - 1))]


def values_taken(architectures):
    return {(name, value) for a in architectures for name, value in a.items()}


@pytest.mark.parametrize("quantile", [0.05, 0.3, 0.8])
def test_every_value_that_fits_is_in_a_path(quantile, monkeypatch):
    monkeypatch.setattr("archwright.oneshot.paths.POOL", 6)
    monkeypatch.setattr("archwright.oneshot.paths._pool", _pool.__wrapped__)
    limit = limit_of(quantile)
    found, session = paths(params=limit)
    fitting = [a for a, size in sizes().items() if size <= limit]
    assert values_taken(found.pool) == values_taken(fitting)
    assert all(params(session, a) <= limit for a in found.pool)


def unevenness(architectures, names):
    """The sum over decisions of squared differences between how often values are taken and the mean of them."""
    counts = [list(Counter(a[name] for a in architectures if name in a).values()) for name in names]
    return sum(sum((n - sum(of) / len(of)) ** 2 for n in of) for of in counts)


def test_fair_paths_under_a_ceiling_that_all_meet_take_values_equally_often():
    found, session = paths(params=limit_of(1))
    drawn = [found.fair(n) for n in range(240)]
    for d in session.space.decisions:
        live = Counter(a[d.name] for a in drawn if d.name in a)
        assert len(live) == d.size
        assert max(live.values()) - min(live.values()) <= 4


@pytest.mark.parametrize("quantile", [0.1, 0.4])
def test_fair_paths_under_a_ceiling_are_nearly_as_even_as_any_mixture_of_them(quantile):
    limit = limit_of(quantile)
    found, session = paths(params=limit)
    drawn = [found.fair(n) for n in range(400)]
    assert all(params(session, a) <= limit for a in drawn)
    names = [d.name for d in session.space.decisions]
    reached = unevenness(drawn, names)
    assert reached < 0.6 * unevenness([found(n) for n in range(400)], names)
    # No exchange of one part in forty of the draws for another path makes them more even by as much as a hundredth.
    counts = Counter(drawn)
    for path in found.pool:
        for given, n in counts.most_common(3):
            if n > 10:
                exchanged = list((counts - Counter({given: 10}) + Counter({path: 10})).elements())
                assert unevenness(exchanged, names) > 0.99 * reached - 100


def test_fair_paths_are_a_function_of_seed_and_number():
    one, _ = paths(params=limit_of(0.4))
    two, _ = paths(params=limit_of(0.4))
    assert two.fair(50) == one.fair(50)
    assert [two.fair(n) for n in range(50)] == [one.fair(n) for n in range(50)]
    assert len({one.fair(n) for n in range(50)}) > 10


@pytest.mark.parametrize("quantile", [0.1, 0.5])
def test_the_largest_below_a_ceiling_is_found(quantile):
    limit = limit_of(quantile)
    found, session = paths(params=limit)
    costs = shared_of(session).costs
    macs = {a: costs(a, ["macs"])["macs"] for a, size in sizes().items() if size <= limit}
    largest = extreme(session.space, costs, largest=True, begin=found.pool, fits=found.fits)
    assert macs[largest] == max(macs.values())


def test_stages_hold_what_fits_alone_and_grow_up_to_all():
    limit = limit_of(0.5)
    found, session = paths(params=limit)
    fitting = {a for a, size in sizes().items() if size <= limit}
    largest = max(fitting, key=lambda a: params(session, a))
    draws = _draws(session, found, largest)
    rng = np.random.default_rng(0)
    drawn = [{draw(rng) for _ in range(300)} for draw in draws]
    assert all(stage <= fitting for stage in drawn)
    assert all(before < after for before, after in itertools.pairwise(drawn))
    assert set(found.pool) <= drawn[-1]
    whole = stages(session.space, session.space.codes([largest])[0].tolist())
    codes = session.space.codes(list(drawn[0])).tolist()
    first = next(s for s in whole if all(c < 0 or c in s[i] for row in codes for i, c in enumerate(row) if i in s))
    assert first != whole[-1]


def test_stages_that_add_nothing_are_left_out():
    limit = min(sizes().values())
    found, session = paths(params=limit)
    largest = found.pool[-1]
    draws = _draws(session, found, largest)
    rng = np.random.default_rng(0)
    drawn = [{draw(rng) for _ in range(100)} for draw in draws]
    assert len(draws) < len(stages(session.space, session.space.codes([largest])[0].tolist()))
    assert all(before < after for before, after in itertools.pairwise(drawn))
    assert drawn[-1] == {a for a, size in sizes().items() if size == limit}


@pytest.mark.parametrize("algorithm", [spos, fairnas, sandwich, progressive])
def test_what_is_trained_meets_the_ceiling(algorithm, trained):
    all_sizes = sizes()
    limit = sorted(all_sizes.values())[len(all_sizes) // 4]
    algorithm(toy_space(), toy_task(), epochs=2, candidates=4, objectives=at_most(params=limit))
    if algorithm is sandwich:  # the largest and the smallest are always there
        del trained[::4], trained[::3]
    assert len(trained) >= 10
    assert len(set(trained)) > 2
    assert all(all_sizes[a] <= limit for a in trained)
