"""Zero-cost proxies as an evaluator: searched for alone, as features, or to screen before training."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from archwright.errors import ArchwrightError, EvaluationError
from archwright.evaluator.evaluator import Context
from archwright.evaluator.expense import expense
from archwright.evaluator.randomness import derived, generator, seeded
from archwright.evaluator.zerocost.az_nas import VIEWS, rank_among
from archwright.evaluator.zerocost.proxies import PROXIES, Found, check_names, look
from archwright.nn import deployed, materialize
from archwright.trial import Measurement, Proposal

if TYPE_CHECKING:
    from archwright.space import Architecture, Space
    from archwright.task import Task

__all__ = ["ZeroCost"]

RANK = "az_nas"


class ZeroCost:
    """Measures architectures by zero-cost proxies: milliseconds an architecture, and nothing is trained.

    The network is the very one that `Training` would begin with under the same seed. The rank ``az_nas`` compares an
    architecture with others, where the paper has those that its search has met; here they are `reference` random ones
    of the space, drawn once from the seed, so that the number is a function of the architecture alone.

    Args:
        space: Builds networks from architectures.
        task: Where the batch is from, its training part; and the loss.
        proxies: Which: `PROXIES`, and ``az_nas``.
        batch_size: Inputs that are looked at, always the same ones.
        seed: Draws the batch and the reference, and, in `score`, the networks' weights.
        reference: Random architectures that ``az_nas`` ranks among; they are scored when it is first asked for.
    """

    def __init__(
        self,
        space: Space,
        task: Task,
        proxies: Sequence[str] = (*PROXIES, RANK),
        *,
        batch_size: int = 16,
        seed: int = 0,
        reference: int = 32,
    ):
        self.proxies = (proxies,) if isinstance(proxies, str) else tuple(proxies)
        check_names(self.proxies, (*PROXIES, RANK))
        if not self.proxies:
            raise EvaluationError("ZeroCost(proxies=()) would measure nothing: name at least one")
        for name, value, least in (("batch_size", batch_size, 2), ("reference", reference, 1)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise EvaluationError(f"ZeroCost({name}={value!r}): give a whole number of {least} or more")
        self.space = space
        self.task = task
        self.batch_size = batch_size
        self.seed = seed
        self.reference = reference
        self._views: dict[str, list[float]] | None = None

    def __call__(self, proposal: Proposal, seed: int, context: Context | None = None) -> Measurement:
        """The proxies of one architecture as metrics; reasons for missing ones in ``extra["not_computed"]``.

        Raises:
            EvaluationError: None of them can be computed on this network.
        """
        started = time.monotonic()
        module = self._network(proposal.architecture, seed)
        found = self._look(module, seed)
        if not found.values:
            raise EvaluationError("; ".join(found.missing.values()))
        return Measurement(
            metrics=found.values,
            costs={"params": float(sum(p.numel() for p in module.parameters() if p.requires_grad))},
            seconds=time.monotonic() - started,
            extra={"not_computed": found.missing} if found.missing else {},
        )

    def score(self, architecture: Architecture) -> dict[str, float]:
        """All proxies of one architecture by name, in their order; NaN for what cannot be computed."""
        try:
            values = self.look(architecture).values
        except ArchwrightError:  # no network, so no proxy: in a batch of many, that is a missing value
            values = {}
        return {name: values.get(name, math.nan) for name in self.proxies}

    def value(self, architecture: Architecture) -> float:
        """The first proxy of one architecture: one number, as what screens candidates takes it.

        Raises:
            EvaluationError: It cannot be computed, with the reason.
        """
        found = self.look(architecture)
        first = self.proxies[0]
        if first in found.missing:
            raise EvaluationError(found.missing[first])
        return found.values[first]

    def look(self, architecture: Architecture) -> Found:
        """All proxies of one architecture, with the reasons for missing ones, and the time that each took.

        Raises:
            EvaluationError: The network cannot be built, or cannot take the task's inputs.
        """
        return self._look(self._network(architecture, self.seed), self.seed)

    def costs(self, architecture: Architecture, names: Sequence[str]) -> dict[str, float]:
        """The costs called `names` of the network."""
        return expense(self.space.build(architecture), self.task.input_shape, names, self.task.input_dtype)

    def _look(self, module: nn.Module, seed: int) -> Found:
        views = VIEWS if RANK in self.proxies else ()
        found = self._proxies(dict.fromkeys((*(p for p in self.proxies if p != RANK), *views)), module, seed)
        if views:
            reference = self._reference()
            began = time.perf_counter()
            if any(view in found.values for view in views if view != "macs"):
                found.values[RANK] = rank_among(reference, found.values)
            else:
                found.missing[RANK] = f"{RANK} cannot be computed on this network: none of its views but the size can"
            found.ms[RANK] = 1000 * (time.perf_counter() - began) + sum(found.ms[view] for view in views)
        return Found(*({n: part[n] for n in self.proxies if n in part} for part in vars(found).values()))

    def _proxies(self, names: Iterable[str], module: nn.Module, seed: int) -> Found:
        picked = torch.randperm(len(self.task.train), generator=generator("cpu", self.seed, 0))[: self.batch_size]
        inputs, targets = self.task.train.inputs[picked], self.task.train.targets[picked]
        return look(names, module, inputs, targets, loss=self.task.loss, seed=derived(seed, 1))

    def _reference(self) -> dict[str, list[float]]:
        """The views of the reference architectures, NaN for what cannot be computed."""
        if self._views is None:
            views: dict[str, list[float]] = {view: [] for view in VIEWS}
            for architecture in self.space.sample(np.random.default_rng((self.seed, 1)), self.reference):
                try:
                    values = self._proxies(VIEWS, self._network(architecture, self.seed), self.seed).values
                except ArchwrightError:
                    values = {}
                for view in VIEWS:
                    views[view].append(values.get(view, math.nan))
            self._views = views
        return self._views

    def _network(self, architecture: Architecture, seed: int) -> nn.Module:
        """The untrained network; weights as `Training` draws them."""
        with seeded(derived(seed, 0)):
            module = self.space.build(architecture)
            if not isinstance(module, nn.Module):
                raise EvaluationError(f"the space builds a {type(module).__name__}: proxies need a torch.nn.Module")
            return deployed(materialize(module, self.task.input_shape, dtype=self.task.input_dtype))

    def __repr__(self) -> str:
        return f"ZeroCost({self.task!r}, {', '.join(self.proxies)})"
