import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archwright.space import Space, choice, repeat, searchable, subset

chain = searchable(lambda *parts: parts, flow=lambda flow, x, *parts: flow.chain(parts, x))
residual = searchable(lambda body: body, flow=lambda flow, x, body: flow.sum([x, flow.apply(body, x)]))
identity = searchable(lambda: "identity", flow=lambda flow, x: x)
conv = searchable(lambda width, kernel=3: ("conv", width, kernel))


def branches_flow(flow, x, *branches, merge="sum"):
    ys = flow.each(branches, x)
    return flow.select(merge, lambda m: flow.sum(ys) if m == "sum" else flow.concat(ys))


branches = searchable(lambda *b, merge="sum": b, flow=branches_flow)


def op_flow(flow, x, kind):
    def made(k):
        if k == "none":
            return flow.zero()
        return x if k == "skip" else flow.op(k, x, zero=True)

    return flow.select(kind, made)


op = searchable(lambda kind: kind, flow=op_flow)
skip_or_conv = lambda name: op(choice("skip", "conv", name=name))  # noqa: E731


def cell_flow(flow, x, ops, nodes):
    states = [x]
    for j in range(1, nodes):
        states.append(flow.sum([flow.apply(ops[f"{i}->{j}"], states[i]) for i in range(j)]))
    return states[-1]


def cell(operations, nodes=4):
    edges = {f"{i}->{j}": op(choice(*operations, name=f"{i}->{j}")) for j in range(1, nodes) for i in range(j)}
    return searchable(lambda ops, nodes: ops, flow=cell_flow)(edges, nodes)


def test_identities_vanish():
    space = Space(chain(skip_or_conv("a"), skip_or_conv("b"), skip_or_conv("c")))
    keys = {}
    for a in space:
        keys.setdefault(list(a.values()).count("conv"), set()).add(space.key(a))
    assert {n: len(k) for n, k in keys.items()} == {0: 1, 1: 1, 2: 1, 3: 1}
    assert len(set.union(*keys.values())) == 4


def test_order_matters_in_a_chain_and_not_in_a_sum():
    both = [choice("a", "b", name="first"), choice("a", "b", name="second")]
    in_chain = Space(chain(op(both[0]), op(both[1])))
    in_sum = Space(branches(op(both[0]), op(both[1])))
    in_concat = Space(branches(op(both[0]), op(both[1]), merge="concat"))
    distinct = [len({s.key(a) for a in s}) for s in (in_chain, in_sum, in_concat)]
    assert distinct == [4, 3, 4]


def test_a_branch_twice_is_not_the_branch_once():
    once, twice = Space(branches(op(choice("a")))), Space(branches(op(choice("a")), op(choice("a"))))
    assert once.key(once.architecture([0])) != twice.key(twice.architecture([0, 0]))


def test_nested_sums_are_flat():
    a, b, c = (op(choice(k, name=k)) for k in "abc")
    left, right = Space(branches(branches(a, b), c)), Space(branches(a, branches(b, c)))
    assert left.key(left.sample(np.random.default_rng(0))) == right.key(right.sample(np.random.default_rng(0)))


def test_a_residual_around_nothing_is_not_an_identity_but_doubles():
    doubled = Space(residual(op(choice("skip"))))
    plain = Space(chain(op(choice("skip"))))
    assert doubled.key(doubled.architecture([0])) != plain.key(plain.architecture([0]))


def test_an_identity_made_at_once_is_still_seen_as_one():
    class Id:
        pass

    same = searchable(Id, flow=lambda flow, x: x)()
    space = Space(chain(choice(same, conv(16), name="a"), choice(same, conv(16), name="b")))
    assert len({space.key(a) for a in space}) == 3


def test_depth_and_identity_agree():
    space = Space(chain(repeat(op(choice("skip", "conv")), (0, 3))))
    assert len({space.key(a) for a in space}) == 4


def test_a_choice_of_merge_counts_only_where_there_are_two_branches():
    space = Space(branches(repeat(op(choice("a", "b")), (1, 2)), merge=choice("sum", "concat", name="merge")))
    keys = {space.key(a) for a in space}
    assert len(keys) == 2 + 3 + 4


def test_arguments_tell_operations_apart_wherever_they_come_from():
    open_width = Space(chain(conv(choice(16, 32, name="w"))))
    whole = Space(chain(choice(conv(choice(16)), conv(choice(32)), name="op")))
    assert {open_width.key(a) for a in open_width} == {whole.key(a) for a in whole}


def unique_string(a, nodes=4):
    """NAS-Bench-201's own canonical form: sums as sorted strings, skips dropped, zeros kept as '#'."""
    states = ["0"]
    for j in range(1, nodes):
        terms = []
        for i in range(j):
            kind, state = a[f"{i}->{j}"], states[i]
            if kind == "none" or state == "#":
                terms.append("#")
            else:
                terms.append(state if kind == "skip" else f"({state})@{kind}")
        states.append("+".join(sorted(terms)))
    return states[-1]


def test_the_cells_of_nas_bench_201_are_recognised_and_more():
    # Dong & Yang, NAS-Bench-201, ICLR 2020: 15,625 cells, 6,466 unique strings. Sums that are nested or hold zeros
    # have several strings there; here they are flat and zeros gone, which leaves 4,930 functions. Cells that are one
    # function there must be one here.
    space = Space(cell(["none", "skip", "conv1", "conv3", "pool"]))
    codes = space.all_codes()
    keys = space.keys(codes)
    assert space.size == 15_625
    by_string = {}
    for row, key in zip(codes, keys.tolist(), strict=True):
        by_string.setdefault(unique_string(space.architecture(row)), set()).add(key)
    assert len(by_string) == 6_466
    assert all(len(found) == 1 for found in by_string.values())
    assert len(np.unique(keys)) == 4_930


def test_subsets_of_inputs_commute_with_what_is_done_to_them():
    def flow(flow, x, inputs):
        ys = [flow.op("a", x), flow.op("b", x), flow.op("a", x)]
        return flow.select(inputs, lambda chosen: flow.sum([ys[i] for i in chosen]))

    node = searchable(lambda inputs: inputs, flow=flow)
    space = Space(node(subset([0, 1, 2], 2, name="inputs")))
    assert len({space.key(a) for a in space}) == 2


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_batches_and_single_architectures_share_keys(seed):
    space = Space(
        chain(
            repeat(residual(conv(choice(8, 16), choice(3, 5))), (0, 3)),
            cell(["none", "skip", "conv", "pool"], nodes=3),
            branches(op(choice("a", "b")), repeat(op(choice("a", "skip")), (1, 2)), merge=choice("sum", "concat")),
        )
    )
    codes = space.sample_codes(np.random.default_rng(seed), 40)
    assert [f"{k:016x}" for k in space.keys(codes).tolist()] == [space.key(space.architecture(c)) for c in codes]


def test_equal_keys_are_equal_graphs_and_unequal_keys_unequal_ones():
    space = Space(cell(["none", "skip", "conv", "pool"], nodes=3))
    seen = {}
    for a in space:
        graph = space.graph(a)
        seen.setdefault(space.key(a), []).append(graph)
    match = nx.algorithms.isomorphism.categorical_node_match("label", "")
    for graphs in seen.values():
        assert all(nx.is_isomorphic(graphs[0], g, node_match=match) for g in graphs[1:])
    for one, other in itertools.combinations(list(seen.values()), 2):
        assert not nx.is_isomorphic(one[0], other[0], node_match=match)


def test_graphs_are_in_topological_order_from_input_to_output():
    space = Space(cell(["none", "skip", "conv", "pool"]))
    for a in space.sample(np.random.default_rng(1), 50):
        graph = space.graph(a)
        assert graph.nodes[0]["label"] == "input"
        assert graph.nodes[len(graph) - 1]["label"] == "output"
        assert all(i < j for i, j in graph.edges)


def test_values_by_name_lead_to_the_same_key():
    space = Space(chain(conv(choice(16, 32), kernel=choice(3, 5))))
    assert space.key(space.architecture([0, 1])) == space.key(space.architecture({"width": 16, "kernel": 5}))


@pytest.mark.parametrize("n", [1, 16_384, 16_385])
def test_batches_of_every_length_are_hashed_whole(n):
    space = Space(chain(conv(choice(16, 32), kernel=choice(3, 5))))
    codes = space.sample_codes(np.random.default_rng(0), n)
    assert len(np.unique(space.keys(codes))) == min(n, 4)
