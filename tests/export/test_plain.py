"""`plain`: a network without the modules that only connected it."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from archwright import nn as an
from archwright.errors import ExportError
from archwright.export import plain

sys.path.insert(0, str(Path(__file__).parent))
from export_networks import IMAGE, TRACEABLE, Branches, Gated, trained


@pytest.mark.parametrize("name", TRACEABLE)
def test_a_plain_network_gives_the_same_outputs_and_holds_only_torch_layers(name):
    make, shape = TRACEABLE[name]
    network = trained(make)
    flat = plain(network, shape)
    x = torch.randn(5, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(flat(x.clone()), network(x.clone()), atol=1e-5)
    assert all(type(layer).__module__.startswith("torch.nn") for layer in flat.children())


def test_it_unpickles_and_learns_where_archwright_is_not_installed(tmp_path, elsewhere):
    body = an.Sequential(
        an.ConvBlock(8),
        an.Residual(an.SeparableBlock(8)),
        an.Parallel(an.ConvBlock(4), an.ConvBlock(4)),
        an.Classifier(10),
    )
    network = trained(lambda: an.materialize(body, IMAGE))
    flat = plain(network, IMAGE)
    torch.save(flat, tmp_path / "plain.pt")
    x = torch.randn(4, *IMAGE)
    torch.save(x, tmp_path / "x.pt")
    elsewhere(
        "import torch\n"
        "n = torch.load('plain.pt', weights_only=False); x = torch.load('x.pt')\n"
        "with torch.no_grad(): torch.save(n(x), 'y.pt')\n"
        "before = n.conv1.weight.clone()\n"
        "n.train(); n(x).square().sum().backward()\n"
        "torch.optim.SGD(n.parameters(), 0.1).step()\n"
        "assert not torch.equal(before, n.conv1.weight)"
    )
    with torch.no_grad():
        assert torch.allclose(torch.load(tmp_path / "y.pt"), network(x), atol=1e-5)


def test_the_original_is_neither_changed_nor_shared():
    network = trained(Branches).train()
    before = {n: t.clone() for n, t in network.state_dict().items()}
    flat = plain(network, IMAGE)
    with torch.no_grad():
        for p in flat.parameters():
            p.zero_()
    assert network.training
    assert not flat.training
    assert all(torch.equal(t, before[n]) for n, t in network.state_dict().items())


def test_the_global_generator_is_left_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    plain(an.Sequential(an.ConvBlock(8), an.Classifier(3)), IMAGE)
    assert torch.equal(torch.rand(1), expected)


def test_what_cannot_be_traced_stays_whole_inside_a_plain_network():
    network = trained(Gated)
    flat = plain(network, IMAGE)
    assert {type(layer).__name__ for layer in flat.children()} == {"Flatten", "Linear", "Gate"}
    for value in (-3.0, 3.0):
        x = torch.full((1, *IMAGE), value)
        with torch.no_grad():
            assert torch.allclose(flat(x), network(x))


def test_hooks_that_change_the_output_are_not_lost():
    network = trained(Branches)
    network.head.register_forward_hook(lambda module, given, output: output * 3)
    network.residual.register_forward_hook(lambda module, given, output: output + 1)
    x = torch.randn(2, *IMAGE)
    with torch.no_grad():
        assert torch.allclose(plain(network, IMAGE)(x), network(x), atol=1e-5)


def test_a_wrong_input_shape_is_said():
    with pytest.raises(ExportError, match=r"does not run on an input of shape \(3, 2, 8, 8\).*input_shape"):
        plain(trained(Branches), (2, 8, 8))
    with pytest.raises(ExportError, match=r"only a torch.nn.Module"):
        plain("network", (1,))


def test_a_second_argument_with_a_default_keeps_it():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(3, 3)

        def forward(self, x, scale=2.0, mask=None):
            y = self.a(x) * scale
            return y if mask is None else y * mask

    network = Two().eval()
    x = torch.randn(2, 3)
    assert torch.allclose(plain(network, (3,))(x), network(x))
