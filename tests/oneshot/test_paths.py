"""Paths that meet the ceilings."""

import pytest

from archwright.errors import NothingFitsError
from archwright.objective import at_most
from archwright.oneshot import sandwich, spos
from archwright.oneshot.options import Options
from archwright.oneshot.paths import POOL, Paths, _pool
from archwright.oneshot.sampling import uniform
from archwright.oneshot.session import Session
from archwright.testing.oneshot import toy_space, toy_task


def paths(**limits):
    options = Options(objectives=at_most(**limits) if limits else None, seed=3)
    session = Session("test", toy_space(), toy_task(), options, {})
    return Paths(session), session


def params(session, architecture):
    from archwright.oneshot.reading import shared_of

    return shared_of(session).costs(architecture, ["params"])["params"]


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


@pytest.mark.parametrize("algorithm", [spos, sandwich])
def test_what_is_trained_meets_the_ceiling(algorithm, trained):
    all_sizes = sizes()
    limit = sorted(all_sizes.values())[len(all_sizes) // 4]
    algorithm(toy_space(), toy_task(), epochs=2, candidates=4, objectives=at_most(params=limit))
    if algorithm is sandwich:  # the largest and the smallest are always there
        del trained[::4], trained[::3]
    assert len(trained) >= 10
    assert all(all_sizes[a] <= limit for a in trained)
