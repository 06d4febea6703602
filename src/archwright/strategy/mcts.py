"""Monte Carlo tree search over decisions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from archwright.objective import WeightedReward
from archwright.space import Space
from archwright.strategy.process import Process, Step
from archwright.strategy.reward import Reward
from archwright.strategy.seen import Seen
from archwright.strategy.strategy import Strategy
from archwright.trial import Proposal, Trial

__all__ = ["MonteCarloTreeSearch", "Node"]


class Node:
    """A state of the decision process that trials have gone through."""

    __slots__ = ("children", "closed", "total", "visits")

    def __init__(self) -> None:
        self.visits = 0
        self.total = 0.0  # sum of the rewards
        self.children: dict[int, Node] = {}
        self.closed = False  # nothing new is left below


class MonteCarloTreeSearch(Strategy):
    """Descend the tree of decisions where upper confidence bounds are highest, and decide the rest at random.

    UCT: Kocsis & Szepesvári, *Bandit Based Monte-Carlo Planning*, ECML 2006
    (https://doi.org/10.1007/11871842_29), which in a node takes the child with the highest
    ``mean reward + exploration * sqrt(ln(visits of the node) / visits of the child)``, unvisited children first.
    Applied to architectures by Wang et al., *AlphaX* (https://arxiv.org/abs/1903.11059). Departures:

    - A rollout is one real measurement; there is no predictor to average others with.
    - The tree grows by all nodes that a trial goes through, not by the first new one alone.
    - What has been proposed is never proposed again: branches that are told to their ends are closed, and an episode
      that ends in a function seen counts as a visit without reward for the rest of this ask. After `tries` of them a
      random architecture is proposed.
    - Pending proposals are visits without reward too (virtual loss: Chaslot et al., CG 2008).
    - The reward is by default the rank among trials (`Reward`), and all means are taken anew when it shifts.
    - At `max_nodes` it stops growing, and goes on learning in the nodes that it has.

    Args:
        space: Where architectures are built.
        exploration: What uncertainty counts for, against rewards in 0..1; sqrt(2) in theory, less with few trials.
        levels: Actions that a real or a large integer has.
        tries: Episodes in search of a new function.
        max_nodes: Nodes of the tree at most.
        weighted: What several goals are worth; no plain value, so resuming a run then needs the strategy again.
        scale: As in `Reward`.
    """

    def __init__(
        self,
        space: Space,
        *,
        exploration: float = 0.5,
        levels: int = 8,
        tries: int = 50,
        max_nodes: int = 100_000,
        weighted: WeightedReward | None = None,
        scale: Literal["range", "rank"] = "rank",
    ):
        if not (exploration >= 0 and math.isfinite(exploration)):
            raise ValueError(f"exploration must be finite and 0 or more, got {exploration}")
        for name, value in (("tries", tries), ("max_nodes", max_nodes)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        self.space = space
        self.exploration = exploration
        self.levels = levels
        self.tries = tries
        self.max_nodes = max_nodes
        self.weighted = weighted
        self.scale = scale
        self._process = Process(space, levels=levels)
        self._reward = Reward(weighted, scale=scale)
        self._seen = Seen(space)
        self._told: list[tuple[Trial, list[Step]]] = []
        self.root = Node()
        self.n_nodes = 1

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        virtual: dict[tuple[Step, ...], int] = {}  # visits without reward, by the steps that lead to a node
        for proposal in pending:
            self._visit(self._process.codes(proposal.architecture), virtual)
        found = self._process.first_new(self._episodes(rng, virtual), self._seen, pending)
        if found is None:
            return Proposal(self._seen.fresh(rng, pending), origin="random, for want of new leaves")
        return Proposal(found, origin="tree search")

    def tell(self, trial: Trial) -> None:
        self._seen.add(trial)
        changed = self._reward.add(trial)
        self._told.append((trial, self._process.steps(self._process.codes(trial.architecture))))
        self._grow(self._told[-1][1])
        if changed:
            for node in self._nodes():
                node.visits, node.total = 0, 0.0
        for other, steps in self._told if changed else self._told[-1:]:
            reward = self._reward.of(other)
            for node in self._path(steps):
                node.visits += 1
                node.total += reward

    def _episodes(self, rng: np.random.Generator, virtual: dict[tuple[Step, ...], int]) -> Iterator[list[int]]:
        for _ in range(self.tries):
            node: Node | None = self.root

            def choose(place: int, steps: Sequence[Step]) -> int:
                nonlocal node
                if node is None:  # below the tree: a rollout
                    return int(rng.integers(self._process.sizes[place]))
                action = self._best(node, place, tuple(steps), virtual, rng)
                node = node.children.get(action)
                return action

            codes = self._process.episode(choose, rng)
            yield codes
            self._visit(codes, virtual)  # whoever goes on has refused it

    def _best(
        self,
        node: Node,
        place: int,
        steps: tuple[Step, ...],
        virtual: dict[tuple[Step, ...], int],
        rng: np.random.Generator,
    ) -> int:
        """The action with the highest upper confidence bound; among those never tried, any."""
        bounds: list[float] = []
        also = [virtual.get((*steps, (place, a)), 0) for a in range(self._process.sizes[place])] if virtual else None
        log = math.log(max(1, node.visits + (sum(also) if also else 0)))
        for action in range(self._process.sizes[place]):
            child = node.children.get(action)
            lost = also[action] if also else 0
            if child is not None and child.closed:
                bounds.append(-math.inf)
                continue
            visits = lost + (child.visits if child is not None else 0)
            if visits == 0:
                bounds.append(math.inf)
            else:
                mean = (child.total if child is not None else 0.0) / visits
                bounds.append(mean + self.exploration * math.sqrt(log / visits))
        highest = max(bounds)
        best = [action for action, bound in enumerate(bounds) if bound == highest]
        return best[0] if len(best) == 1 else best[rng.integers(len(best))]

    def _visit(self, codes: Sequence[int], virtual: dict[tuple[Step, ...], int]) -> None:
        """A visit without reward, as far as the tree reaches and one step further."""
        steps = tuple(self._process.steps(codes))
        for i in range(1, min(len(self._path(steps)), len(steps)) + 1):
            virtual[steps[:i]] = virtual.get(steps[:i], 0) + 1

    def _grow(self, steps: Sequence[Step]) -> None:
        """Add the nodes of an episode, and close those below which all has been told."""
        node = self.root
        for _, action in steps:
            if action not in node.children:
                if self.n_nodes >= self.max_nodes:
                    return
                node.children[action] = Node()
                self.n_nodes += 1
            node = node.children[action]
        path = self._path(steps)
        sizes = [(self.space.decisions[place].size, self._process.sizes[place]) for place, _ in steps]
        path[-1].closed = all(codes == actions for codes, actions in sizes)  # else an action stands for several codes
        for node, (_, actions) in zip(reversed(path[:-1]), reversed(sizes), strict=True):
            node.closed = len(node.children) == actions and all(c.closed for c in node.children.values())

    def _path(self, steps: Sequence[Step]) -> list[Node]:
        """The nodes of an episode from the root on, as far as the tree reaches."""
        path = [self.root]
        for _, action in steps:
            child = path[-1].children.get(action)
            if child is None:
                break
            path.append(child)
        return path

    def _nodes(self) -> Iterator[Node]:
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            waiting += node.children.values()
            yield node
