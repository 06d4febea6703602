"""DARTS, and the bilevel loop that all differentiable methods are calls of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from archwright.oneshot.collapse import Eigenvalue, Stop, largest_eigenvalue, skip_codes, skip_share
from archwright.oneshot.gates import Maker, Softmax
from archwright.oneshot.logits import Logits
from archwright.oneshot.options import Options
from archwright.oneshot.point import Point
from archwright.oneshot.reading import Argmax, Reading, best_of
from archwright.oneshot.regularise import ExpectedCost, Moment, Regulariser, entropy
from archwright.oneshot.result import Result
from archwright.oneshot.session import Session
from archwright.oneshot.unrolled import unrolled_gradient
from archwright.supernet.elastic import MOST_COMBINATIONS
from archwright.supernet.expected import TABLED

if TYPE_CHECKING:
    from archwright.space import Space
    from archwright.task import Task

__all__ = ["bilevel", "darts"]


def darts(space: Space | Any, task: Task, *, order: Literal[1, 2] = 1, **settings: Any) -> Result:
    """Weights and soft gates in turns: gates descend the loss on samples that the weights do not learn from.

    Liu, Simonyan and Yang, *DARTS: Differentiable Architecture Search*, ICLR 2019 (https://arxiv.org/abs/1806.09055),
    algorithm 1. Departures: gates learn faster (see `bilevel`), for small data mean few steps; there is no "zero"
    operation but where the space has one; decisions of any kind are weighed, not only the operations of cells.

    Args:
        space: What to search; None for the task's own.
        task: The learning problem.
        order: 2 takes the gradient through a step of the weights (equation 6, by finite differences as in equation
            8), for about three times the time of a step.
        settings: Of `bilevel`, and of `archwright.oneshot.Options`.
    """
    return bilevel("darts", space, task, gates=Softmax(), order=order, **settings)


def bilevel(
    algorithm: str,
    space: Space | Any,
    task: Task,
    *,
    gates: Maker,
    regularise: Sequence[Regulariser] = (),
    read: Reading | None = None,
    stop: Sequence[Stop] = (),
    order: Literal[1, 2] = 1,
    joint: bool = False,
    share: float = 0.5,
    warmup: float = 0.0,
    partial: int = 1,
    gate_lr: float = 1e-2,
    gate_decay: float = 1e-3,
    cost_weight: float = 1.0,
    combinations: int = 16,
    checkpoint: bool = False,
    **options: Any,
) -> Result:
    """Train a supernet's weights and its gates, and read an architecture out.

    Args:
        algorithm: Its name, for the result.
        space: What to search; None for the task's own.
        task: The learning problem.
        gates: How gates are made from logits.
        regularise: What is added to the loss of the gates.
        read: How an architecture is read out; `Argmax` by default.
        stop: Signs of collapse that end the training; none by default.
        order: Of the gradient of the gates: see `darts`.
        joint: One loss for both: gates and weights learn from the same samples in one step (SNAS).
        share: Of the training samples that the weights learn from; without `joint`, the gates learn from the others.
        warmup: Share of the epochs in which gates do not learn yet.
        partial: Only one channel of so many goes through the candidates.
        gate_lr: Of Adam (its betas 0.5 and 0.999, as in DARTS' code). The papers' 3e-4 to 6e-4 are for 10,000 steps and
            more; here a run has some hundred.
        gate_decay: Decay of the logits, in Adam's manner; DARTS' own.
        cost_weight: Of the expected excess over each ceiling on params, macs or latency_ms, in the loss of the gates
            (`archwright.oneshot.ExpectedCost`). Latency is measured, so runs with a ceiling on it are not repeatable
            to the bit.
        combinations: At most 64. A layer whose sizes would have to be tried in more combinations than this in each
            forward has their gates drawn one-hot instead (`archwright.oneshot.logits.Logits`).
        checkpoint: Compute candidates again in backward instead of keeping them: less memory, more time.
        options: Of `archwright.oneshot.Options`.
    """
    told = {
        "gates": gates, "regularise": tuple(regularise), "read": read or Argmax(), "stop": tuple(stop), "order": order,
        "joint": joint, "warmup": warmup, "partial": partial, "gate_lr": gate_lr, "gate_decay": gate_decay,
        "cost_weight": cost_weight, "combinations": combinations,
    }  # fmt: skip
    _check(order, joint, share, warmup, combinations)
    session = Session(
        algorithm, space, task, Options(**options), told,
        share=1.0 if joint else share, partial=partial, checkpoint=checkpoint,
    )  # fmt: skip
    logits: Logits = Logits(session.supernet, session.seed, combinations).to(session.device)
    ceilings = [
        ExpectedCost(session.supernet, session.supernet.table(c.cost), c.limit, cost_weight)
        for c in session.objectives.ceilings
        if c.cost in TABLED
    ]
    terms: list[Regulariser] = [*regularise, *ceilings]
    gate_optimizer = torch.optim.Adam(logits.parameters(), lr=gate_lr, betas=(0.5, 0.999), weight_decay=gate_decay)
    session.keep("logits", logits)
    session.keep("gate_optimizer", gate_optimizer)
    weights = [p for group in session.optimizer.param_groups for p in group["params"]]
    skips = skip_codes(session.space)

    for step in session.steps():
        progress, learns = session.progress, session.progress >= warmup
        inputs, targets = session.batches.at(step)

        def drawn(stream: int, step: int = step, progress: float = progress) -> list[int | Tensor]:
            return logits.gates(gates, progress, session.draws(stream, step))

        def extra(progress: float = progress) -> Tensor:
            now = Moment(logits, gates, progress, drawn(0))
            return torch.stack([term(now) for term in terms]).sum() if terms else torch.zeros(())

        # The step of the gates, on samples held out from the weights.
        if learns and not joint:
            assert session.held is not None
            held = session.held.at(step)

            def held_loss(held: tuple[Tensor, Tensor] = held) -> Tensor:
                return session.loss(drawn(0), *held)

            def train_loss(inputs: Tensor = inputs, targets: Tensor = targets) -> Tensor:
                return session.loss(drawn(0), inputs, targets)

            gate_optimizer.zero_grad()
            if order == 2:
                loss, gradients = unrolled_gradient(
                    weights, list(logits.values), train_loss, held_loss, session.optimizer
                )
            else:
                loss = held_loss()
                gradients = list(torch.autograd.grad(loss, list(logits.values), allow_unused=True))
            if terms:
                extra().backward()
            session.check_finite("gate_loss", float(loss.detach()))  # else the next step fails, obscurely
            _add(logits, gradients)
            gate_optimizer.step()
            session.note(gate_loss=loss)

        # The step of the weights.
        entries = drawn(1)
        if not joint or not learns:
            entries = [e.detach() if isinstance(e, Tensor) else e for e in entries]
        loss = session.loss(entries, inputs, targets)
        session.optimizer.zero_grad()
        gate_optimizer.zero_grad()
        (loss + extra() if joint and learns else loss).backward()
        session.descend()
        if joint and learns:
            session.check_finite("loss", float(loss.detach()))
            gate_optimizer.step()
        session.note(loss=loss)

        if session.epoch_ends:
            for term in ceilings:
                with torch.no_grad():
                    now = Moment(logits, gates, session.progress, drawn(0))
                    session.note(**{f"expected_{term.table.name}": term.expected(now)})
            found = [None if p is None else p.detach() for p in logits.probabilities(gates)]
            session.record(
                metric=session.metric(lambda i: logits.gates(gates, session.progress, session.draws(2, i))),
                probabilities=_by_name(session, found),
                entropy=float(entropy(found)),
                skips=skip_share(skips, found),
                eigenvalue=_eigenvalue(session, logits, gates) if _watched(stop) else None,
            )
            for sign in stop:
                if (epoch := sign(session.history)) is not None:
                    session.values["read_from"] = epoch
                    session.stopped = f"{sign} in epoch {session.epoch}"
                    break
    return _read_out(session, logits, gates, read or Argmax())


def _add(logits: Logits, gradients: Sequence[Tensor | None]) -> None:
    for value, gradient in zip(logits.values, gradients, strict=True):
        if gradient is not None:
            value.grad = gradient if value.grad is None else value.grad + gradient


def _eigenvalue(session: Session, logits: Logits, gates: Maker) -> float:
    assert session.held is not None
    session.supernet.eval()  # running statistics are left alone
    held = session.held.at(session.step)

    def loss() -> Tensor:
        return session.loss(logits.gates(gates, session.progress, session.draws(3, session.step)), *held)

    return largest_eigenvalue(loss, list(logits.values), draws=session.draws(4, session.step))


def _watched(stop: Sequence[Stop]) -> bool:
    return any(isinstance(sign, Eigenvalue) for sign in stop)


def _by_name(session: Session, probabilities: Sequence[Tensor | None]) -> dict[str, list[float]]:
    decisions = session.space.decisions
    return {d.name: p.tolist() for d, p in zip(decisions, probabilities, strict=True) if p is not None}


def _read_out(session: Session, logits: Logits, gates: Maker, read: Reading) -> Result:
    """The architecture that the gates prefer, of the epoch that a sign of collapse says or else as they are now."""
    last = session.history[-1].epoch if session.history else 0
    read_from = session.values.get("read_from", last)
    point: Point | None = next((p for p in session.history if p.epoch == read_from), None)
    found = [None if p is None else p.detach() for p in logits.probabilities(gates)]
    if point is not None and read_from != last:
        found = [
            None if p is None else torch.tensor(point.probabilities[d.name], device=session.device)
            for d, p in zip(session.space.decisions, found, strict=True)
        ]
    soft = point.metric if point is not None else None
    top = best_of(session, read(session, logits, found))
    decisions = session.space.decisions
    return Result(
        algorithm=session.algorithm,
        task=session.task,
        supernet=session.supernet,
        top=top,
        history=tuple(session.history),
        logits={decisions[i].name: tuple(v.tolist()) for i, v in zip(logits.learnt, logits.values, strict=True)},
        soft=soft,
        read_from=read_from,
        stopped=session.stopped,
        settings=session.settings,
        metric=session.objectives.goals[0].metric,
        seconds=session.seconds,
    )


def _check(order: int, joint: bool, share: float, warmup: float, combinations: int) -> None:
    if not 1 <= combinations <= MOST_COMBINATIONS:
        raise ValueError(
            f"combinations cannot be {combinations!r}: 1 to {MOST_COMBINATIONS} forwards of a layer each time"
        )
    if order not in (1, 2):
        raise ValueError(f"order cannot be {order!r}: 1, or 2 for the gradient through a step of the weights")
    if joint and order == 2:
        raise ValueError("order=2 is about samples held out from the weights, and joint=True holds none out: use one")
    if not joint and not 0 < share < 1:
        raise ValueError(f"share cannot be {share!r}: weights and gates both need samples, so between 0 and 1")
    if not 0 <= warmup < 1:
        raise ValueError(f"warmup cannot be {warmup!r}: a share of the epochs, 0 up to below 1")
