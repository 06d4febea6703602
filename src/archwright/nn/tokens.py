"""Networks that read numbers of tokens: an embedding, and layers that never see padding."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from archwright.errors import EvaluationError
from archwright.nn.attention import TimeFirst
from archwright.nn.check import at_least, fraction, one_of, rank_of
from archwright.nn.inferred import Block, Inferred
from archwright.nn.init import INITS, initialize
from archwright.space import Flow

__all__ = ["PAD", "NextToken", "TokenEmbedding", "TokenNetwork", "cleared", "flattened", "reads_mask", "token_flow"]

PAD = 0
"""The number of the token that fills up short texts, at their ends."""


class TokenEmbedding(nn.Module):
    """A learned vector for each token, and zeros for padding. Shapes: (B, T) int64 -> (B, width, T).

    Args:
        vocabulary: How many tokens there are, padding (number 0) among them.
        width: Numbers in a vector.
        dropout: Share of the numbers dropped.
        std: Deviation of the first vectors. Torch's own, 1, would drown what training adds at small learning rates.
    """

    def __init__(self, vocabulary: int, width: int, dropout: float = 0.0, std: float = 0.1):
        super().__init__()
        at_least("TokenEmbedding", 1, vocabulary=vocabulary, width=width)
        fraction("TokenEmbedding", dropout=dropout)
        self.vocabulary, self.width = vocabulary, width
        self.table = nn.Embedding(vocabulary, width, padding_idx=PAD)
        nn.init.normal_(self.table.weight, std=std)
        nn.init.zeros_(self.table.weight[PAD].detach())
        self.drop = nn.Dropout(dropout) if dropout else nn.Identity()

    def forward(self, tokens: Tensor) -> Tensor:
        """The vectors of (B, T) numbers."""
        return self.drop(self.table(tokens)).transpose(1, 2)


class TokenNetwork(Inferred):
    """Layers one after the other on token numbers (B, T), of which 0 is padding and stands at the end.

    What a network says of a text does not depend on how far it is padded: after each layer padded positions are set to
    zero, which is what a convolution sees beyond the end anyway; and layers that pool, attend or read backwards
    (`Block.reads_mask`) are told where the text ends. Sequences inside are taken apart; a layer must keep
    the positions, or take them together.

    Args:
        layers: An embedding first, and what turns (B, C, T) into the output.
    """

    def __init__(self, *layers: nn.Module):
        super().__init__()
        self.layers = nn.ModuleList(flattened(layers))
        self.reads: tuple[bool, ...] = ()
        self.clears: tuple[bool, ...] = ()

    def forward(self, tokens: Tensor) -> Tensor:
        """All layers; the first input decides which of them read the mask, and after which padding is cleared."""
        there = tokens != PAD
        if self.waiting:
            return self._first(tokens, there)
        x = tokens
        for layer, reads, clears in zip(self.layers, self.reads, self.clears, strict=True):
            x = layer(x, there) if reads else layer(x)
            if clears:
                x = x * there.unsqueeze(1)
        return x

    def _first(self, tokens: Tensor, there: Tensor) -> Tensor:
        x, decided = tokens, []
        for layer in self.layers:
            reads = x.dim() == 3 and reads_mask(layer)
            x = layer(x, there) if reads else layer(x)
            clears = x.dim() == 3 and not isinstance(layer, (TokenEmbedding, nn.Dropout, nn.Dropout1d))
            x = cleared(f"a {type(layer).__name__}", x, there) if clears else x
            decided.append((reads, clears))
        self.reads, self.clears = (tuple(flags) for flags in zip(*decided, strict=True))
        self.waiting = False
        return x


def reads_mask(layer: nn.Module) -> bool:
    """Whether a layer on (B, C, T) is to be told where there is padding.

    Raises:
        EvaluationError: One inside it is, which it cannot tell.
    """
    if isinstance(layer, Block) and layer.reads_mask:
        return True
    if any(isinstance(part, Block) and part.reads_mask for part in layer.modules()):
        raise EvaluationError(
            f"TokenNetwork: a {type(layer).__name__} holds a layer to which padding matters, and cannot pass "
            f"the mask on; let that layer stand by itself in the network"
        )
    return False


def cleared(layer: str, x: Tensor, there: Tensor) -> Tensor:
    """What a layer made, (B, C, T), with zeros where there is padding.

    Raises:
        EvaluationError: It did not keep the positions.
    """
    if x.shape[2] != there.shape[1]:
        raise EvaluationError(
            f"TokenNetwork: {layer} turns {there.shape[1]} positions into {x.shape[2]}, so "
            f"that nobody knows which are padding; keep all of them (stride 1, odd kernels), or pool over all"
        )
    return x * there.unsqueeze(1)


def flattened(layers: tuple[nn.Module, ...]) -> list[nn.Module]:
    """Sequences taken apart, identities left out."""
    found: list[nn.Module] = []
    for layer in layers:
        if type(layer) is nn.Sequential:
            found += flattened(tuple(layer))
        elif type(layer) is not nn.Identity:
            found.append(layer)
    return found


def token_flow(flow: Flow, x: Any, *layers: Any) -> Any:
    """One after the other. Which mask they see is decided by the input, and the same for all."""
    return flow.chain(layers, x)


class NextToken(Block):
    """At every position a score for each token: does it come next? Shapes: (B, C, T) -> (B, n_outputs, T).

    A layer norm of each position, dropout, and a linear layer, as at the end of GPT-2 (Radford et al. 2019).

    Args:
        n_outputs: How many tokens there are.
        dropout: Before the linear layer.
        init: One of `archwright.nn.INITS`.
    """

    def __init__(self, n_outputs: int, dropout: float = 0.0, init: str = "default"):
        super().__init__()
        at_least("NextToken", 1, n_outputs=n_outputs)
        fraction("NextToken", dropout=dropout)
        one_of("NextToken", "init", init, INITS)
        self.n_outputs, self.dropout, self.init = n_outputs, dropout, init

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        rank_of("NextToken", shape, (3,))
        parts: list[nn.Module] = [nn.LayerNorm(shape[1]), nn.Linear(shape[1], self.n_outputs)]
        if self.dropout:
            parts.insert(1, nn.Dropout(self.dropout))
        return initialize(TimeFirst(nn.Sequential(*parts)), self.init)
