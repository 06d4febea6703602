import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archwright.space import Space, choice, integer, repeat, searchable
from archwright.space.features import MATTERS, Features

chain = searchable(lambda *parts: parts, flow=lambda flow, x, *parts: flow.chain(parts, x))
residual = searchable(lambda body: body, flow=lambda flow, x, body: flow.sum([x, flow.apply(body, x)]))
branches = searchable(lambda *parts: parts, flow=lambda flow, x, *parts: flow.sum(flow.each(parts, x)))
joined = searchable(lambda *parts: parts, flow=lambda flow, x, *parts: flow.concat(flow.each(parts, x)))
identity = searchable(lambda: "identity", flow=lambda flow, x: x)
nothing = searchable(lambda: "nothing", flow=lambda flow, x: flow.zero())
conv = searchable(lambda width=8, kernel=3: ("conv", width, kernel), name="conv")
pool = searchable(lambda: "pool", name="pool", flow=lambda flow, x: flow.op("pool", x, zero=True))


def op_flow(flow, x, kind):
    def made(k):
        if k == "none":
            return flow.zero()
        return x if k == "skip" else flow.op(k, x, zero=True)

    return flow.select(kind, made)


op = searchable(lambda kind: kind, flow=op_flow)


def cell(operations, nodes=4):
    def flow_of(flow, x, *edges):
        states, left = [x], iter(edges)
        for _ in range(1, nodes):
            states.append(flow.sum([flow.apply(next(left), state) for state in states]))
        return states[-1]

    names = [f"{i}->{j}" for j in range(1, nodes) for i in range(j)]
    return searchable(lambda *edges: edges, flow=flow_of)(*(op(choice(*operations, name=n)) for n in names))


def at(space, *values):
    """The codes of one architecture, by its values in the order of the decisions."""
    return space.codes([space.architecture(dict(zip((d.name for d in space.decisions), values, strict=True)))])


def parts(depth):
    """Random pieces of a network, some of which vanish, hold parameters, or are chosen."""
    leaf = st.sampled_from(["conv", "wide", "pool", "identity", "nothing"]).map(
        lambda name: {
            "conv": lambda: conv(kernel=choice(1, 3)),
            "wide": lambda: conv(width=integer(8, 16, step=4)),
            "pool": pool,
            "identity": identity,
            "nothing": nothing,
        }[name]()
    )
    if depth == 0:
        return leaf
    inner = parts(depth - 1)
    few = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        leaf,
        few.map(lambda ps: chain(*ps)),
        few.map(lambda ps: branches(*ps)),
        few.map(lambda ps: joined(*ps)),
        inner.map(residual),
        st.lists(inner, min_size=2, max_size=3).map(lambda ps: choice(*ps)),
        inner.map(lambda p: chain(repeat(p, (1, 2)))),
    )


CANONICAL = ("operations", "arguments", "edges", "paths")


@given(parts(3), st.integers(0, 2**32 - 1))
def test_architectures_of_one_function_have_the_same_features(network, seed):
    space = Space(chain(network, op(choice("a", "skip", "none"))))
    codes = space.sample_codes(np.random.default_rng(seed), 60)
    raw = Features(space).raw(codes)
    _, first, which = np.unique(space.keys(codes), return_index=True, return_inverse=True)
    for name in CANONICAL:
        if name in raw:
            np.testing.assert_allclose(raw[name], raw[name][first][which], err_msg=name)


def test_all_cells_of_one_function_have_the_same_features_and_others_mostly_not():
    space = Space(cell(["none", "skip", "conv", "pool"]))
    codes = space.all_codes()
    keys, first, which = np.unique(space.keys(codes), return_index=True, return_inverse=True)
    raw = Features(space).raw(codes)
    together = np.concatenate([raw[name] for name in CANONICAL], axis=1)
    np.testing.assert_allclose(together, together[first][which])
    distinct = len(np.unique(together[first].round(9), axis=0))
    assert distinct > 0.6 * len(keys)


def test_features_do_not_depend_on_what_else_is_in_the_batch():
    space = Space(chain(repeat(residual(conv(choice(8, 16), choice(1, 3))), (1, 4)), pool()))
    codes = space.sample_codes(np.random.default_rng(0), 100)
    features = Features(space)
    one_by_one = np.concatenate([features(row[None, :]) for row in codes])
    np.testing.assert_allclose(features(codes), one_by_one, rtol=1e-6)


def test_edges_count_the_degrees_of_input_and_output():
    space = Space(cell(["none", "skip", "conv", "pool"], nodes=3))
    features = Features(space)
    assert features.symbols == ["conv", "pool"]
    edges = features.raw(at(space, "conv", "pool", "conv"))["edges"].reshape(3, 3)
    # [what reads][what is read]; the last is the output and the input.
    assert edges.tolist() == [[1, 0, 1], [0, 0, 1], [1, 1, 0]]


def test_paths_are_counted_and_measured_through_sets_of_operations():
    space = Space(cell(["none", "skip", "conv", "pool"], nodes=3))
    features = Features(space)
    row = features.raw(at(space, "conv", "pool", "conv"))["paths"][0]
    sets = 3  # {conv}, {pool}, {conv, pool}
    keeping, lengths, met, least, most = np.split(row, np.cumsum([sets, 9, sets, 2 * sets]))
    np.testing.assert_allclose(np.expm1(keeping), [1, 1, 2])
    np.testing.assert_allclose(np.expm1(lengths), [0, 1, 1, 0, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(np.expm1(met), [2, 1, 3])
    np.testing.assert_allclose(1 / least - 1, [2, 1, 1, 0, 0, 1])  # keeping to the set; then of the set, on any path
    np.testing.assert_allclose(most - 1, [2, 1, 2, 2, 1, 2])


def test_arguments_of_operations_are_summed():
    space = Space(chain(conv(choice(8, 16), 3), conv(8, choice(1, 5))))
    features = Features(space)
    small, large = (features.raw(at(space, w, k))["arguments"].sum() for w, k in ((8, 1), (16, 5)))
    assert large > small


def test_more_paths_than_could_be_listed_are_no_trouble():
    deep = Space(chain(*(residual(conv(kernel=choice(1, 3, name=str(i)))) for i in range(40))))
    raw = Features(deep).raw(deep.sample_codes(np.random.default_rng(0), 5))
    through_all = raw["paths"][:, 2]  # of the sets {1}, {3}, {1, 3}
    np.testing.assert_allclose(through_all, np.log1p(2.0**40))


def test_a_structure_of_values_has_its_decisions_and_calls():
    layer = searchable(lambda width: width, name="layer")
    space = Space({"layers": repeat(layer(choice(8, 16, 32)), (1, 3)), "rate": integer(1, 5)})
    features = Features(space)
    assert set(features.groups) == {"decisions", "operations"}
    codes = space.all_codes()
    count = features.raw(codes)["operations"][:, :3].sum(axis=1)
    assert features.symbols == ["layer(width=16)", "layer(width=32)", "layer(width=8)"]
    assert count.tolist() == [space.architecture(row)["layers/times"] for row in codes]


def test_groups_vary_as_much_as_they_matter():
    space = Space(cell(["none", "skip", "conv", "pool"]))
    features = Features(space)
    made = features(space.sample_codes(np.random.default_rng(1), 2000))
    for name, columns in features.groups.items():
        assert 0.7 < made[:, columns].var(axis=0).sum() / MATTERS.get(name, 1.0) < 1.3


def test_a_space_of_one_architecture_has_no_features():
    assert Features(Space({"a": choice(1)}))(np.zeros((3, 1), dtype=np.int32)).shape == (3, 0)


def test_a_decision_without_effect_is_shown_as_neither_value():
    space = Space(cell(["none", "skip", "conv"], nodes=3))
    dead = np.concatenate([at(space, x, "conv", "none") for x in ("conv", "skip", "none")])
    rows = Features(space).raw(dead)["decisions"]
    assert (rows[0, :3] == 0).all()
    assert rows[0].tolist() == rows[1].tolist() == rows[2].tolist()


@pytest.mark.parametrize("n", [0, 1])
def test_few_architectures_are_no_special_case(n):
    space = Space(cell(["none", "skip", "conv"], nodes=3))
    assert Features(space)(space.all_codes()[:n]).shape == (n, Features(space).size)
