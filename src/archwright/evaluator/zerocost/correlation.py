"""Does a proxy say anything here? Its rank correlation to what trainings gave, and the decision to go on with it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from archwright.errors import EvaluationError

if TYPE_CHECKING:
    from archwright.space import Architecture
    from archwright.trial import Trial

__all__ = ["LEAST", "Judgement", "RankCorrelation", "judge", "rank_correlation", "results_of"]

LEAST = 10
"""So many trainings decide whether a proxy is kept."""


@dataclass(frozen=True)
class RankCorrelation:
    """Kendall's tau-b with a bootstrap interval.

    Args:
        tau: 1 where the orders are the same, -1 where they are opposite; NaN where one of them is constant.
        low: Lower end of the interval.
        high: Its upper end.
        n: Pairs it is from.
    """

    tau: float
    low: float
    high: float
    n: int


def rank_correlation(
    values: Sequence[float],
    results: Sequence[float],
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> RankCorrelation:
    """Kendall's tau-b of a proxy's `values` and of `results`, for both of which more is better.

    Kendall, *The Treatment of Ties in Ranking Problems*, Biometrika 1945. The interval is the percentile bootstrap over
    architectures (Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter 13); pairs of the same
    architecture drawn twice count as ties. Pairs with a NaN are left out.

    >>> rank_correlation([1, 2, 3, 4], [10, 30, 20, 40]).tau.__round__(3)
    0.667
    """
    if len(values) != len(results):
        raise EvaluationError(f"there are {len(values)} values and {len(results)} results: they must be as many")
    x, y = np.asarray(values, dtype=float), np.asarray(results, dtype=float)
    known = ~(np.isnan(x) | np.isnan(y))
    x, y = x[known], y[known]
    n = len(x)
    if n < 2:
        return RankCorrelation(math.nan, math.nan, math.nan, n)
    a, b = np.sign(np.subtract.outer(x, x)), np.sign(np.subtract.outer(y, y))
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples).astype(float)
    taus = _taus(a, b, drawn)
    taus = taus[~np.isnan(taus)]
    tail = (1 - confidence) / 2
    low, high = np.quantile(taus, [tail, 1 - tail]) if len(taus) else (math.nan, math.nan)
    return RankCorrelation(float(_taus(a, b, np.ones((1, n)))[0]), float(low), float(high), n)


def _taus(a: np.ndarray, b: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Tau-b of each row of counts, which say how often each architecture was drawn."""

    def pairs(signs: np.ndarray) -> np.ndarray:
        return np.einsum("rn,rn->r", counts @ signs, counts)

    with np.errstate(invalid="ignore", divide="ignore"):
        return pairs(a * b) / np.sqrt(pairs(a * a) * pairs(b * b))


@dataclass(frozen=True)
class Judgement:
    """What trainings say of one proxy.

    Args:
        proxy: Its name.
        correlation: With the results of trainings.
        verdict: ``kept``; ``dropped``, since after enough trainings its correlation is not positive; or ``undecided``
            before that.
    """

    proxy: str
    correlation: RankCorrelation
    verdict: Literal["kept", "dropped", "undecided"]

    @property
    def in_use(self) -> bool:
        """Whether to go on with it: until enough trainings are there it has the benefit of the doubt."""
        return self.verdict != "dropped"

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"proxy": self.proxy, **asdict(self.correlation), "verdict": self.verdict}


def judge(
    scores: Sequence[Mapping[str, float]],
    results: Sequence[float],
    *,
    least: int = LEAST,
    resamples: int = 1000,
    seed: int = 0,
) -> list[Judgement]:
    """Which proxies to go on with, by the trainings so far: those of positive rank correlation, once there are enough.

    The rule is on the correlation itself, not on its interval, which after ten trainings is about as wide as 1.

    >>> scores = [{"good": i, "bad": -i} for i in range(10)]
    >>> [(j.proxy, j.verdict) for j in judge(scores, range(10))]
    [('good', 'kept'), ('bad', 'dropped')]

    Args:
        scores: Of each trained architecture, its proxies; NaN for what cannot be computed. See `ZeroCost.score`.
        results: What its training gave, more being better. See `results_of`.
        least: So many trainings decide.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
    """
    if len(scores) != len(results):
        raise EvaluationError(f"there are {len(scores)} scores and {len(results)} results: they must be as many")
    found = []
    for proxy in dict.fromkeys(name for one in scores for name in one):
        column = [one.get(proxy, math.nan) for one in scores]
        correlation = rank_correlation(column, results, resamples=resamples, seed=seed)
        verdict: Literal["kept", "dropped", "undecided"] = "undecided"
        if len(results) >= least:  # a tau of NaN is dropped too: it tells nothing apart
            verdict = "kept" if correlation.tau > 0 else "dropped"
        found.append(Judgement(proxy, correlation, verdict))
    return found


def results_of(trials: Iterable[Trial]) -> dict[Architecture, float]:
    """What each trained architecture reached on the first goal, oriented so that more is better.

    Failed and infeasible trials have no result. Of an architecture that was trained several times (also in another
    form that computes the same) the longest training counts, of equally long ones the mean.
    """
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.status == "done" and trial.scores:
            found.setdefault(trial.key or trial.architecture.to_json(), []).append(trial)
    results = {}
    for same in found.values():
        longest = max(map(_epochs, same))
        scores = [-t.scores[0] for t in same if t.scores and _epochs(t) == longest]
        results[same[0].architecture] = sum(scores) / len(scores)
    return results


def _epochs(trial: Trial) -> float:
    return math.inf if trial.proposal.epochs is None else trial.proposal.epochs
