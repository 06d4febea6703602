"""BANANAS: an ensemble of small networks on path encodings, and independent Thompson sampling."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

import numpy as np

from archwright.errors import SpaceError
from archwright.objective import ranked
from archwright.space import Architecture, Space
from archwright.strategy.seen import Seen
from archwright.strategy.strategy import Strategy
from archwright.trial import Proposal, Trial

__all__ = ["Bananas"]

ENCODINGS = ("auto", "path", "decisions")
MOST_PATHS = 500
LOOKED_AT = 32


class Bananas(Strategy):
    """Predict scores by an ensemble of small networks, and try the mutation of a good one that could be best.

    White, Neiswanger & Savani, *BANANAS: Bayesian Optimization with Neural Architectures for Neural Architecture
    Search*, AAAI 2021 (https://arxiv.org/abs/1910.11858), Algorithm 1: path encoding (section 4), feedforward networks
    trained for the loss of equation 1, candidates by small mutations of the best, independent Thompson sampling (for
    each candidate one draw from the normal distribution of the ensemble's mean and deviation; the least is proposed).
    Departures:

    - One architecture is proposed at a time; the ensemble is trained again after every `every` results, as theirs is
      after every batch. Pending ones are left out of the candidates.
    - A path is a sequence of labels from input to output of `Space.graph`, so for any space; of the paths among the
      results the most frequent `features` count, where the paper keeps the shortest. Where random architectures share
      few paths (in a chain of layers each is alone) or have too many, decisions are encoded instead, by `Space.encode`.
    - The lower bound of equation 1, which a user would have to know, is the best score less a tenth of the distance
      to the median. Scores worse than six times that distance from the best are cut off there.
    - With several goals the networks learn places in the order of constrained Pareto rank, then crowding. A trial above
      a ceiling counts as worse than the worst, by its violation; a failed one is not learnt from.

    Args:
        space: Where architectures are drawn and mutated.
        initial: Random architectures tried before the first training.
        every: Results between trainings of the ensemble; *k* in the paper.
        networks: In the ensemble.
        layers: Hidden layers of each network.
        width: Units of each hidden layer.
        epochs: Of each training, in batches of 32, with Adam.
        learning_rate: Of Adam.
        candidates: Mutations among which the proposal is drawn.
        parents: So many of the best are mutated.
        encoding: ``path``, ``decisions``, or ``auto``, which looks at some architectures.
        features: Paths that count.
        seed: Of the networks' weights and batches.
    """

    def __init__(
        self,
        space: Space,
        *,
        initial: int = 10,
        every: int = 10,
        networks: int = 5,
        layers: int = 10,
        width: int = 20,
        epochs: int = 150,
        learning_rate: float = 0.01,
        candidates: int = 100,
        parents: int = 10,
        encoding: str = "auto",
        features: int = 300,
        seed: int = 0,
    ):
        counts = {"initial": initial, "every": every, "layers": layers, "width": width, "epochs": epochs}
        counts |= {"candidates": candidates, "parents": parents, "features": features}
        for name, value in counts.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if networks < 2:
            raise ValueError(f"networks must be at least 2, for they shall differ, got {networks}")
        if not learning_rate > 0:
            raise ValueError(f"learning_rate must be above 0, got {learning_rate}")
        if encoding not in ENCODINGS:
            raise ValueError(f"encoding cannot be {encoding!r}: allowed are {', '.join(ENCODINGS)}")
        self.space = space
        self.initial = initial
        self.every = every
        self.networks = networks
        self.layers = layers
        self.width = width
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.candidates = candidates
        self.parents = parents
        self.encoding = encoding
        self.features = features
        self.seed = seed
        self._paths: dict[str, frozenset[str]] = {}  # by canonical key
        self._by_path = encoding == "path" or (encoding == "auto" and self._has_paths())
        self._seen = Seen(space)
        self._learnt: list[Trial] = []
        self._best: list[Trial] | None = None  # of all learnt; None after a tell
        self._trained_on = 0
        self._vocabulary: list[str] = []
        self._ensemble: _Ensemble | None = None

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        if len(self._learnt) < self.initial:
            return Proposal(self._seen.fresh(rng, pending), origin="random")
        if self._best is None:
            self._best = ranked(self._learnt)[: self.parents]
        candidates = self._mutations(self._best, rng, pending)
        if not candidates:
            return Proposal(self._seen.fresh(rng, pending), origin="random, for want of new mutations of the best")
        mean, deviation = self.predict([a for a, _ in candidates])
        chosen, parent = candidates[int(np.argmin(rng.normal(mean, deviation)))]
        return Proposal(chosen, parents=(parent.number,), origin=f"mutation of {parent.number}")

    def tell(self, trial: Trial) -> None:
        self._seen.add(trial)
        scored = trial.status == "done" and trial.scores is not None and bool(np.all(np.isfinite(trial.scores)))
        if scored or trial.status == "infeasible":
            self._learnt.append(trial)
            self._best = None

    def predict(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation over the ensemble: smaller is better, in units of the targets it learns.

        Raises:
            ValueError: Fewer than `initial` results have been told.
        """
        if len(self._learnt) < self.initial:
            raise ValueError(f"the ensemble learns from {self.initial} results on, there are {len(self._learnt)}")
        # A function of what was told, whenever it is asked for: a resumed search has the same networks.
        n = self.initial + (len(self._learnt) - self.initial) // self.every * self.every
        if self._ensemble is None or self._trained_on != n:
            trials = self._learnt[:n]
            architectures_then = [t.architecture for t in trials]
            if self._by_path:
                count = Counter(path for a in architectures_then for path in self._paths_of(a))
                # Ties in alphabetical order: a set has none that every process agrees on.
                self._vocabulary = sorted(count, key=lambda path: (-count[path], path))[: self.features]
            self._ensemble = _Ensemble(self.networks, self.layers, self.width, np.random.default_rng([self.seed, n]))
            self._ensemble.fit(self._encode(architectures_then), targets(trials), self.epochs, self.learning_rate)
            self._trained_on = n
        predicted = self._ensemble(self._encode(architectures))
        return predicted.mean(axis=0), predicted.std(axis=0)

    def _mutations(
        self, best: Sequence[Trial], rng: np.random.Generator, pending: Sequence[Proposal]
    ) -> list[tuple[Architecture, Trial]]:
        """New mutations by one and by two decisions, of each of the best in turn."""
        found: dict[str, tuple[Architecture, Trial]] = {}
        also = {self.space.key(p.architecture) for p in pending}
        for drawn in range(2 * self.candidates):
            parent = best[drawn % len(best)]
            child = self._mutated(parent.architecture, rng, 1 + drawn // len(best) % 2)
            if child is None:
                continue
            key = self.space.key(child)
            if key not in found and key not in also and self._seen.new([key]):
                found[key] = (child, parent)
                if len(found) == self.candidates:
                    break
        return list(found.values())

    def _mutated(self, architecture: Architecture, rng: np.random.Generator, steps: int) -> Architecture | None:
        try:
            for _ in range(steps):
                architecture = self.space.mutate(architecture, rng)
        except SpaceError:  # it has no mutation: alone in its space, or rules forbid them all
            return None
        return architecture

    def _encode(self, architectures: Sequence[Architecture]) -> np.ndarray:
        if not self._by_path:
            return np.asarray(self.space.encode(architectures), dtype=np.float32)
        column = {path: i for i, path in enumerate(self._vocabulary)}
        rows = np.zeros((len(architectures), len(column)), dtype=np.float32)
        for row, architecture in zip(rows, architectures, strict=True):
            row[[column[path] for path in self._paths_of(architecture) if path in column]] = 1.0
        return rows

    def _paths_of(self, architecture: Architecture) -> frozenset[str]:
        key = self.space.key(architecture)
        if key not in self._paths:
            if len(self._paths) > 20_000:
                self._paths.clear()
            self._paths[key] = paths(self.space, architecture)
        return self._paths[key]

    def _has_paths(self) -> bool:
        """Whether random architectures share most of their paths, so that there is something to learn from them."""
        drawn = [paths(self.space, a) for a in self.space.sample(np.random.default_rng(0), LOOKED_AT)]
        count = Counter(path for found in drawn for path in found)
        shared = sum(n for n in count.values() if n > 1)
        return max(map(len, drawn)) < MOST_PATHS and 2 * shared > sum(count.values())


def paths(space: Space, architecture: Architecture) -> frozenset[str]:
    """The paths from input to output of what an architecture computes, as texts; at most the first `MOST_PATHS`."""
    graph = space.graph(architecture)
    ways: dict[int, list[str]] = {0: [""]}
    last = graph.number_of_nodes() - 1
    for node in range(1, last + 1):  # numbered in topological order
        label = graph.nodes[node]["label"]
        before = itertools.chain.from_iterable(ways.get(source, ()) for source in sorted(graph.predecessors(node)))
        distinct = dict.fromkeys(way if label in ("output", "sum") else f"{way} > {label}" for way in before)
        ways[node] = list(itertools.islice(distinct, MOST_PATHS))
    return frozenset(ways.get(last, ()))


def targets(trials: Sequence[Trial]) -> np.ndarray:
    """What the ensemble learns: above 0, small is good, relative errors count. Shape: (n_trials,)."""
    done = np.array([t.status == "done" and t.violation == 0 for t in trials])
    found = np.empty(len(trials))
    if done.any():
        measured = [t for t, d in zip(trials, done, strict=True) if d]
        if len(measured[0].scores or ()) == 1:
            scores = np.array([t.scores[0] for t in measured if t.scores])
        else:
            place = {t.number: float(i) for i, t in enumerate(ranked(measured))}
            scores = np.array([place[t.number] for t in measured])
        best = scores.min()
        span = np.median(scores) - best or scores.max() - best or 1.0
        found[done] = 0.1 + np.minimum((scores - best) / span, 6.0)
    worst = found[done].max() if done.any() else 1.0
    excess = np.array([t.violation / (1 + t.violation) if np.isfinite(t.violation) else 1.0 for t in trials])
    found[~done] = worst + excess[~done]
    return found


class _Ensemble:
    """Small networks of one shape, trained side by side: every array has them on its first axis."""

    def __init__(self, networks: int, layers: int, width: int, rng: np.random.Generator):
        self.networks, self.layers, self.width, self.rng = networks, layers, width, rng

    def fit(self, x: np.ndarray, y: np.ndarray, epochs: int, learning_rate: float, batch: int = 32) -> None:
        """Train from new weights. Shapes: x (n, n_features), y (n,)."""
        sizes = [x.shape[1], *[self.width] * self.layers, 1]
        shapes = [s for a, b in itertools.pairwise(sizes) for s in ((self.networks, a, b), (self.networks, 1, b))]
        y = y.astype(np.float32)
        ends = np.cumsum([np.prod(s) for s in shapes]).tolist()
        flat, gradient = np.zeros((2, ends[-1]), dtype=np.float32)  # one array for Adam, whose parts are the layers
        self.weights = [part.reshape(s) for part, s in zip(np.split(flat, ends[:-1]), shapes, strict=True)]
        into = [part.reshape(s) for part, s in zip(np.split(gradient, ends[:-1]), shapes, strict=True)]
        for w in self.weights[::2]:
            w[:] = self.rng.normal(0, np.sqrt(2 / max(1, w.shape[1])), w.shape)  # He et al. 2015
        self.weights[-1][:] = np.median(y)
        first, second, step = np.zeros_like(flat), np.zeros_like(flat), 0
        for _ in range(epochs):
            order = self.rng.permuted(np.tile(np.arange(len(y)), (self.networks, 1)), axis=1)
            for start in range(0, len(y), batch):
                taken = order[:, start : start + batch]
                self._gradient(x[taken], y[taken][..., None], into)
                step += 1
                first += 0.1 * (gradient - first)
                second += 0.001 * (gradient**2 - second)
                rate = learning_rate * (1 - 0.999**step) ** 0.5 / (1 - 0.9**step)
                flat -= rate * first / (np.sqrt(second) + 1e-8)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Predictions of each network. Shapes: (n, n_features) to (n_networks, n)."""
        return self._forward(np.broadcast_to(x, (self.networks, *x.shape)))[-1][..., 0]

    def _forward(self, x: np.ndarray) -> list[np.ndarray]:
        values = [x]
        for i in range(0, len(self.weights), 2):
            x = x @ self.weights[i] + self.weights[i + 1]
            x = np.maximum(x, 0) if i + 2 < len(self.weights) else x
            values.append(x)
        return values

    def _gradient(self, x: np.ndarray, y: np.ndarray, into: list[np.ndarray]) -> None:
        """Of the mean of ``|prediction / y - 1|``, equation 1 of the paper."""
        values = self._forward(x)
        error = np.sign(values[-1] - y) / y / y.shape[1]
        for i in range(len(self.weights) - 2, -1, -2):
            below = values[i // 2]
            np.matmul(below.swapaxes(1, 2), error, out=into[i])
            np.sum(error, axis=1, keepdims=True, out=into[i + 1])
            if i:
                error = (error @ self.weights[i].swapaxes(1, 2)) * (below > 0)
