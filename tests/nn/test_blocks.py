"""Every block on every kind of input that it takes."""

import copy
import pickle

import pytest
import torch
from torch import fx

from archwright import nn
from archwright.nn import is_materialized, materialize
from archwright.nn.inferred import Inferred

VECTOR, SEQUENCE, IMAGE = (6,), (4, 20), (4, 8, 8)


def convolutions(shape):
    d = len(shape) - 1
    pooled = {1: (10,), 2: (4, 4)}[d]
    return [
        (lambda: nn.ConvBlock(8), (8, *shape[1:])),
        (lambda: nn.ConvBlock(8, 5, stride=2, norm="group", activation="hardswish"), (8, *pooled)),
        (lambda: nn.ConvBlock(None, 3, dilation=2, groups=0, norm="none", dropout=0.2), (4, *shape[1:])),
        (lambda: nn.ConvBlock(8, 3, groups=2, norm="instance", init="orthogonal"), (8, *shape[1:])),
        (lambda: nn.ConvBlock(8, 3, padding="valid", norm="layer"), (8, *(n - 2 for n in shape[1:]))),
        (lambda: nn.SeparableBlock(8, 5, stride=2), (8, *pooled)),
        (lambda: nn.SeparableBlock(norm="none", middle=False), shape),
        (lambda: nn.DenseBlock(3, growth=5, bottleneck=2, dropout=0.1), (19, *shape[1:])),
        (lambda: nn.InvertedResidual(), shape),
        (lambda: nn.InvertedResidual(7, 1, 5, stride=2, squeeze=0.25), (7, *pooled)),
        (lambda: nn.SqueezeExcite(), shape),
        (lambda: nn.MaxPool(2), (4, *pooled)),
        (lambda: nn.AvgPool(3, 1, "same"), shape),
        (lambda: nn.GlobalPool("max"), (4,)),
        (lambda: nn.GlobalPool("avg", grid=3), (4 * 3**d if shape == SEQUENCE else 4 * 4**d,)),
        (lambda: nn.Norm("layer"), shape),
        (lambda: nn.Residual(nn.ConvBlock(9, stride=2)), (9, *pooled)),
        (lambda: nn.Residual(nn.ConvBlock(), project=False), shape),
        (lambda: nn.Parallel(nn.ConvBlock(3), nn.Identity(), merge="concat"), (7, *shape[1:])),
        (lambda: nn.Parallel(nn.ConvBlock(), nn.Zero(), nn.Identity()), shape),
        (lambda: nn.Loop(nn.ConvBlock(norm="layer"), 3), shape),
        (lambda: nn.Cell(nn.ConvBlock(), nn.Zero(), nn.Identity(), *(nn.ConvBlock() for _ in range(3))), shape),
        (
            lambda: nn.StateCell([[0], [0, 1]], [[nn.ConvBlock()], [nn.Identity(), nn.SeparableBlock(), nn.Zero()]]),
            (8, *shape[1:]),
        ),
        (lambda: nn.Classifier(10, hidden=(5, 10), dropout=0.1), (10,)),
        (lambda: nn.Classifier(10, pool="flatten", init="kaiming"), (10,)),
        (lambda: nn.Classifier(10, pool="max", grid=2), (10,)),
        (lambda: nn.Regressor(), (1,)),
        (lambda: nn.LinearBlock(5), (5,)),
    ]


SEQUENCES = [
    (lambda: nn.CausalBlock(7, 3, 4), (7, 20)),
    (lambda: nn.CausalBlock(norm="batch", dropout=0.1), (4, 20)),
    (lambda: nn.Recurrent(5), (5, 20)),
    (lambda: nn.Recurrent(5, "rnn", last=True), (5,)),
    (lambda: nn.Recurrent(5, "lstm", layers=2, bidirectional=True, dropout=0.1), (10, 20)),
    (lambda: nn.Recurrent(5, "gru", bidirectional=True, last=True, init="orthogonal"), (10,)),
    (lambda: nn.SelfAttention(2), (4, 20)),
    (lambda: nn.SelfAttention(3, head_width=5, dropout=0.1), (4, 20)),
    (lambda: nn.TransformerBlock(2, dropout=0.1), (4, 20)),
    (lambda: nn.PositionalEncoding("sine"), (4, 20)),
    (lambda: nn.PositionalEncoding("learned"), (4, 20)),
    (lambda: nn.PositionalEncoding("conv", 5), (4, 20)),
    (lambda: nn.Classifier(10, pool="last"), (10,)),
]
VECTORS = [
    (lambda: nn.LinearBlock(5, norm="batch", activation="mish", dropout=0.1), (5,)),
    (lambda: nn.Residual(nn.LinearBlock(None, norm="layer")), (6,)),
    (lambda: nn.Residual(nn.LinearBlock(9)), (9,)),
    (lambda: nn.Sequential(nn.Norm("group"), nn.Classifier(3)), (3,)),
    (lambda: nn.GlobalPool(), (6,)),
]
CASES = [
    *((SEQUENCE, *case) for case in [*convolutions(SEQUENCE), *SEQUENCES]),
    *((IMAGE, *case) for case in convolutions(IMAGE)),
    *((VECTOR, *case) for case in VECTORS),
]


def made(make, shape, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return materialize(make(), shape)


@pytest.fixture(params=CASES, ids=lambda case: f"{len(case[0])}d-{type(case[1]()).__name__}-{case[2]}")
def case(request):
    return request.param


def test_a_block_gives_the_shape_that_it_promises(case):
    shape, make, after = case
    x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    assert made(make, shape)(x).shape == (3, *after)


def test_a_block_is_plain_once_materialised(case):
    shape, make, _ = case
    module = made(make, shape)
    assert module.training
    assert is_materialized(module)
    assert not any(isinstance(part, torch.nn.modules.lazy.LazyModuleMixin) for part in module.modules())
    assert not any(part.waiting for part in module.modules() if isinstance(part, Inferred))


def test_a_block_traces_to_torch_modules_with_the_same_outputs(case):
    shape, make, _ = case
    module = made(make, shape).eval()
    traced = fx.symbolic_trace(module)
    x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(traced(x), module(x))
    for node in traced.graph.nodes:
        if node.op == "call_module":
            assert type(traced.get_submodule(node.target)).__module__.startswith("torch.nn")


def test_a_block_is_copied_and_pickled_before_and_after_materialising(case):
    shape, make, _ = case
    waiting = make()
    for copied in (copy.deepcopy(waiting), pickle.loads(pickle.dumps(waiting))):
        assert made(lambda copied=copied: copied, shape) is copied
    module = made(make, shape).eval()
    x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    for copied in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(copied(x), module(x))


def test_a_block_is_the_same_under_the_same_seed(case):
    shape, make, _ = case
    first, again = made(make, shape).state_dict(), made(make, shape).state_dict()
    assert first.keys() == again.keys()
    assert all(torch.equal(first[k], again[k]) for k in first)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: nn.Sequential(nn.InvertedResidual(8, squeeze=0.25, stride=2), nn.Classifier(3)), IMAGE),
        (lambda: nn.Sequential(nn.Recurrent(5, bidirectional=True, last=True), nn.Classifier(3)), SEQUENCE),
        (lambda: nn.Sequential(nn.PositionalEncoding("sine"), nn.TransformerBlock(2), nn.Classifier(3)), SEQUENCE),
        (lambda: nn.Sequential(nn.CausalBlock(), nn.DenseBlock(2, 3), nn.Classifier(3, pool="last")), SEQUENCE),
    ],
    ids=["mobile", "recurrent", "transformer", "causal"],
)
@pytest.mark.filterwarnings("ignore:The tensor attributes .*_flat_weights:UserWarning")  # torch's own recurrent layers
def test_a_network_exports_with_a_dynamic_batch(make, shape):
    module = made(make, shape).eval()
    batch = torch.export.Dim("batch")
    exported = torch.export.export(module, (torch.randn(4, *shape),), dynamic_shapes=({0: batch},)).module()
    x = torch.randn(7, *shape)
    torch.testing.assert_close(exported(x), module(x))


def test_the_first_input_completes_a_block_in_the_mode_that_it_is_in():
    block = nn.ConvBlock(3, dropout=0.5).eval()
    block(torch.zeros(2, 1, 9))
    assert not any(part.training for part in block.modules())


def test_torch_lazy_layers_and_any_torch_class_stand_beside_ours():
    module = materialize(nn.Sequential(nn.LazyConv2d(3, 3), nn.MaxPool2d(2), nn.LazyLinear(2)), (1, 8, 8))
    assert type(module[0]) is torch.nn.Conv2d
    assert nn.MaxPool2d is nn.MaxPool2d
    with pytest.raises(AttributeError, match="Did you mean 'ConvBlock'"):
        nn.ConvBlok


def test_every_exported_name_exists():
    assert all(getattr(nn, name) is not None for name in nn.__all__)
