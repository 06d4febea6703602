"""Reading an architecture out of sampled weights: a strategy searches the supernet, and nothing is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from archwright.errors import ArchwrightError, EvaluationError, SpaceExhaustedError
from archwright.objective import ranked
from archwright.oneshot.fitting import fitting
from archwright.oneshot.ranking import ranking_goal
from archwright.oneshot.reading import shared_of
from archwright.oneshot.result import Ranked, Result
from archwright.strategy import RegularizedEvolution, Strategy
from archwright.trial import Measurement, Proposal, Trial

if TYPE_CHECKING:
    from archwright.oneshot.session import Session

__all__ = ["found_by", "searched"]


def searched(session: Session, *, candidates: int, strategy: Strategy | None = None) -> tuple[Ranked, ...]:
    """The best of `candidates` architectures that a strategy proposes and shared weights measure.

    Guo et al., *SPOS*, section 3.4, search by evolution; so does this, by ageing evolution with a population of a
    fifth of the candidates. An architecture above a ceiling is not measured and does not count, up to ten for each
    that does. They are ranked by `ranking_goal`. Where none that was proposed fits, the search begins again from one
    that does.

    Raises:
        NothingFitsError: No architecture meets the ceilings.
    """
    space, objectives, shared = session.space, session.objectives, shared_of(session)
    goal = ranking_goal(session.task, objectives.goals[0].metric)
    size = max(2, candidates // 5)
    strategy = strategy or RegularizedEvolution(space, population_size=size, tournament_size=max(1, min(5, size // 2)))
    names = tuple(sorted(objectives.needs))
    trials: list[Trial] = []

    def tried(proposal: Proposal, costs: dict[str, float] | None = None) -> Trial:
        number, key = len(trials), space.key(proposal.architecture)
        try:
            costs = dict(shared.costs(proposal.architecture, names)) if names and costs is None else costs or {}
            if (over := objectives.violation(costs)) > 0:
                return Trial(number, proposal, "infeasible", Measurement(costs=costs), violation=over, key=key)
            found = shared(proposal)
        except ArchwrightError as error:
            return Trial(number, proposal, "failed", reason=str(error), key=key)
        found = Measurement(found.metrics, {**found.costs, **costs}, seconds=found.seconds)
        return Trial(number, proposal, "done", found, (goal.score(found.metrics[goal.metric]),), key=key)

    def done() -> int:
        return sum(t.status == "done" for t in trials)

    while done() < candidates and len(trials) < 10 * candidates:
        if session.late and done() >= 2 * session.options.top:
            break
        try:
            proposal = strategy.ask(np.random.default_rng([session.seed, 31, len(trials)]))
        except SpaceExhaustedError:
            break
        trials.append(tried(proposal))
        strategy.tell(trials[-1])
    if not done():
        if not names:
            raise EvaluationError(f"no architecture could be measured with shared weights: {trials[-1].reason}")
        fits = fitting(space, [None] * len(space.decisions), objectives, shared.costs, k=session.options.top)
        trials += [tried(Proposal(f.architecture), dict(f.costs)) for f in fits]
        if not done():
            raise EvaluationError(f"no architecture could be measured with shared weights: {trials[-1].reason}")
    best = [t for t in ranked(trials) if t.status == "done" and t.measurement is not None]
    unique = list({t.key: t for t in reversed(best)}.values())[::-1]  # one of each function
    return tuple(
        Ranked(t.architecture, t.measurement.metrics, t.measurement.costs)
        for t in unique[: session.options.top]
        if t.measurement is not None
    )


def found_by(session: Session, top: tuple[Ranked, ...], **more: Any) -> Result:
    """The result of a run without gates."""
    return Result(
        algorithm=session.algorithm,
        task=session.task,
        supernet=session.supernet,
        top=top,
        history=tuple(session.history),
        read_from=session.history[-1].epoch if session.history else 0,
        stopped=session.stopped,
        settings=session.settings,
        metric=session.objectives.goals[0].metric,
        seconds=session.seconds,
        **more,
    )
