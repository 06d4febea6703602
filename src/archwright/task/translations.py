"""Translations as token numbers, both ways, and how a network writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from archwright.errors import DataError
from archwright.nn.tokens import PAD
from archwright.nn.translate import EncoderDecoder
from archwright.task.tokens import TextInputs, text_list, tokenizer_of

__all__ = ["SourceInputs", "Translations", "greedy"]

UNSAID = 2
"""Padding and the unknown token, which are never written."""


@dataclass(frozen=True)
class Translations:
    """Texts of the target language to int64 (n, length): token numbers, then the mark of the end, then 0.

    Args:
        words: How texts become tokens; `length` of them, the mark of the end among them. The mark is one more token
            than its vocabulary has, and also begins what a network has written.
    """

    words: TextInputs

    @property
    def end(self) -> int:
        """The number of the mark."""
        return self.words.vocabulary

    @property
    def length(self) -> int:
        """How many tokens there are at most, the mark among them."""
        return self.words.length

    def encode(self, values: Any, where: str = "targets") -> Tensor:
        """Texts to tokens; what is too long is cut."""
        tokens = self.words.prepare(text_list(values, where), where)
        tokens[:, -1] = PAD  # room for the mark
        last = (tokens != PAD).sum(1, keepdim=True)
        return tokens.scatter(1, last, self.end)

    def begun(self, tokens: Tensor) -> Tensor:
        """What a network has written before each of the tokens: all one on, after the mark that begins."""
        before = torch.cat([torch.full_like(tokens[:, :1], self.end), tokens[:, :-1]], 1)
        before[:, 1:][before[:, 1:] == self.end] = PAD
        return before

    def meant(self, begun: Tensor) -> Tensor:
        """The tokens that `begun` was made of."""
        tokens = torch.cat([begun[:, 1:], torch.full_like(begun[:, :1], PAD)], 1)
        return tokens.scatter(1, (tokens != PAD).sum(1, keepdim=True), self.end)

    def decode(self, tokens: Any) -> list[str]:
        """Tokens, up to the mark, to texts."""
        rows = [row[: row.index(self.end)] if self.end in row else row for row in torch.as_tensor(tokens).tolist()]
        return tokenizer_of(self.words.tokenizer).decode_batch(rows, skip_special_tokens=True)

    def answers(self, output: Tensor) -> list[str]:
        """The likeliest token after each that was given, as texts; a translation of its own takes `greedy`."""
        return self.decode(output.argmax(1))

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"kind": "translations", "words": self.words.to_json()}

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> Translations:
        """Read what `to_json` wrote."""
        return cls(TextInputs.from_json(d["words"]))


@dataclass(frozen=True)
class SourceInputs:
    """Texts of the source language to int64 (n, source + target length): the text, and a translation that is begun.

    One tensor holds both, since that is what a network reads; of new texts nothing is written but the mark.
    """

    source: TextInputs
    target: Translations

    def __call__(self, raw: Any) -> Tensor:
        """Texts, or a table that holds them, to a tensor."""
        return self.prepare(text_list(self.source.column_of(raw)))

    def prepare(self, texts: Any, written: Tensor | None = None) -> Tensor:
        """Texts, with tokens of their translations where these are known."""
        sources = self.source.prepare(texts)
        if written is None:
            written = torch.full((len(texts), self.target.length), PAD, dtype=torch.int64)
        return torch.cat([sources, self.target.begun(written)], 1)

    def column_of(self, raw: Any) -> Any:
        """The texts of a table; anything else as it is."""
        return self.source.column_of(raw)

    def translate(self, run: Callable[[Tensor], Any], raw: Any, batch: int = 64) -> list[str]:
        """Translations of new texts by a network in any form."""
        inputs = self(raw)
        tokens = [greedy(run, part, self.source.length, self.target.end) for part in inputs.split(batch)]
        return [text for part in tokens for text in self.target.decode(part)]

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"kind": "sources", "source": self.source.to_json(), "target": self.target.to_json()}

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> SourceInputs:
        """Read what `to_json` wrote."""
        return cls(TextInputs.from_json(d["source"]), Translations.from_json(d["target"]))


def greedy(run: Callable[[Tensor], Any] | nn.Module, inputs: Tensor, source: int, end: int) -> Tensor:
    """Token numbers (n, length) that a network writes, always the likeliest, up to the mark `end`; then 0.

    An `EncoderDecoder` reads the source once and writes token by token. Anything else (an exported form, a network of
    your own) is asked for all positions again and again, which says the same and takes longer.

    Args:
        run: (n, source + length) to scores (n, tokens, length).
        inputs: What is written in them already is not looked at.
        source: How many of the tokens are the source.
        end: The mark.
    """
    rows, length = len(inputs), inputs.shape[1] - source
    written = torch.full((rows, length), PAD, dtype=torch.int64, device=inputs.device)
    running = torch.ones(rows, dtype=torch.bool, device=inputs.device)
    step = _Stepwise(run, inputs[:, :source]) if isinstance(run, EncoderDecoder) else _Whole(run, inputs[:, :source])
    token = torch.full((rows,), end, dtype=torch.int64, device=inputs.device)
    with torch.no_grad():
        for place in range(length):
            scores = step(token, place, length).clone()
            scores[:, :UNSAID] = -torch.inf
            token = scores.argmax(1).where(running, torch.full_like(token, PAD))
            written[:, place] = token
            running &= token != end
            if not bool(running.any()):
                break
    return written


class _Stepwise:
    """Scores after one token more, of a network that keeps what it has seen."""

    def __init__(self, network: EncoderDecoder, source: Tensor):
        self.network, self.past = network, network.first
        with torch.no_grad():
            self.memory, self.there = network.read(source)

    def __call__(self, token: Tensor, place: int, length: int) -> Tensor:
        scores, self.past = self.network.write(token.unsqueeze(1), self.memory, self.there, self.past)
        return scores[:, :, 0]


class _Whole:
    """Scores after one token more, of a network that reads all that is written anew."""

    def __init__(self, run: Callable[[Tensor], Any], source: Tensor):
        self.run, self.source = run, source
        self.begun: Tensor | None = None

    def __call__(self, token: Tensor, place: int, length: int) -> Tensor:
        if self.begun is None:
            self.begun = torch.full((len(token), length), PAD, dtype=torch.int64, device=token.device)
        self.begun[:, place] = token
        output = self.run(torch.cat([self.source, self.begun], 1))
        scores: Tensor = output[0] if isinstance(output, (list, tuple)) else output
        if scores.ndim != 3 or scores.shape[2] != length:
            raise DataError(
                f"the network gives {tuple(scores.shape)}: one that translates gives (n, tokens, {length}), a score "
                f"for each token at each position"
            )
        return scores[:, :, place]
