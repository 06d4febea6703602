"""An LSTM that builds architectures, decision by decision: the policy of `Reinforce` and `PPO`.

The only file of strategies that needs torch; it is imported when such a strategy is made.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from archwright.strategy.process import Process, Step

__all__ = ["Controller", "adam"]


class Controller(nn.Module):
    """``p(action | actions before)`` for every step of an episode.

    The controller of Zoph & Le, *Neural Architecture Search with Reinforcement Learning*, ICLR 2017
    (https://arxiv.org/abs/1611.01578), section 3.1, with the temperature and the tanh constant of Pham et al., *ENAS*,
    ICML 2018 (https://arxiv.org/abs/1802.03268). A step reads the embedding of the last action plus that of the place
    to decide (episodes of conditional spaces differ in their places), and its softmax is over the actions of that
    place alone. Weights begin uniform in -0.1..0.1, so that the first episodes are nearly uniform.

    Args:
        process: What is decided.
        hidden: Width of the LSTM and of the embeddings.
        layers: LSTM layers.
        temperature: What logits are divided by.
        tanh: Logits are kept between minus and plus this; 0: as they are.
        seed: Of the first weights.
    """

    def __init__(
        self, process: Process, *, hidden: int, layers: int, temperature: float, tanh: float, seed: int
    ) -> None:
        super().__init__()
        self.process, self.temperature, self.tanh = process, temperature, tanh
        sizes = process.sizes
        self.first = np.cumsum([0, *sizes]).tolist()  # where the actions of a place begin among all
        n_actions = max(1, self.first[-1])
        self.start = n_actions  # stands for the last action where there is none
        with torch.random.fork_rng(devices=[]):  # modules draw weights of their own: not from the user's generator
            self.action = nn.Embedding(n_actions + 1, hidden, dtype=torch.float64)
            self.place = nn.Embedding(len(sizes) or 1, hidden, dtype=torch.float64)
            self.lstm = nn.LSTM(hidden, hidden, layers, batch_first=True, dtype=torch.float64)
            self.head = nn.Linear(hidden, n_actions, dtype=torch.float64)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weight in self.parameters():
                weight.uniform_(-0.1, 0.1, generator=generator)
        belongs = torch.zeros(len(sizes) or 1, n_actions, dtype=torch.bool)
        for i, size in enumerate(sizes):
            belongs[i, self.first[i] : self.first[i] + size] = True
        self.belongs = nn.Buffer(belongs)

    def forward(
        self, actions: Tensor, places: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Log probabilities of all actions, minus infinity for those of other places, and the LSTM's state.

        Shapes: `actions` (the last ones taken, numbered over all places) and `places` are (n, steps), the result is
        (n, steps, n_actions).
        """
        out, state = self.lstm(self.action(actions) + self.place(places), state)
        logits = self.head(out) / self.temperature
        if self.tanh:
            logits = self.tanh * torch.tanh(logits)
        belongs = self.belongs[places]
        return logits.masked_fill(~belongs, -torch.inf).log_softmax(dim=-1), state

    def sample(self, rng: np.random.Generator, n: int = 1) -> list[list[int]]:
        """The codes of n episodes."""
        process = self.process
        codes: list[list[int]] = [[] for _ in range(n)]
        actions = torch.full((n, 1), self.start)
        state = None
        with torch.no_grad():
            while True:
                places = [process.place(row) for row in codes]
                if all(place is None for place in places):
                    return codes
                log_p, state = self(actions, torch.tensor([[p or 0] for p in places]), state)
                drawn = rng.random(n).tolist()
                for i, (place, p) in enumerate(zip(places, log_p[:, 0].exp().tolist(), strict=True)):
                    if place is not None:
                        first, size = self.first[place], process.sizes[place]
                        action = _drawn(p[first : first + size], drawn[i])
                        actions[i, 0] = first + action
                        codes[i].append(process.code(place, action, rng))

    def evaluate(self, episodes: Sequence[Sequence[Step]]) -> tuple[Tensor, Tensor]:
        """The log probability of each episode's actions, and the mean entropy of its steps. Shapes: (n,), (n,)."""
        n, longest = len(episodes), max(1, max(map(len, episodes)))
        taken = torch.zeros(n, longest, dtype=torch.long)
        places = torch.zeros(n, longest, dtype=torch.long)
        there = torch.zeros(n, longest, dtype=torch.bool)
        for i, steps in enumerate(episodes):
            for j, (place, action) in enumerate(steps):
                taken[i, j], places[i, j], there[i, j] = self.first[place] + action, place, True
        before = torch.cat([torch.full((n, 1), self.start), taken[:, :-1]], dim=1)
        log_p, _ = self(before, places)
        chosen = log_p.gather(2, taken.unsqueeze(2)).squeeze(2)
        finite = log_p.masked_fill(log_p == -torch.inf, 0.0)  # 0 * -inf would be no number
        entropy = -(finite.exp() * finite).sum(dim=2)
        steps_of = there.sum(dim=1).clamp(min=1)
        return (chosen * there).sum(dim=1), (entropy * there).sum(dim=1) / steps_of


def adam(controller: Controller, learning_rate: float) -> torch.optim.Optimizer:
    """What moves a controller's weights."""
    return torch.optim.Adam(controller.parameters(), lr=learning_rate)


def _drawn(probabilities: Sequence[float], u: float) -> int:
    for action, p in enumerate(probabilities):
        u -= p
        if u < 0:
            return action
    return len(probabilities) - 1
