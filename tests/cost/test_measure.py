import copy

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from archwright import cost
from archwright import nn as vocabulary
from archwright.errors import EvaluationError, ObjectiveError


class Runs(nn.Module):
    """A network from a function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def macs(module, shape, **options):
    return cost.measure(module, shape, ("macs",), **options)["macs"]


@pytest.mark.parametrize(
    ("module", "shape", "expected"),
    [
        (nn.Linear(20, 7), (20,), 20 * 7),
        (nn.Linear(20, 7, bias=False), (5, 20), 5 * 20 * 7),
        (nn.Conv2d(3, 8, 3, padding=1), (3, 10, 12), 8 * 10 * 12 * 3 * 9),
        (nn.Conv2d(3, 8, (3, 5), stride=2, bias=False), (3, 11, 13), 8 * 5 * 5 * 3 * 15),
        (nn.Conv2d(8, 16, 3, groups=4, padding="same"), (8, 6, 6), 16 * 36 * 2 * 9),
        (nn.Conv2d(8, 8, 3, groups=8), (8, 6, 6), 8 * 16 * 9),
        (nn.Conv2d(4, 6, 3, dilation=2), (4, 9, 9), 6 * 25 * 4 * 9),
        (nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"), (4, 9, 9), 6 * 81 * 4 * 9),
        (nn.Conv1d(4, 6, 5, stride=3), (4, 20), 6 * 6 * 4 * 5),
        (nn.Conv3d(2, 3, 3), (2, 5, 5, 5), 3 * 27 * 2 * 27),
        # Transposed: every input element is spread by a filter of (out / groups) x kernel.
        (nn.ConvTranspose2d(6, 4, 3, stride=2, output_padding=1), (6, 5, 7), 6 * 35 * 4 * 9),
        (nn.ConvTranspose2d(6, 4, 3, groups=2, padding=1, dilation=2), (6, 8, 8), 6 * 64 * 2 * 9),
        (nn.ConvTranspose1d(6, 4, 4), (6, 5), 6 * 5 * 4 * 4),
        # Recurrent: (gates x hidden) x (inputs + hidden) a step, layer and direction.
        (nn.RNN(8, 16, batch_first=True), (9, 8), 9 * 16 * (8 + 16)),
        (nn.RNN(8, 16, nonlinearity="relu", bias=False, batch_first=True), (9, 8), 9 * 16 * (8 + 16)),
        (nn.GRU(8, 16, batch_first=True), (9, 8), 9 * 48 * (8 + 16)),
        (nn.LSTM(8, 16, batch_first=True), (9, 8), 9 * 64 * (8 + 16)),
        (nn.LSTM(8, 16, num_layers=2, batch_first=True), (9, 8), 9 * 64 * ((8 + 16) + (16 + 16))),
        (nn.GRU(8, 16, 2, bidirectional=True, batch_first=True), (9, 8), 9 * 2 * 48 * ((8 + 16) + (32 + 16))),
        (nn.LSTM(8, 16, proj_size=5, batch_first=True), (9, 8), 9 * (64 * (8 + 5) + 5 * 16)),
        (nn.LSTM(8, 16), (5, 8), 5 * 64 * (8 + 16)),
        (nn.LSTMCell(8, 16), (8,), 64 * (8 + 16)),
        (nn.GRUCell(8, 16), (8,), 48 * (8 + 16)),
        # Attention over 7 tokens of 16: four projections, scores and gathering (two heads change nothing).
        (
            Runs(lambda x, a=nn.MultiheadAttention(16, 2, batch_first=True): a(x, x, x)[0]),
            (7, 16),
            4 * 7 * 16 * 16 + 2 * 7 * 7 * 16,
        ),
        (
            Runs(lambda x, a=nn.MultiheadAttention(16, 4, batch_first=True): a(x, x, x, need_weights=False)[0]),
            (7, 16),
            4 * 7 * 16 * 16 + 2 * 7 * 7 * 16,
        ),
        (
            nn.TransformerEncoderLayer(16, 4, dim_feedforward=32, batch_first=True),
            (7, 16),
            4 * 7 * 16 * 16 + 2 * 7 * 7 * 16 + 2 * 7 * 16 * 32,
        ),
        (Runs(lambda x: functional.scaled_dot_product_attention(x, x, x)), (2, 7, 8), 2 * 7 * 7 * (8 + 8)),
        (Runs(lambda x: functional.scaled_dot_product_attention(x, x, x, is_causal=True)), (2, 7, 8), 2 * 7 * 7 * 16),
        (Runs(lambda x: functional.scaled_dot_product_attention(x, x[..., :5, :], x[..., :5, :3])), (7, 8), 7 * 5 * 11),
        (Runs(lambda x, b=nn.Bilinear(4, 4, 5): b(x, x)), (4,), 5 * 4 * 4),
        # Matrix products as expressions.
        (Runs(lambda x: x @ x.transpose(1, 2)), (6, 5), 6 * 6 * 5),
        (Runs(lambda x: torch.bmm(x, x.transpose(1, 2))), (6, 5), 6 * 6 * 5),
        (Runs(lambda x: torch.einsum("bij,bkj->bik", x, x)), (6, 5), 6 * 6 * 5),
        (Runs(lambda x: x[0] @ x[0, 0]), (6, 5), 6 * 5),
        (Runs(lambda x: torch.addmm(torch.zeros(6, 6), x[0], x[0].T)), (6, 5), 6 * 6 * 5),
        (Runs(lambda x: torch.tensordot(x[0], x[0], dims=([1], [1]))), (6, 5), 6 * 6 * 5),
        # Nothing is multiplied and added up here.
        (
            nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.GELU(), nn.Dropout(), nn.Flatten()),
            (3, 8, 8),
            0,
        ),
    ],
)
def test_multiply_accumulates_are_what_one_works_out_by_hand(module, shape, expected):
    assert macs(module, shape) == expected


def test_packed_sequences_count_their_true_steps():
    lstm = nn.LSTM(8, 16, bidirectional=True)

    def packed(x):
        pair = nn.utils.rnn.pack_sequence([x[0, :5], x[0, :3]])
        return lstm(pair)[0].data

    assert macs(Runs(packed), (5, 8)) == (5 + 3) * 2 * 64 * (8 + 16)


def test_torch_counts_the_same_convolutions_and_products():
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.SiLU(), nn.Conv2d(8, 8, 5, padding=4, dilation=2, groups=4),
        nn.ConvTranspose2d(8, 4, 2, 2), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(36, 10),
    ).eval()  # fmt: skip
    with torch.no_grad(), FlopCounterMode(display=False) as torchs:
        network(torch.zeros(1, 1, 28, 28))
    assert macs(network, (1, 28, 28)) == torchs.get_total_flops() / 2


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_results_have_the_shapes_that_torch_would_give():
    """Layers answered by formula must not mislead the layers after them."""
    layers = [
        (nn.Conv2d(4, 6, 3, 2, 1, 2, 2), (4, 17, 15)),
        (nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, 2), (4, 7, 9)),
        (nn.LSTM(5, 7, 2, bidirectional=True, proj_size=3, batch_first=True), (11, 5)),
        (nn.GRU(5, 7), (11, 5)),
        (nn.Linear(5, 7), (2, 3, 5)),
        (nn.MultiheadAttention(8, 2, batch_first=True), (6, 8)),
    ]

    def shapes(value):
        return tuple(value.shape) if isinstance(value, torch.Tensor) else [shapes(v) for v in value if v is not None]

    for layer, shape in layers:
        feed = (lambda x, f=layer: f(x, x, x)) if isinstance(layer, nn.MultiheadAttention) else layer
        seen = []

        def record(x, feed=feed, seen=seen):
            seen.append(shapes(feed(x)))
            return x

        cost.measure(Runs(record), shape, ("macs",))
        assert seen == [shapes(feed(torch.zeros(1, *shape)))]


def test_parameters_are_the_trainable_ones_and_bytes_are_all_that_is_stored():
    first, second = nn.Linear(10, 10), nn.Linear(10, 10)
    second.weight = first.weight  # shared: counts once
    first.bias.requires_grad_(False)
    network = nn.Sequential(first, nn.BatchNorm1d(10), second)
    network.register_buffer("scratch", torch.zeros(1000), persistent=False)
    found = cost.measure(network, 10)
    assert found["params"] == 100 + 10 + 20
    # weight, two biases, two of the norm, its running mean and variance; and its 8-byte counter of batches
    assert found["bytes"] == 4 * (100 + 20 + 20 + 20) + 8
    assert cost.measure(network.half(), 10, ["bytes"]) == {"bytes": 2 * 160 + 8}


IMAGE, MAPS = 28 * 28 * 4, 4 * 28 * 28 * 4


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        # The input is held by whoever calls; a convolution's result lives while the activation reads it.
        ([nn.ReLU()], IMAGE + MAPS + MAPS),
        ([nn.ReLU(inplace=True)], IMAGE + MAPS),
        ([nn.ReLU(), nn.Sigmoid(), nn.Tanh()], IMAGE + 2 * MAPS),
        ([nn.Flatten(), nn.Linear(4 * 784, 10)], IMAGE + MAPS + 40),
        ([nn.MaxPool2d(2)], IMAGE + MAPS + MAPS // 4),
    ],
)
def test_peak_bytes_are_the_tensors_that_live_at_once(layers, expected):
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), *layers)
    assert cost.measure(network, (1, 28, 28))["peak_bytes"] == expected


def test_what_a_forward_keeps_is_alive_and_what_it_drops_is_not():
    keep = Runs(lambda x: torch.cat([torch.relu(x), torch.tanh(x), torch.sigmoid(x)], dim=1))
    assert cost.measure(keep, (100,), ["peak_bytes"])["peak_bytes"] == 400 * (1 + 3 + 3)
    drop = Runs(lambda x: torch.sigmoid(torch.tanh(torch.relu(x))))
    assert cost.measure(drop, (100,), ["peak_bytes"])["peak_bytes"] == 400 * 3


def test_constants_and_weights_are_no_activations():
    class Adds(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.zeros(50, 100)
            self.register_buffer("more", torch.zeros(50, 100))
            self.weight = nn.Parameter(torch.zeros(50, 100))

        def forward(self, x):
            return x + self.table[3] + self.more[4] + self.weight[5].view(1, -1)

    # The input, and two sums of which the first dies when the second is there.
    assert cost.measure(Adds(), (100,))["peak_bytes"] == 3 * 400


def lazy_network():
    return nn.Sequential(
        nn.LazyConv2d(8, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Dropout(), nn.Flatten(), nn.LazyLinear(10)
    )


def test_a_lazy_network_costs_what_it_costs_when_materialised():
    network = lazy_network()
    before = cost.measure(network, (1, 28, 28))
    network.eval()(torch.zeros(2, 1, 28, 28))
    assert cost.measure(network, (1, 28, 28)) == before
    assert before["macs"] == 8 * 26 * 26 * 9 + 10 * 8 * 26 * 26


def test_a_network_of_our_own_vocabulary_costs_what_it_costs_when_materialised():
    network = vocabulary.Sequential(
        vocabulary.ConvBlock(8), vocabulary.SelfAttention(), vocabulary.GlobalPool(), vocabulary.Classifier(10)
    )
    before = cost.measure(network, (4, 16))
    assert not vocabulary.is_materialized(network)
    assert cost.measure(vocabulary.materialize(network, (4, 16)), (4, 16)) == before


@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("names", [("params", "macs", "bytes", "peak_bytes"), ("latency_ms",)])
def test_measuring_leaves_no_trace(lazy, names):
    network = lazy_network()
    if not lazy:
        network(torch.randn(4, 1, 28, 28))
    network.train()
    network[3].eval()
    uninitialised = (nn.parameter.UninitializedParameter, nn.parameter.UninitializedBuffer)
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    known = {k: copy.deepcopy(v.data) for k, v in tensors.items() if not isinstance(v, uninitialised)}
    modes, kinds = [m.training for m in network.modules()], [type(m) for m in network.modules()]
    generator, threads = torch.get_rng_state(), torch.get_num_threads()
    fused, grad = torch.backends.mha.get_fastpath_enabled(), torch.is_grad_enabled()

    cost.measure(network, (1, 28, 28), names)

    assert torch.equal(torch.get_rng_state(), generator)
    assert torch.get_num_threads() == threads
    assert (torch.backends.mha.get_fastpath_enabled(), torch.is_grad_enabled()) == (fused, grad)
    assert [m.training for m in network.modules()] == modes
    assert [type(m) for m in network.modules()] == kinds
    after = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    assert {k: id(v) for k, v in after.items()} == {k: id(v) for k, v in tensors.items()}
    assert all(torch.equal(after[k].data, v) for k, v in known.items())
    assert all(p.grad is None for p in network.parameters() if not isinstance(p, uninitialised))
    if lazy:
        assert not vocabulary.is_materialized(network)


def test_networks_that_deepcopy_refuses_can_be_measured():
    recomputed = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(5, 6)), nn.Linear(6, 2))
    assert macs(recomputed, 5) == 30 + 12
    computed = nn.Linear(5, 6)
    computed.scale = computed.weight * 2  # not a leaf: deepcopy raises
    assert macs(computed, 5) == 30


def test_networks_that_read_tokens_say_so_by_their_input_type():
    network = nn.Sequential(nn.Embedding(100, 16), nn.Flatten(), nn.Linear(16 * 7, 3))
    assert macs(network, 7, dtype=torch.int64) == 16 * 7 * 3


def test_a_forward_that_looks_at_values_can_be_measured():
    assert macs(Runs(lambda x: x @ x.T if x.sum().item() == 0 else x), (5,)) == 5


def test_measuring_works_inside_inference_mode():
    with torch.inference_mode():
        assert macs(lazy_network(), (1, 28, 28)) == macs(lazy_network(), (1, 28, 28))


def test_only_what_is_asked_for_comes_back_in_that_order():
    assert list(cost.measure(nn.Linear(2, 2), 2, ("macs", "params"))) == ["macs", "params"]
    assert cost.measure(nn.Linear(2, 2), 2, "params") == {"params": 6}
    with pytest.raises(ObjectiveError, match=r"'mac' is no cost.*Did you mean 'macs'"):
        cost.measure(nn.Linear(2, 2), 2, ("mac",))


@pytest.mark.parametrize(
    ("network", "shape", "place"),
    [
        (nn.Sequential(nn.Identity(), nn.Conv2d(3, 8, 3)), (1, 28, 28), r"\(1, 28, 28\) at '1' \(Conv2d\)"),
        (nn.Sequential(nn.Sequential(nn.Linear(5, 6))), (4,), r"at '0\.0' \(Linear\)"),
        (nn.Sequential(nn.Conv2d(1, 8, 9)), (1, 5, 5), r"at '0' \(Conv2d\).*[Kk]ernel"),
        (nn.Sequential(nn.LazyConv2d(8, 9), nn.LazyLinear(3)), (1, 5, 5), r"at '0' \(.*Conv2d\)"),
    ],
)
@pytest.mark.parametrize("name", ["macs", "latency_ms"])
def test_a_shape_that_cannot_work_is_an_error_that_names_the_place(network, shape, place, name):
    with pytest.raises(EvaluationError, match=place):
        cost.measure(network, shape, (name,))


@pytest.mark.parametrize("shape", [(), (0, 5), (-1,), "28x28", None, ("a",)])
def test_an_input_shape_holds_positive_numbers(shape):
    if shape == ():
        assert macs(Runs(lambda x: x), ()) == 0  # a scalar input is a shape too
        return
    with pytest.raises(EvaluationError, match="input_shape"):
        cost.measure(nn.Linear(2, 2), shape)


def test_a_part_that_sees_no_input_has_no_size():
    class Unused(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.LazyLinear(3), nn.LazyLinear(3)

        def forward(self, x):
            return self.used(x)

    with pytest.raises(EvaluationError, match="see no input"):
        cost.measure(Unused(), 5)
