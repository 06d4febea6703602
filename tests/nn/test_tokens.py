"""Networks that read tokens: padding is never seen, by any kind of layer, in any form."""

import pickle

import numpy as np
import pytest
import torch

from archwright import nn
from archwright.cost import latency, measure
from archwright.errors import EvaluationError
from archwright.export import export
from archwright.nn import materialize, spaces
from archwright.space import Space, choice

T = 14
LAYERS = {
    "average": lambda: [],
    "windows": lambda: [nn.Windows(6, "2+3")],
    "convolution": lambda: [nn.ConvBlock(6, 3, norm="none"), nn.Activation("silu")],
    "gru": lambda: [nn.Recurrent(6)],
    "lstm both ways": lambda: [nn.Recurrent(6, "lstm", layers=2, bidirectional=True)],
    "transformer": lambda: [nn.PositionalEncoding("sine"), nn.TransformerBlock(2, 4)],
    "attention": lambda: [nn.SelfAttention(2, 4)],
    "causal": lambda: [nn.TransformerBlock(2, 4, causal=True)],
}


def network(name, pool, length=T):
    torch.manual_seed(0)
    embedding = nn.TokenEmbedding(20, 8)
    net = nn.TokenNetwork(embedding, nn.Sequential(*LAYERS[name]()), nn.Classifier(3, pool=pool))
    return materialize(net, (length,), dtype=torch.int64).eval()


def texts(n=5):
    tokens = torch.randint(1, 20, (n, T), generator=torch.Generator().manual_seed(0))
    for i in range(n):
        tokens[i, 2 + 2 * i :] = 0
    return tokens


@pytest.mark.parametrize("pool", ["avg", "max", "last"])
@pytest.mark.parametrize("name", LAYERS)
def test_an_answer_does_not_depend_on_how_far_a_text_is_padded(name, pool):
    long, short = network(name, pool), network(name, pool, T - 2)
    if name == "transformer":  # the table of positions is as long as the input
        state = {k: v[..., : T - 2] if k.endswith("table") else v for k, v in long.state_dict().items()}
    else:
        state = long.state_dict()
    short.load_state_dict(state)
    tokens = texts()
    torch.testing.assert_close(short(tokens[:, : T - 2]), long(tokens))
    alone = torch.cat([long(row[None]) for row in tokens])
    torch.testing.assert_close(alone, long(tokens))
    other = torch.where(tokens > 0, 1 + tokens % 19, 0)
    assert not torch.allclose(long(other), long(tokens)), "and it does depend on the words"


@pytest.mark.parametrize("name", LAYERS)
def test_a_text_of_padding_alone_gives_numbers_and_gradients(name):
    net = network(name, "max").train()
    net(torch.zeros(2, T, dtype=torch.int64)).sum().backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in net.parameters())


def test_whoever_reads_backwards_begins_at_the_last_word():
    layer = nn.Recurrent(5, "gru", bidirectional=True)
    net = materialize(nn.TokenNetwork(nn.TokenEmbedding(9, 4), layer), (6,), dtype=torch.int64).eval()
    tokens = torch.tensor([[3, 1, 4, 0, 0, 0]])
    vectors = net.layers[0](tokens[:, :3]).transpose(1, 2)
    expected = layer.body.backwards[0](vectors.flip(1))[0].flip(1)
    torch.testing.assert_close(net(tokens)[:, 5:, :3], expected.transpose(1, 2))
    assert not net(tokens)[:, :, 3:].any()


def test_a_causal_block_reads_no_later_word():
    net = materialize(
        nn.TokenNetwork(nn.TokenEmbedding(9, 4), nn.TransformerBlock(2, 4, causal=True)), (6,), dtype=torch.int64
    )
    one, two = torch.tensor([[3, 1, 4, 1, 5, 2]]), torch.tensor([[3, 1, 4, 8, 8, 8]])
    torch.testing.assert_close(net.eval()(one)[:, :, :3], net(two)[:, :, :3])
    assert not torch.allclose(net(one)[:, :, 3:], net(two)[:, :, 3:])


def test_what_loses_positions_or_cannot_pass_the_mask_on_is_named():
    embedding = nn.TokenEmbedding(9, 4)
    with pytest.raises(EvaluationError, match="Pool turns 6 positions into 3"):
        materialize(nn.TokenNetwork(embedding, nn.MaxPool(2)), (6,), dtype=torch.int64)
    hidden = nn.Residual(nn.TransformerBlock(2, 4))
    with pytest.raises(EvaluationError, match="Residual holds a layer to which padding matters"):
        materialize(nn.TokenNetwork(embedding, hidden), (6,), dtype=torch.int64)
    with pytest.raises(EvaluationError, match="longer than the 6 positions"):
        materialize(nn.TokenNetwork(embedding, nn.Windows(4, "7")), (6,), dtype=torch.int64)


def test_costs_of_a_network_that_reads_tokens_are_counted_and_measured():
    net = network("windows", "max")
    costs = measure(net, (T,), dtype=torch.int64)
    parameters = 20 * 8 + 6 * 8 * (2 + 3) + 12 + 12 * 3 + 3
    products = T * 6 * 8 * (2 + 3) + 12 * 3
    assert (costs["params"], costs["macs"]) == (parameters, products), "looking vectors up multiplies nothing"
    assert costs["bytes"] == 4 * parameters
    assert costs["peak_bytes"] > 4 * T * 8 + 8 * T
    assert latency(net, (T,), dtype=torch.int64, repeats=30).conditions["dtype"] == "int64"


@pytest.mark.slow
def test_every_form_of_a_network_of_each_kind_equals_it(tmp_path):
    length = 5  # exporters unroll recurrent layers
    space = spaces.text((length,), 3, vocabulary=20, widths=(8,), depth=1)
    kinds = set()
    rng = np.random.default_rng(2)
    while len(kinds) < 4:
        architecture = space.sample(rng)
        if architecture["kind"] in kinds:
            continue
        kinds.add(architecture["kind"])
        net = materialize(space.build(architecture), (length,), dtype=torch.int64)
        folder = tmp_path / architecture["kind"]
        card = export(net, folder, input_shape=(length,), dtype=torch.int64, examples=texts()[:, :length])
        assert card.left_out == {}
        assert card.input_dtype == "int64"
        assert {f.form for f in card.files} == {"weights", "source", "onnx", "pt2"}


def test_an_embedding_is_one_decision_and_networks_that_differ_in_it_have_other_keys():
    space = Space(nn.TokenNetwork(nn.TokenEmbedding(9, choice(4, 8, name="width")), nn.Identity(), nn.Classifier(2)))
    one, two = space.architecture([0]), space.architecture([1])
    assert space.key(one) != space.key(two)
    assert [type(p).__name__ for p in space.build(two).layers] == ["TokenEmbedding", "Classifier"]


@pytest.mark.parametrize("make", [spaces.text, spaces.language])
def test_samples_of_the_spaces_build_learn_and_pickle(make):
    space = make((T,), 5, vocabulary=20, widths=(4, 6))
    for seed in range(6):
        network = space.build(space.sample(np.random.default_rng(seed)))
        network = materialize(network, (T,), dtype=torch.int64)
        output = network(texts(3))
        assert output.shape == ((3, 5) if make is spaces.text else (3, 5, T))
        output.square().sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
        again = pickle.loads(pickle.dumps(network.eval()))
        assert torch.equal(again(texts(3)), network(texts(3)))
    assert pickle.loads(pickle.dumps(space)).fingerprint == make((T,), 5, vocabulary=20, widths=(4, 6)).fingerprint
