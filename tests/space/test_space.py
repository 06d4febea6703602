import pickle
import subprocess
import sys

import cloudpickle
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archwright.errors import OutOfSpaceError, SpaceError
from archwright.space import Architecture, Space, choice, integer, real, repeat, searchable, subset
from archwright.space.counting import Numbered

call = searchable(lambda *args, **kwargs: (args, kwargs))
seeds = st.integers(0, 2**32 - 1)


def values(depth):
    """Nested values with open places, as a user might write them."""
    leaf = st.one_of(
        st.sampled_from([0, 1, "relu", None, True, 0.5]),
        st.builds(lambda options: choice(*options), st.lists(st.integers(0, 9), min_size=1, max_size=4)),
        st.builds(
            lambda lo, n, step: integer(lo, lo + n, step=step), st.integers(-5, 5), st.integers(0, 6), st.integers(1, 3)
        ),
        st.builds(lambda lo: real(lo, lo + 1), st.integers(-3, 3)),
        st.builds(lambda n, k: subset(list("abcd")[:n], (0, min(n, k))), st.integers(1, 4), st.integers(0, 3)),
    )
    if depth == 0:
        return leaf
    inner = values(depth - 1)
    return st.one_of(
        leaf,
        st.builds(lambda parts: call(*parts), st.lists(inner, max_size=3)),
        st.builds(lambda parts: choice(*parts), st.lists(inner, min_size=1, max_size=3)),
        st.builds(
            lambda body, lo, more, tied: call(repeat(body, (lo, lo + more), tied=tied)),
            inner,
            st.integers(0, 1),
            st.integers(0, 2),
            st.booleans(),
        ),
        st.builds(lambda part: [part, part], inner),
        st.builds(lambda part: {"x": part, "y": 3}, inner),
    )


spaces = values(3).map(Space)
relaxed = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@given(spaces, seeds)
@relaxed
def test_every_sample_checks_round_trips_and_builds(space, seed):
    for a in space.sample(np.random.default_rng(seed), 5):
        space.check(a)
        assert Architecture.from_json(a.to_json()) == a
        assert pickle.loads(pickle.dumps(a)) == a
        assert space.architecture(space.codes([a])[0]) == a
        space.build(a)
        assert len(space.key(a)) == 16


@given(spaces, seeds)
@relaxed
def test_every_mutation_is_another_valid_architecture(space, seed):
    rng = np.random.default_rng(seed)
    a = space.sample(rng)
    if space.size == 1:
        with pytest.raises(SpaceError, match="alone"):
            Space({"a": choice(1)}).mutate(Space({"a": choice(1)}).sample(rng), rng)
        return
    for _ in range(5):
        try:
            b = space.mutate(a, rng)
        except SpaceError:
            assert all(d.size == 1 for d in space.decisions if d.name in a)
            return
        space.check(b)
        assert b != a
        a = b


@given(spaces, seeds, st.sampled_from(["uniform", "one-point", "multi-point"]))
@relaxed
def test_every_child_is_valid_and_of_its_parents(space, seed, kind):
    rng = np.random.default_rng(seed)
    a, b = space.sample(rng, 2)
    child = space.crossover(a, b, rng, kind)
    space.check(child)
    for name, value in child.items():
        if name in a and name in b:
            assert value in (a[name], b[name])
    assert space.crossover(a, a, rng, kind) == a


@given(spaces, seeds)
@relaxed
def test_neighbours_are_valid_different_and_always_the_same(space, seed):
    a = space.sample(np.random.default_rng(seed))
    if any(d.size > 500 for d in space.decisions if d.name in a and d.kind != "real"):
        return
    around = space.neighbours(a)
    assert around == space.neighbours(a)
    for b in around:
        space.check(b)
        assert b != a


@given(values(2).map(Space))
@relaxed
def test_the_size_is_the_number_of_architectures(space):
    if space.size <= 20_000:
        codes = space.all_codes()
        assert len(codes) == space.size
        assert len(np.unique(codes, axis=0)) == space.size


@given(values(2).map(Space))
@relaxed
def test_architectures_are_numbered_in_the_order_in_which_they_are_listed(space):
    numbered = Numbered(space.decisions)
    assert numbered.size == space.size
    if space.size < 2_000:
        assert [numbered.codes(i) for i in range(space.size)] == space.all_codes().tolist()


@given(spaces, seeds)
@relaxed
def test_batches_are_sampled_and_hashed_as_single_architectures_are(space, seed):
    codes = space.sample_codes(np.random.default_rng(seed), 20)
    architectures = [space.architecture(row) for row in codes]
    assert (space.codes(architectures) == codes).all()
    assert [f"{k:016x}" for k in space.keys(codes).tolist()] == [space.key(a) for a in architectures]
    features = space.encode(codes)
    assert features.shape == (20, len(space.feature_names))
    assert features.min(initial=0) >= 0
    assert features.max(initial=0) <= 1
    assert len(set(space.feature_names)) == len(space.feature_names)


def test_sampling_is_uniform_over_the_values_of_a_decision():
    space = Space({"a": choice(*"abcde"), "b": repeat(choice(1, 2), (1, 3))})
    codes = space.sample_codes(np.random.default_rng(0), 20_000)
    counts = np.bincount(codes[:, 0], minlength=5)
    # 4 standard deviations of a binomial: a false alarm in about 1 of 3,000 runs with another seed.
    assert np.abs(counts - 4000).max() < 4 * np.sqrt(20_000 * 0.2 * 0.8)
    one_by_one = [space.sample(np.random.default_rng(i))["a"] for i in range(2000)]
    assert min(one_by_one.count(v) for v in "abcde") > 400 - 4 * np.sqrt(2000 * 0.2 * 0.8)


def test_encodings_mark_what_is_off():
    space = Space([repeat(call(choice("a", "b"), integer(0, 4, name="n")), (0, 1))])
    assert space.feature_names == ("times", "0/0=a", "0/0=b", "0/0 off", "0/n", "0/n off")
    off, on = space.encode([space.architecture({"times": 0}), space.architecture({"times": 1, "0/0": "b", "0/n": 2})])
    assert off.tolist() == [0, 0, 0, 1, 0, 1]
    assert on.tolist() == [1, 0, 1, 0, 0.5, 0]


def test_a_rule_forbids():
    space = Space({"a": integer(1, 9), "b": integer(1, 9)}).where(lambda x: x["a"] + x["b"] == 10)
    assert space.size == 9
    rng = np.random.default_rng(0)
    for a in space.sample(rng, 20):
        assert a["a"] + a["b"] == 10
    with pytest.raises(OutOfSpaceError, match="rule"):
        space.check(Architecture({"a": 1, "b": 1}))


def test_the_text_of_a_rule_is_the_rule_alone():
    one = Space({"a": integer(1, 9)}).where(lambda x: x["a"] > 3)
    other, more = Space({"a": integer(1, 9)}).where(lambda x: x["a"] > 3), "something else on this line"
    assert more
    assert one.fingerprint == other.fingerprint
    assert "rule lambda x: x['a'] > 3" in one.text
    assert one.fingerprint != Space({"a": integer(1, 9)}).where(lambda x: x["a"] > 4).fingerprint


def test_rules_add_up():
    space = Space({"a": integer(1, 9)}).where(lambda x: x["a"] > 3).where(lambda x: x["a"] < 6)
    assert [a["a"] for a in space] == [4, 5]


def test_a_rule_that_forbids_all_says_so():
    space = Space({"a": choice(1, 2)}).where(lambda x: x["a"] > 2)
    assert space.size == 0
    with pytest.raises(SpaceError, match="forbade"):
        space.sample(np.random.default_rng(0))


def test_a_rule_that_fails_is_named_with_the_architecture():
    space = Space({"a": choice(1, 2)}).where(lambda x: x["b"] > 2)
    with pytest.raises(SpaceError, match=r"x\[\"b\"\].*a=1|a=2"):
        space.sample(np.random.default_rng(0))


@pytest.mark.parametrize(
    ("given_values", "said"),
    [
        ({"op": "conv_3x1", "n": 1}, "cannot be 'conv_3x1'.*conv_1x1"),
        ({"op": "conv_1x1"}, "'n' is missing"),
        ({"op": "conv_1x1", "n": 7}, "'n' cannot be 7"),
        ({"op": "conv_1x1", "n": True}, "cannot be True"),
        ({"op": "conv_1x1", "n": 1, "oop": 2}, "no decision 'oop'.*Did you mean 'op'"),
        ({"op": "conv_1x1", "n": 1, "op/<lambda>/k": 2}, "not live"),
    ],
)
def test_what_is_not_of_the_space_is_refused_with_what_is(given_values, said):
    space = Space({"op": choice("conv_1x1", call(k=choice(1, 2))), "n": integer(0, 3)})
    with pytest.raises(OutOfSpaceError, match=said):
        space.check(Architecture(given_values))


def test_a_fingerprint_is_the_same_in_every_process_and_after_pickling():
    program = (
        "from archwright.space import *; import torch\n"
        "linear = searchable(torch.nn.Linear)\n"
        "space = Space([repeat(linear(4, choice(4, 8)), (1, 2)), linear(8, 2), torch.nn.ReLU()])\n"
        "print(space.fingerprint, space.key(space.architecture([1, 0, 1])))"
    )
    runs = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(runs) == 1
    torch = pytest.importorskip("torch")
    linear = searchable(torch.nn.Linear)
    space = Space([repeat(linear(4, choice(4, 8)), (1, 2)), linear(8, 2), torch.nn.ReLU()])
    assert next(iter(runs)).split() == [space.fingerprint, space.key(space.architecture([1, 0, 1]))]
    other = cloudpickle.loads(cloudpickle.dumps(space.where(lambda a: True)))
    a = space.sample(np.random.default_rng(0))
    assert other.key(a) == space.key(a)
    assert [d.name for d in other.decisions] == [d.name for d in space.decisions]


def test_a_difference_names_what_changed():
    before = Space(call(width=choice(16, 32), head=10))
    after = Space(call(width=choice(16, 64), head=12))
    assert before.fingerprint != after.fingerprint
    difference = after.difference(before.text)
    assert "-decision width: 16 | 32" in difference
    assert "+decision width: 16 | 64" in difference
    assert "10" in difference
    assert "12" in difference
    assert before.difference(Space(call(width=choice(16, 32), head=10))) == ""


def test_a_description_is_readable():
    space = Space([repeat(call(width=choice(16, 32)), (0, 1))])
    assert space.describe().splitlines() == [
        "2 decisions, 3 architectures",
        "  times    integer(0, 1)",
        "  0/width  16 | 32   (when times is 1)",
    ]


def test_an_architecture_cannot_be_changed():
    a = Architecture({"a": 1})
    with pytest.raises(AttributeError):
        a.b = 3
    with pytest.raises(TypeError):
        a["a"] = 2  # type: ignore[index]


def test_large_conditional_spaces_are_counted_exactly():
    block = call(choice(16, 32, 64), choice(3, 5, 7), choice("relu", "silu", "gelu"))
    assert Space(call(repeat(block, (1, 13)))).size == sum(27**k for k in range(1, 14))
