"""Architectures that together need the largest of every shared tensor."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from archwright.errors import ArchwrightError, EvaluationError, SpaceError
from archwright.space import Decision, Space
from archwright.space.variation import is_live
from archwright.supernet.elastic import Elastic
from archwright.supernet.gates import Gates, active
from archwright.supernet.survey import Survey

__all__ = ["MOST_CANDIDATES", "Cover"]

MOST_CODES = 64
"""Decisions of more values are tried at so many, evenly spread."""

MOST_CANDIDATES = 256
"""A place that cannot share has at most so many separate candidates."""

AROUND = 3
"""Around so many random architectures every code is tried, besides those around the largest."""

QUIET = 64
"""It is enough when so many random architectures in a row need nothing new."""

MOST_DRAWN = 2000


class Cover:
    """Leads architectures through the places: the largest, each code around it and around others, then random ones.

    Args:
        space: Of the architectures.
        root: The outermost place.
        input_shape: Of one input, without the batch.
    """

    def __init__(self, space: Space, root: nn.Module, input_shape: Sequence[int]):
        self.space, self.root = space, root
        self.shape = tuple(input_shape)
        self.decisions: tuple[Decision, ...] = space.decisions
        self.survey = Survey()
        self.dtype = torch.float32
        self.preferred: list[int] = []
        self._tried: dict[tuple[int, ...], tuple[int, int] | None] = {}

    def run(self) -> list[int]:
        """All of it; returns the codes of the architecture of most parameters that was met.

        Then `preferred` has its codes, with good ones for decisions that are not live in it.
        """
        rng = np.random.default_rng(0)
        self._type_of_input(rng)
        anchors = [self._largest([d.size - 1 for d in self.decisions], lambda seen: seen)]
        anchors.append(self._largest(anchors[0], lambda seen: (seen[1], seen[0])))
        for anchor in anchors:
            self._each_code(anchor)
        self._candidates(anchors[0])
        for _ in range(AROUND):
            self._each_code([int(rng.integers(d.size)) for d in self.decisions])
        quiet = 0
        for _ in range(MOST_DRAWN):
            anchor = anchors[int(rng.integers(len(anchors)))]
            share = rng.random()
            preferred = [
                c if rng.random() < share else int(rng.integers(d.size))
                for c, d in zip(anchor, self.decisions, strict=True)
            ]
            self._try(self._completed(preferred))
            quiet = 0 if self.survey.grown else quiet + 1
            if quiet >= QUIET:
                break
        best = list(max((seen, codes) for codes, seen in self._tried.items() if seen is not None)[1])
        self.preferred = [c if c >= 0 else p for c, p in zip(best, anchors[0], strict=True)]
        self.survey.final = True
        self._lead(best)
        return best

    def _type_of_input(self, rng: np.random.Generator) -> None:
        """Networks that begin with an embedding read whole numbers."""
        drawn = [[d.size - 1 for d in self.decisions], [0] * len(self.decisions)]
        drawn += [[int(rng.integers(d.size)) for d in self.decisions] for _ in range(30)]
        errors: list[Exception] = []
        for preferred, dtype in itertools.product(drawn, (torch.float32, torch.int64)):
            self.dtype = dtype
            codes = self._completed(preferred)
            try:
                self._lead(codes)
                return
            except SpaceError:
                raise
            except ArchwrightError as error:
                errors.append(error)
        self.dtype = torch.float32
        raise EvaluationError(
            f"none of {len(drawn)} architectures that were tried takes inputs of shape {self.shape}; the first: "
            f"{errors[0]}"
        ) from errors[0]

    def _lead(self, codes: list[int]) -> tuple[int, int]:
        self.survey.start()
        x = torch.zeros((), dtype=self.dtype).expand(2, *self.shape)
        with torch.no_grad(), active(Gates(codes, survey=self.survey)):
            self.root(x)
        return self.survey.params, self.survey.channels

    def _try(self, codes: list[int]) -> tuple[int, int] | None:
        """(parameters, channels) of an architecture; None if it cannot be, or is not allowed."""
        key = tuple(codes)
        if key not in self._tried:
            seen = None
            self.survey.grown = False
            if not self.space.rules or self.space._allowed(codes):
                # Many spaces hold architectures that cannot be, heads that do not divide channels for one.
                with contextlib.suppress(EvaluationError):
                    seen = self._lead(codes)
            self._tried[key] = seen
        else:
            self.survey.grown = False
        return self._tried[key]

    def _completed(self, preferred: Sequence[int]) -> list[int]:
        codes: list[int] = []
        for d, code in zip(self.decisions, preferred, strict=True):
            codes.append(code if is_live(d, codes) else -1)
        return codes

    def _reaching(self, preferred: Sequence[int], i: int, code: int) -> list[int]:
        """The preferred codes, changed so that decision i is live and has this code."""
        changed = list(preferred)
        changed[i] = code
        reached = i
        while self.decisions[reached].conditions:
            conditions = self.decisions[reached].conditions
            if any(changed[p] in allowed for p, allowed in conditions) and is_live(
                self.decisions[reached], self._completed(changed)
            ):
                break
            held = [p for p, allowed in conditions if changed[p] in allowed]
            parent, allowed = next(((p, a) for p, a in conditions if p in held), conditions[0])
            if changed[parent] not in allowed:
                changed[parent] = max(allowed)
            reached = parent
        return changed

    def _codes_of(self, d: Decision) -> list[int]:
        if d.size <= MOST_CODES:
            return list(range(d.size))
        return sorted({round(t) for t in np.linspace(0, d.size - 1, MOST_CODES)})

    def _largest(self, preferred: Sequence[int], measure: Callable[[tuple[int, int]], Any]) -> list[int]:
        """For each decision in turn the code that makes most, with those that it needs to be live."""
        best = list(preferred)
        for i, d in enumerate(self.decisions):
            tried = []
            for code in self._codes_of(d):
                seen = self._try(self._completed(self._reaching(best, i, code)))
                if seen is not None:
                    tried.append((measure(seen), code))
            if tried:
                most = max(m for m, _ in tried)
                # Among equals the last: an ordered decision grows with its code.
                best[i] = max(code for m, code in tried if m == most)
        return best

    def _each_code(self, anchor: Sequence[int]) -> None:
        for i, d in enumerate(self.decisions):
            for code in self._codes_of(d):
                self._try(self._completed(self._reaching(anchor, i, code)))

    def _candidates(self, anchor: Sequence[int]) -> None:
        """All combinations of what tells apart candidates that cannot share."""
        for place in [p for p in self.survey.seen if p.groups]:
            self._combinations(place, anchor)

    def _combinations(self, place: Elastic, anchor: Sequence[int]) -> None:
        sizes = [self.decisions[i].size for i in place.groups]
        if math.prod(sizes) > MOST_CANDIDATES:
            names = ", ".join(f"{self.decisions[i].name!r} ({self.decisions[i].size:,} values)" for i in place.groups)
            raise SpaceError(
                f"{place.name!r} holds a module whose parameters no rule can slice, and would need "
                f"{math.prod(sizes):,} separate candidates (at most {MOST_CANDIDATES}) for {names}; leave fewer "
                "values, or build it of torch's layers, which share"
            )
        for combined in itertools.product(*(range(size) for size in sizes)):
            changed = list(anchor)
            for i, code in zip(place.groups, combined, strict=True):
                changed = self._reaching(changed, i, code)
            self._try(self._completed(changed))
