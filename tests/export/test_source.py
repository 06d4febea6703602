"""The written source: readable, correct, and in need of torch alone."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from archwright import nn as an
from archwright.export import Card, export, read_card
from archwright.export.flat import flatten
from archwright.export.forms import open_form
from archwright.export.source import Words, write_source
from archwright.nn.spaces import audio, convnet, mlp, mobile, sequence

sys.path.insert(0, str(Path(__file__).parent))
from export_networks import IMAGE, SEQUENCE, TRACEABLE, Attention, Branches, Gated, Recurrent, Tied, trained

ONLY_SOURCE = ("weights", "source")
SPACES = {
    "convnet": (lambda: convnet((1, 8, 8), 10), (1, 8, 8)),
    "mobile": (lambda: mobile((3, 16, 16), 5), (3, 16, 16)),
    "sequence": (lambda: sequence((2, 40), 5), (2, 40)),
    "audio": (lambda: audio((1, 900), 5, sample_rate=8000), (1, 900)),
    "mlp": (lambda: mlp((12,), 3), (12,)),
}


def source_of(network: nn.Module, shape: tuple[int, ...], **words) -> str:
    return write_source(flatten(network, shape), shape, torch.float32, Words(**words))


@pytest.mark.parametrize("name", TRACEABLE)
def test_the_source_gives_the_same_outputs(name, tmp_path, ruff):
    make, shape = TRACEABLE[name]
    network = trained(make)
    card = export(network, tmp_path, input_shape=shape, forms=ONLY_SOURCE)
    assert not card.left_out
    x = torch.randn(5, *shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = network(x.clone())
        assert torch.allclose(open_form(tmp_path, "source")(x), expected, atol=1e-5)
        other = trained(make, seed=1)(x.clone())
    assert not torch.allclose(other, expected, atol=1e-3), "the comparison would not notice other weights"
    assert ruff(tmp_path / "model.py") == ""


@pytest.mark.parametrize("space", SPACES)
def test_random_networks_of_every_default_space_are_written_as_source(space, tmp_path, ruff):
    make, shape = SPACES[space]
    space, rng = make(), np.random.default_rng(5)
    for i in range(4):
        architecture = space.sample(rng)
        network = trained(lambda a=architecture: an.materialize(space.build(a), shape))
        card = export(network, tmp_path / str(i), input_shape=shape, forms=ONLY_SOURCE)
        assert card.left_out == {}, architecture
        text = (tmp_path / str(i) / "model.py").read_text()
        assert "archwright" not in text.replace("found by archwright.", "")
        assert ruff(tmp_path / str(i) / "model.py") == ""


def test_a_chain_reuses_x_and_a_branch_gets_the_next_letter():
    text = source_of(trained(Branches), IMAGE)
    assert "x = self.conv1(x)\n" in text
    assert "y = self.conv2(x)\n" in text
    assert "x = x + y\n" in text
    assert "# residual: Residual -> (batch, 8, 8, 8)" in text
    for noise in ("getattr_1", "= None", "getattr(", "_tensor_constant"):
        assert noise not in text


def test_constructors_are_written_as_people_write_them():
    text = source_of(trained(Branches), IMAGE)
    assert "self.conv1 = nn.Conv2d(1, 8, kernel_size=3, padding=1, bias=False)\n" in text
    assert "self.norm1 = nn.BatchNorm2d(8)\n" in text
    assert "self.linear = nn.Linear(8, 10)\n" in text
    assert "Identity" not in text
    assert "Dropout" not in text
    text = source_of(trained(Recurrent), SEQUENCE)
    assert "self.lstm = nn.LSTM(3, 6, num_layers=2, batch_first=True, bidirectional=True)\n" in text
    assert 'nn.RNN(5, 4, batch_first=True, nonlinearity="relu")' in text
    text = source_of(trained(Attention), SEQUENCE)
    assert "self.attention = nn.MultiheadAttention(8, 2, batch_first=True)\n" in text


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 6, (3, 1), stride=2, padding="valid", groups=2, padding_mode="zeros"),
        nn.Conv1d(4, 4, 3, padding=1, padding_mode="circular"),
        nn.ConvTranspose1d(4, 2, 4, stride=2, output_padding=1),
        nn.BatchNorm1d(4, eps=1e-3, momentum=None, affine=False),
        nn.BatchNorm1d(4, track_running_stats=False),
        nn.GroupNorm(2, 4),
        nn.LayerNorm((4, 9), bias=False),
        nn.MaxPool1d(3, stride=1, padding=1, ceil_mode=True),
        nn.AdaptiveAvgPool2d((None, 2)),
        nn.PReLU(4),
        nn.LeakyReLU(0.2),
        nn.Hardtanh(-2.0, 2.0),
        nn.Upsample(scale_factor=2, mode="nearest"),
        nn.Linear(9, 3, bias=False, dtype=torch.float64),
        nn.GELU(approximate="tanh"),
        nn.Softmax(dim=1),
        nn.Unflatten(1, (2, 2)),
        nn.GRU(9, 4, bias=False, dropout=0.1, num_layers=2),
        nn.LSTM(9, 4, proj_size=2),
        nn.MultiheadAttention(8, 2, bias=False, kdim=4, vdim=6, add_bias_kv=True, add_zero_attn=True),
        nn.TransformerEncoderLayer(8, 2, 16, 0.0, nn.functional.gelu, 1e-4, True, True, False),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_layer_is_rebuilt_by_its_constructor(layer):
    from archwright.export.carry import Carried
    from archwright.export.constructor import constructor, equal

    text = constructor(layer, Carried())
    made = eval(text, {"torch": torch, "nn": nn, "F": nn.functional})
    assert equal(layer, made)
    assert repr(made) == repr(layer)
    assert {n: t.shape for n, t in made.state_dict().items()} == {n: t.shape for n, t in layer.state_dict().items()}


def test_layers_that_differ_in_one_argument_are_not_taken_for_equal():
    from archwright.export.constructor import equal

    assert equal(nn.Conv1d(2, 2, 3, padding=1), nn.Conv1d(2, 2, 3, padding=1))
    assert not equal(nn.Conv1d(2, 2, 3, padding=1), nn.Conv1d(2, 2, 3, padding=1, padding_mode="circular"))
    assert not equal(nn.MaxPool1d(2), nn.MaxPool1d(2, ceil_mode=True))
    assert not equal(nn.Sequential(nn.ReLU()), nn.Sequential(nn.Tanh()))


def test_a_module_whose_python_depends_on_the_data_comes_along_with_what_it_needs(tmp_path, elsewhere):
    network = trained(Gated)
    card = export(network, tmp_path / "out", input_shape=IMAGE, forms=ONLY_SOURCE)
    assert not card.left_out
    text = (tmp_path / "out" / "model.py").read_text()
    assert "class Gate(nn.Module)" in text
    assert "def doubled(" in text
    assert "THRESHOLD = 0.1" in text
    assert "class Gated" not in text
    x = torch.stack([torch.full((1, 8, 8), v) for v in (-3.0, 3.0)])
    torch.save(x, tmp_path / "x.pt")
    printed = elsewhere(
        "import torch, sys; sys.path.insert(0, 'out'); from model import load\n"
        "n = load(); print([n(x[None]).tolist() for x in torch.load('x.pt')])"
    )
    with torch.no_grad():
        expected = [network(row[None]).tolist() for row in x]
    assert np.allclose(eval(printed), expected, atol=1e-5)


def test_a_class_made_where_there_is_no_source_is_left_out_with_the_reason(tmp_path):
    space = {"nn": nn}
    exec(
        "class Odd(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.a = nn.Linear(4, 4)\n"
        "    def forward(self, x):\n        return self.a(x) if x.sum() > 0 else x\n",
        space,
    )
    card = export(space["Odd"](), tmp_path, input_shape=(4,), forms=ONLY_SOURCE)
    assert set(card.left_out) == {"source"}
    assert "source of Odd is not found" in card.left_out["source"]
    assert not (tmp_path / "model.py").exists()
    assert (tmp_path / "weights.safetensors").exists()


def test_a_user_class_that_needs_another_library_is_left_out_with_the_reason(tmp_path):
    card = export(NeedsNumpy().eval(), tmp_path, input_shape=(4,), forms=ONLY_SOURCE)
    assert "numpy" in card.left_out["source"]
    assert "torch alone" in card.left_out["source"]


def test_tied_weights_load_on_both_sides(tmp_path):
    network = trained(Tied)
    card = export(network, tmp_path, input_shape=(7,), forms=ONLY_SOURCE, dtype=torch.int64)
    assert not card.left_out
    assert card.input_dtype == "int64"
    tokens = torch.randint(0, 11, (4, 7), generator=torch.Generator().manual_seed(0))
    loaded = open_form(tmp_path, "source")
    with torch.no_grad():
        assert torch.equal(loaded(tokens), network(tokens))
    assert loaded.linear.weight is loaded.embedding.weight


def test_the_docstring_says_what_the_network_is():
    costs, metrics = (
        {"params": 1234, "latency_ms": 0.51234},
        {"test": {"accuracy": {"mean": 0.987, "interval": [0.98, 0.99]}}},
    )
    text = source_of(
        trained(Branches), IMAGE, name='a "quoted\\" name', costs=costs, metrics=metrics, labels=["cat", "dog"]
    )
    compile(text, "model.py", "exec")
    assert "(batch, 1, 8, 8), float32" in text
    assert "params 1,234, latency_ms 0.5123" in text
    assert "test accuracy mean 0.987, interval 0.98 to 0.99" in text
    assert "cat, dog" in text


def test_the_file_runs_by_itself_with_nothing_but_torch(tmp_path, elsewhere):
    export(trained(Branches), tmp_path / "out", input_shape=IMAGE, forms=ONLY_SOURCE, card=Card(name="digits"))
    refused = ("archwright", "safetensors", "onnx", "onnxruntime", "sklearn", "pandas")
    printed = elsewhere(
        "import runpy; runpy.run_path('out/model.py', run_name='__main__')",
        refused=refused,
    )
    assert printed.startswith("tensor([[")


class NeedsNumpy(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)

    def forward(self, x):
        return self.a(x) * float(np.sign(x.sum().item()) + 2)


@pytest.mark.slow
@pytest.mark.parametrize("space", SPACES)
def test_random_networks_of_every_default_space_leave_in_every_form(space, tmp_path):
    make, shape = SPACES[space]
    space, rng = make(), np.random.default_rng(11)
    for i in range(2):
        architecture = space.sample(rng)
        network = trained(lambda a=architecture: an.materialize(space.build(a), shape))
        card = export(network, tmp_path / str(i), input_shape=shape, card=Card(architecture=architecture))
        assert card.left_out == {}, architecture
        assert read_card(tmp_path / str(i)).architecture == dict(architecture)
