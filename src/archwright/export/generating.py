"""Texts from a language model: what was begun goes on, token by token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from archwright.errors import DataError, ExportError
from archwright.task.tokens import TextInputs, text_list, tokenizer_of

__all__ = ["generate"]

SPECIAL = 2
"""Padding and the unknown token, which are never written."""


def generate(
    run: Callable[[Tensor], Any],
    inputs: TextInputs,
    beginnings: Sequence[str],
    *,
    tokens: int = 200,
    temperature: float = 0.8,
    seed: int = 0,
) -> list[str]:
    """How a language model goes on with each of the beginnings.

    Args:
        run: The network in any form: (n, window) token numbers to scores (n, tokens, window).
        inputs: How texts become token numbers.
        beginnings: Texts; an empty one begins with a line break, where there is such a token.
        tokens: How many to write.
        temperature: Scores are divided by it; 0 takes the likeliest token each time.
        seed: Of the draws: the same gives the same texts.

    Raises:
        DataError: no text to go on with, or settings that make no sense.
    """
    if tokens < 1 or temperature < 0:
        raise DataError(f"tokens={tokens}, temperature={temperature}: allowed are 1 or more, and 0 or more")
    tokenizer, window = tokenizer_of(inputs.tokenizer), inputs.length
    start = tokenizer.token_to_id("\n") or SPECIAL
    written = [tokenizer.encode(text).ids or [start] for text in text_list(beginnings, "beginnings")]
    lengths = [len(ids) for ids in written]
    generator = torch.Generator().manual_seed(seed)
    for _ in range(tokens):
        read = torch.zeros(len(written), window, dtype=torch.int64)
        last = []
        for row, ids in enumerate(written):
            seen = ids[-window:]
            read[row, : len(seen)] = torch.tensor(seen)
            last.append(len(seen) - 1)
        output = run(read)
        scores = output[0] if isinstance(output, (list, tuple)) else output
        if scores.ndim != 3:
            raise ExportError(f"the network gives {tuple(scores.shape)}: a language model gives (n, tokens, window)")
        chosen = _drawn(scores[torch.arange(len(written)), :, torch.tensor(last)].double(), temperature, generator)
        for ids, token in zip(written, chosen, strict=True):
            ids.append(token)
    return [tokenizer.decode(ids[n:], skip_special_tokens=False) for ids, n in zip(written, lengths, strict=True)]


def _drawn(scores: Tensor, temperature: float, generator: torch.Generator) -> list[int]:
    scores[:, :SPECIAL] = float("-inf")
    if temperature == 0:
        return scores.argmax(1).tolist()
    return torch.multinomial((scores / temperature).softmax(1), 1, generator=generator)[:, 0].tolist()
