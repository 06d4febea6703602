"""What is cut from what, and what cannot share."""

import pytest
import torch

from archwright import Space, choice, integer, nn, repeat, searchable
from archwright.errors import SpaceError
from archwright.supernet import Supernet
from archwright.supernet.align import align, merged


def space_of(*parts):
    return Space(nn.Sequential(*parts))


def subnets(space, shape):
    """A supernet and its networks by the tuple of their values."""
    supernet = Supernet(space, shape)
    return supernet, {tuple(a.values()): supernet.subnet(a) for a in space}


def only(module, kind):
    (found,) = [m for m in module.modules() if isinstance(m, kind)]
    return found


def test_kernels_are_cut_at_the_centre_and_widths_from_the_front():
    _, made = subnets(space_of(nn.ConvBlock(choice(4, 8), choice(1, 3, 5))), (3, 8, 8))
    large = only(made[8, 5], torch.nn.Conv2d).weight
    torch.testing.assert_close(only(made[4, 3], torch.nn.Conv2d).weight, large[:4, :, 1:4, 1:4])
    torch.testing.assert_close(only(made[8, 1], torch.nn.Conv2d).weight, large[:, :, 2:3, 2:3])


@pytest.mark.parametrize(("cell", "gates"), [("rnn", 1), ("gru", 3), ("lstm", 4)])
def test_recurrent_weights_are_cut_gate_by_gate_and_direction_by_direction(cell, gates):
    space = space_of(nn.Recurrent(choice(3, 5), cell, layers=2, bidirectional=choice(False, True)))
    _, made = subnets(space, (2, 7))
    large, small = made[5, True][0].body.layer, made[3, False][0].body.layer
    cut = large.weight_hh_l0.view(gates, 5, 5)[:, :3, :3].reshape(-1, 3)
    torch.testing.assert_close(small.weight_hh_l0, cut)
    # The second layer reads both directions of the first side by side.
    cut = large.weight_ih_l1.view(gates, 5, 2, 5)[:, :3, 0, :3].reshape(-1, 3)
    torch.testing.assert_close(small.weight_ih_l1, cut)


def test_attention_is_cut_head_by_head():
    space = space_of(nn.SelfAttention(choice(1, 2), head_width=choice(2, 4)))
    _, made = subnets(space, (6, 5))
    large, small = made[2, 4][0].body.body, made[1, 2][0].body.body
    torch.testing.assert_close(small.project.weight.view(3, 1, 2, 6), large.project.weight.view(3, 2, 4, 6)[:, :1, :2])
    torch.testing.assert_close(small.out.weight.view(6, 1, 2), large.out.weight.view(6, 2, 4)[:, :1, :2])


def test_multihead_attention_of_torch_is_cut_head_by_head():
    class Block(torch.nn.Module):
        def __init__(self, heads):
            super().__init__()
            self.attend = torch.nn.MultiheadAttention(4 * heads, heads, batch_first=True, kdim=6, vdim=6)
            self.enter = torch.nn.Linear(6, 4 * heads)

        def forward(self, x):
            return self.attend(self.enter(x), x, x)[0]

    space = space_of(searchable(Block)(choice(1, 2)), nn.LinearBlock(3))
    supernet, made = subnets(space, (5, 6))
    torch.testing.assert_close(made[1,][0].attend.q_proj_weight, made[2,][0].attend.q_proj_weight[:4, :4])
    x = torch.randn(2, 5, 6)
    for a in space:
        torch.testing.assert_close(supernet.eval()(x, a), supernet.subnet(a)(x))


def test_embeddings_and_norms_are_cut_from_the_front():
    class First(torch.nn.Module):
        def forward(self, x):
            return x.transpose(1, 2)

    width = choice(4, 6)
    space = space_of(nn.Embedding(10, width), First(), nn.Norm(choice("layer", "batch")), nn.Classifier(2))
    supernet, made = subnets(space, (7,))
    assert supernet.input_dtype == torch.int64
    torch.testing.assert_close(made[4, "layer"][0].weight, made[6, "layer"][0].weight[:, :4])
    assert supernet(torch.randint(10, (3, 7)), next(iter(space))).shape == (3, 2)


def test_a_block_shares_with_and_without_its_norm_and_its_widening():
    space = space_of(nn.ConvBlock(8, norm=choice("batch", "none")), nn.InvertedResidual(expansion=choice(1, 3)))
    _, made = subnets(space, (3, 8, 8))
    a, b = made["batch", 1], made["none", 3]
    torch.testing.assert_close(only(a[0], torch.nn.Conv2d).weight, only(b[0], torch.nn.Conv2d).weight)
    first = [m for m in a[1].modules() if isinstance(m, torch.nn.Conv2d)]
    second = [m for m in b[1].modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(second) == len(first) + 1
    torch.testing.assert_close(first[0].weight, second[1].weight[:8])
    torch.testing.assert_close(first[1].weight, second[2].weight[:, :8])


def test_grouped_convolutions_are_cut_group_by_group():
    space = space_of(nn.ConvBlock(8, groups=choice(1, 2, 0)), nn.ConvBlock(choice(4, 8), groups=2))
    _, made = subnets(space, (4, 6, 6))
    small, large = only(made[1, 4][1], torch.nn.Conv2d), only(made[1, 8][1], torch.nn.Conv2d)
    torch.testing.assert_close(small.weight.view(2, 2, 4, 3, 3), large.weight.view(2, 4, 4, 3, 3)[:, :2])


class Opaque(torch.nn.Module):
    """Owns its parameters; who knows what they mean."""

    def __init__(self, n, scale=1.0):
        super().__init__()
        self.n, self.scale = n, scale
        self.mix = torch.nn.Parameter(torch.randn(n, n))
        self.register_buffer("seen", torch.zeros(n))

    def forward(self, x):
        self.seen = self.seen + 1
        return x + self.scale * self.mix.sum() + self.seen.sum()


def test_an_opaque_module_with_an_open_number_has_candidates_of_its_own_and_is_told():
    opaque = searchable(Opaque)(integer(1, 3, name="n"), choice(1.0, 2.0, name="scale"))
    space = space_of(nn.LinearBlock(choice(4, 8)), opaque, nn.Classifier(2))
    supernet, made = subnets(space, (5,))
    mixes = [made[4, n, 1.0][1].mix for n in (1, 2, 3)]
    assert not torch.equal(mixes[0], mixes[1][:1, :1])
    assert not torch.equal(mixes[1], mixes[2][:2, :2])
    torch.testing.assert_close(made[8, 3, 2.0][1].mix, mixes[2])  # a scale changes no shape, so it shares
    (row,) = supernet.sharing().separate
    assert row.how == "3 separate"
    assert "Opaque" in row.reason
    assert "n" in row.reason
    assert row.reason in str(supernet.sharing())
    x = torch.randn(3, 5)
    for a in space:
        network = supernet.subnet(a)
        for _ in range(2):  # its state moves on
            torch.testing.assert_close(supernet(x, a), network(x))


def test_too_many_candidates_of_an_opaque_module_are_refused():
    space = space_of(searchable(Opaque)(integer(1, 500, name="n")), nn.Classifier(2))
    with pytest.raises(SpaceError, match=r"500 separate candidates.*'n'"):
        Supernet(space, (5,))


def test_tied_weights_stay_tied():
    class Tied(torch.nn.Module):
        def __init__(self, n):
            super().__init__()
            self.a, self.b = torch.nn.Linear(4, n), torch.nn.Linear(4, n)
            self.b.weight = self.a.weight

        def forward(self, x):
            return self.a(x) * self.b(x)

    space = space_of(searchable(Tied)(choice(3, 5)), nn.Classifier(2))
    supernet, _ = subnets(space, (4,))
    x = torch.randn(3, 4)
    for a in space:
        network = supernet.subnet(a)
        assert network[0].a.weight is network[0].b.weight
        torch.testing.assert_close(supernet(x, a), network(x))


def test_a_call_that_looks_into_its_modules_works_as_a_whole_and_is_told():
    @searchable
    def doubled(body):
        return torch.nn.Sequential(body, torch.nn.Linear(body.width, 3))

    space = space_of(doubled(nn.LinearBlock(choice(4, 8, name="width"))))
    supernet = Supernet(space, (5,))
    x = torch.randn(3, 5)
    for a in space:
        torch.testing.assert_close(supernet(x, a), supernet.subnet(a)(x))
    assert supernet.sharing().rows[0].layers == "Linear, Linear"


def test_a_call_that_copies_its_modules_works_as_a_whole():
    import copy

    @searchable
    def twice(body):
        return torch.nn.Sequential(body, copy.deepcopy(body))

    space = space_of(twice(nn.ConvBlock(choice(4, 8))))
    supernet = Supernet(space, (5, 6, 6)).eval()
    x = torch.randn(3, 5, 6, 6)
    for a in space:
        torch.testing.assert_close(supernet(x, a), supernet.subnet(a)(x))


def test_modules_of_torch_and_lazy_ones_join():
    space = space_of(nn.LazyConv2d(choice(4, 8), choice(1, 3)), nn.Flatten(), nn.LazyLinear(choice(3, 5)))
    supernet = Supernet(space, (2, 6, 6))
    x = torch.randn(3, 2, 6, 6)
    for a in space:
        torch.testing.assert_close(supernet(x, a), supernet.subnet(a)(x))


def test_sharing_prints_a_table_that_sums_up():
    space = space_of(nn.ConvBlock(choice(4, 8)), choice(nn.ConvBlock(), nn.Identity()), repeat(nn.ConvBlock(), (0, 2)))
    supernet = Supernet(space, (3, 6, 6))
    sharing = supernet.sharing()
    assert sharing.params == sum(r.params for r in sharing.rows) == sum(p.numel() for p in supernet.parameters())
    largest = supernet.subnet(supernet.largest)
    assert sharing.largest_params == sum(p.numel() for p in largest.parameters()) == sharing.params
    assert not sharing.separate
    assert "sliced" in str(sharing)
    assert f"{sharing.largest_bytes:,} bytes" in str(sharing)


def test_alignment_finds_every_sequence_within_the_merged_one():
    sequences = [["a", "b", "a", "c"], ["b", "a"], ["a", "c", "d"], ["d"], ["c", "a", "b"]]
    options = [[[kind] for kind in s] for s in sequences]
    known = merged(options)
    for kinds in options:
        places = align(known, kinds)
        assert None not in places
        assert places == sorted(places)
        assert [known[p] for p in places] == [k[0] for k in kinds]
