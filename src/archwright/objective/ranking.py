"""Which trials are better: constrained dominance, fronts, the order of a leaderboard, the best."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from archwright.errors import ObjectiveError
from archwright.objective.pareto import crowding_distance, knee, non_dominated_sort
from archwright.trial import Trial

__all__ = ["best", "dominates", "latest", "non_dominated_rank", "pareto_front", "ranked"]


def dominates(a: Trial, b: Trial) -> bool:
    """Whether `a` is better than `b` whichever goal matters most.

    Definition 1 of Deb et al., *NSGA-II*, IEEE TEVC 6(2), 2002: a trial within all ceilings beats one that
    exceeds some; of two that exceed some, the one that exceeds less wins; of two within, `a` is at least as good
    in every goal and better in one. One addition: anything measured beats a failed trial.
    """
    first, second = _excess(a), _excess(b)
    if first != second:
        return first < second
    if first != 0:
        return False
    mine, other = _scores([a, b])
    return bool((mine <= other).all() and (mine < other).any())


def non_dominated_rank(trials: Sequence[Trial]) -> NDArray[np.int64]:
    """The front of each trial under `dominates`, shape (n_trials,): 0 is best, failed trials come last."""
    excess = np.array([_excess(t) for t in trials], dtype=float)
    within = np.flatnonzero(excess == 0)
    ranks = np.zeros(len(trials), dtype=np.int64)
    if len(within):
        ranks[within] = non_dominated_sort(_scores([trials[i] for i in within]))
    beyond = np.flatnonzero(excess != 0)
    if len(beyond):  # one front for each degree of violation
        first = ranks[within].max() + 1 if len(within) else 0
        ranks[beyond] = first + np.unique(excess[beyond], return_inverse=True)[1]
    return ranks


def pareto_front(trials: Iterable[Trial]) -> list[Trial]:
    """The measured trials within all ceilings that no other dominates, by the first goal, then the next.

    Where trials were trained for different numbers of epochs (`Proposal.epochs`), those of the longest training alone:
    see `ranked`. Empty while no trial is within the ceilings.
    """
    within = next(iter(_by_length([t for t in trials if _excess(t) == 0])), [])
    if not within:
        return []
    scores = _scores(within)
    front = np.flatnonzero(non_dominated_sort(scores) == 0)
    return [within[i] for i in sorted(front, key=lambda i: (tuple(scores[i]), within[i].number))]


def ranked(trials: Iterable[Trial], *, tie: Callable[[Trial], float] = lambda trial: 0.0) -> list[Trial]:
    """The order of a leaderboard, best first.

    One goal: by score. Several: by front, and within a front the lonelier first (NSGA-II's order). Then those
    above a ceiling, least first, and failed trials last. Equal trials come in the order of `tie`, the least first,
    and then of their numbers.

    Scores after different numbers of epochs cannot be compared. So those that were to train longest come first
    (`Proposal.epochs`; None is as long as the longest), each length in its own order: who was trained for long was
    chosen for it among those who were not.
    """
    listed = sorted(trials, key=lambda t: (tie(t), t.number))
    rest = [t for t in listed if _excess(t) != 0]
    order: list[Trial] = []
    for within in _by_length([t for t in listed if _excess(t) == 0]):
        scores = _scores(within)
        ranks = non_dominated_sort(scores)
        crowding = np.zeros(len(within))
        if scores.shape[1] > 1:
            for rank in range(ranks.max() + 1):
                crowding[ranks == rank] = crowding_distance(scores[ranks == rank])
        order += [within[i] for i in np.lexsort((-crowding, ranks))]
    return order + sorted(rest, key=_excess)


def latest(trials: Iterable[Trial]) -> list[Trial]:
    """The trials that no other goes on with (`Proposal.continues`): each architecture as it was trained longest.

    A longer training that failed takes nothing from what was measured before it.
    """
    listed = list(trials)
    gone_on = {t.proposal.continues for t in listed if t.status == "done"}
    return [t for t in listed if t.number not in gone_on]


def best(trials: Iterable[Trial]) -> Trial | None:
    """The one trial to take: the best score; with several goals the knee of the front. None if nothing is within.

    >>> best([]) is None
    True
    """
    front = pareto_front(trials)
    if not front:
        return None
    scores = _scores(front)
    return front[0] if scores.shape[1] == 1 else front[knee(scores)]


def _by_length(trials: Sequence[Trial]) -> list[list[Trial]]:
    """Groups of trials that were to train equally long, the longest first."""
    longest = max((t.proposal.epochs or 0 for t in trials), default=0)
    groups: dict[int, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(longest if trial.proposal.epochs is None else trial.proposal.epochs, []).append(trial)
    return [groups[length] for length in sorted(groups, reverse=True)]


def _excess(trial: Trial) -> float:
    """0 within all ceilings, above 0 beyond some, infinite when nothing was measured."""
    if trial.status == "done" and trial.scores is not None:
        return trial.violation
    if trial.status == "infeasible":
        # Refused before training, so it is beyond a ceiling even if by less than a float can tell.
        return max(trial.violation, math.ulp(0.0))
    return math.inf


def _scores(trials: Sequence[Trial]) -> NDArray[np.float64]:
    """Scores of measured trials, shape (n_trials, n_goals)."""
    lengths = {len(t.scores or ()) for t in trials}
    if len(lengths) > 1:
        raise ObjectiveError(f"trials with different numbers of goals cannot be compared: got {sorted(lengths)}")
    return np.array([t.scores for t in trials], dtype=float)
