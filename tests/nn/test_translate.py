"""Encoder-decoders: written token by token as all at once, padding unseen, tables shared as was said."""

import numpy as np
import pytest
import torch

from archwright import nn
from archwright.errors import EvaluationError, SpaceError
from archwright.nn import materialize
from archwright.nn.tokens import PAD

SOURCE, LENGTH, TOKENS = 7, 12, 20
BLOCKS = {
    "gru, dot": lambda: [nn.RecurrentDecoder("gru", "dot")],
    "lstm, additive": lambda: [nn.RecurrentDecoder("lstm", "additive"), nn.RecurrentDecoder("lstm", "additive")],
    "transformer, sine": lambda: [
        nn.DecoderPositions("sine"),
        nn.TransformerDecoder(2, 4),
        nn.TransformerDecoder(2, 4),
    ],
    "transformer, learned": lambda: [nn.DecoderPositions("learned"), nn.TransformerDecoder(3, 4)],
}


def network(name, share="none", layers=None):
    torch.manual_seed(0)
    layers = layers or [nn.Recurrent(5, bidirectional=True)]
    encoder = nn.TokenNetwork(nn.TokenEmbedding(TOKENS, 8), *layers)
    made = nn.EncoderDecoder(encoder, nn.Sequential(*BLOCKS[name]()), TOKENS, SOURCE, 8, share=share)
    return materialize(made, (LENGTH,), dtype=torch.int64).eval()


def tokens(n=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(2, TOKENS, (n, LENGTH), generator=generator)


@pytest.mark.parametrize("name", BLOCKS)
def test_token_by_token_says_the_same_as_all_at_once(name):
    net, x = network(name), tokens()
    x[0, 4:SOURCE] = PAD
    with torch.no_grad():
        memory, there = net.read(x[:, :SOURCE])
        past, said = net.first, []
        for i in range(SOURCE, LENGTH):
            scores, past = net.write(x[:, i : i + 1], memory, there, past)
            said.append(scores)
        torch.testing.assert_close(torch.cat(said, 2), net(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("layer", ["recurrent", "attention"])
def test_padding_of_the_source_is_not_seen(name, layer):
    layers = {
        "recurrent": lambda: [nn.Recurrent(5, bidirectional=True)],
        "attention": lambda: [nn.PositionalEncoding("conv"), nn.TransformerBlock(2, 4)],
    }
    net, x = network(name, layers=layers[layer]()), tokens()
    x[:, 4:SOURCE] = PAD
    with torch.no_grad():
        memory, there = net.read(x[:, :SOURCE])
        less = torch.cat([memory[:, :4], torch.randn(len(x), SOURCE - 4, 8)], 1)
        if "transformer" in name:  # what stands at padding is not attended to
            torch.testing.assert_close(net.write(x[:, SOURCE:], less, there)[0], net(x), rtol=1e-4, atol=1e-5)
        begun = net.write(x[:, SOURCE:], less * there.unsqueeze(2), there)[0]
        torch.testing.assert_close(begun, net(x), rtol=1e-4, atol=1e-5)


def test_shared_tables_are_one_and_padding_stays_zero_in_them():
    sizes = {}
    for share in nn.SHARES:
        net = network("gru, dot", share)
        source, target, out = net.encoder.layers[0].table.weight, net.embedding.table.weight, net.score.weight
        assert (source is target) == (share in ("source", "all"))
        assert (target is out) == (share in ("output", "all"))
        sizes[share] = sum(p.numel() for p in net.parameters())
        optimizer = torch.optim.AdamW(net.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(tokens()), tokens()[:, SOURCE:]).backward()
            optimizer.step()
        assert target[PAD].abs().max() == 0
        assert source[PAD].abs().max() == 0
    table = TOKENS * 8
    assert sizes["none"] - sizes["output"] == sizes["none"] - sizes["source"] == table
    assert sizes["none"] - sizes["all"] == 2 * table


def test_what_cannot_be_shared_or_made_is_said():
    encoder = nn.TokenNetwork(nn.TokenEmbedding(TOKENS + 1, 8), nn.Recurrent(5))
    with pytest.raises(EvaluationError, match=f"is not {TOKENS} x 8"):
        nn.EncoderDecoder(encoder, nn.RecurrentDecoder(), TOKENS, SOURCE, 8, share="all")
    with pytest.raises(SpaceError, match="unknown attention 'dots'"):
        nn.RecurrentDecoder(attention="dots")
    with pytest.raises(SpaceError, match="leaves none"):
        nn.spaces.translation((LENGTH,), TOKENS, source_length=LENGTH)


def test_every_sample_of_the_space_builds_trains_and_traces():
    space = nn.spaces.translation((LENGTH,), TOKENS, source_length=SOURCE, widths=(8, 16))
    rng, kinds = np.random.default_rng(0), set()
    for _ in range(12):
        architecture = space.sample(rng)
        kinds.add((architecture["encoder/kind"], architecture["decoder"]))
        net = materialize(space.build(architecture), (LENGTH,), dtype=torch.int64)
        torch.nn.functional.cross_entropy(net(tokens()), tokens()[:, SOURCE:]).backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
        net.eval()
        torch.testing.assert_close(torch.fx.symbolic_trace(net)(tokens()), net(tokens()))
    assert len(kinds) == 4
    apart = nn.spaces.translation((LENGTH,), TOKENS, source_length=SOURCE, joint=False)
    assert {apart.sample(rng)["share"] for _ in range(20)} == {"none", "output"}
