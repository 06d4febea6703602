"""Synchronous halving: which bracket each trial belongs to, and who goes on when a rung is complete."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from archwright.objective import ranked
from archwright.space import Space
from archwright.strategy.fidelity import goes_on, key_of, may_go_on
from archwright.trial import Proposal, Trial

__all__ = ["Bracket", "Brackets"]

Place = tuple[int, int]
"""The round and the kind of a bracket."""


@dataclass(frozen=True)
class Bracket:
    """How many architectures are trained up to how many epochs, rung by rung."""

    sizes: tuple[int, ...]
    epochs: tuple[int, ...]


class _Members:
    """Who is in one bracket."""

    def __init__(self, bracket: Bracket):
        self.bracket = bracket
        self.told: list[list[Trial]] = [[] for _ in bracket.sizes]
        self.chosen: list[list[Trial] | None] = [None for _ in bracket.sizes]
        """Who goes on from each rung, best first; None until the rung is complete. Nobody from the highest."""

    def add(self, trial: Trial, rung: int) -> None:
        self.told[rung].append(trial)
        due = self.bracket.sizes[0] if rung == 0 else len(self.chosen[rung - 1] or ())
        if len(self.told[rung]) == due:
            more = self.bracket.sizes[rung + 1] if rung + 1 < len(self.told) else 0
            self.chosen[rung] = self.best(rung)[:more]

    def best(self, rung: int) -> list[Trial]:
        return ranked([t for t in self.told[rung] if may_go_on(t)])

    @property
    def finished(self) -> bool:
        return any(chosen is not None and not chosen for chosen in self.chosen)


class Brackets:
    """Brackets of several kinds, one after the other, round after round.

    Nothing is remembered of asking. New architectures are counted into brackets in the order in which they are told:
    the first `sizes[0]` of a kind fill the first bracket of this kind, and so on. Failed ones count, infeasible ones
    do not. The earliest bracket with something to do is served first, so workers that an unfinished rung leaves idle
    go to later brackets.

    Args:
        space: Where canonical keys come from.
        kinds: In the order of a round; each begins with another number of epochs.
    """

    def __init__(self, space: Space, kinds: Sequence[Bracket]):
        self.space, self.kinds = space, tuple(kinds)
        self._by_epochs = {bracket.epochs[0]: kind for kind, bracket in enumerate(kinds)}
        self._open: dict[Place, _Members] = {}
        self._at: dict[str, tuple[Place, int]] = {}  # the bracket of each key, and its highest rung told
        self._begun = [0 for _ in kinds]
        self._first = 0  # all rounds before it are finished

    def tell(self, trial: Trial) -> None:
        """Count a trial into its bracket, if it has one."""
        epochs = self.kinds[0].epochs[-1] if trial.proposal.epochs is None else trial.proposal.epochs
        key = key_of(trial, self.space)
        if key in self._at:
            place, rung = self._at[key]
            members = self._open.get(place)
            following = members.bracket.epochs[rung + 1 : rung + 2] if members is not None else ()
            if members is None or following != (epochs,):
                return
            rung += 1
        elif epochs in self._by_epochs and trial.status != "infeasible":
            kind = self._by_epochs[epochs]
            place, rung = (self._begun[kind] // self.kinds[kind].sizes[0], kind), 0
            self._begun[kind] += 1
            members = self._open.setdefault(place, _Members(self.kinds[kind]))
        else:
            return
        self._at[key] = (place, rung)
        members.add(trial, rung)
        while all((m := self._open.get((self._first, k))) is not None and m.finished for k in range(len(self.kinds))):
            for k in range(len(self.kinds)):
                del self._open[self._first, k]
            self._first += 1

    def next(self, pending: Sequence[Proposal]) -> Proposal | int:
        """Who goes on, or for how many epochs a new architecture is to begin."""
        under_way = {self.space.key(p.architecture) for p in pending}
        begun = list(self._begun)
        for proposal in pending:
            if proposal.epochs in self._by_epochs and self.space.key(proposal.architecture) not in self._at:
                begun[self._by_epochs[proposal.epochs]] += 1
        for place in self._places():
            members = self._open.get(place)
            if members is not None:
                found = self._going_on(members, under_way)
                if found is not None:
                    return found
            round_, kind = place
            if begun[kind] < (round_ + 1) * self.kinds[kind].sizes[0]:
                return self.kinds[kind].epochs[0]
        raise AssertionError("a new round always has room")

    def last(self, pending: Sequence[Proposal]) -> Proposal | None:
        """Who goes on where nothing can begin any more, so that no rung can wait to be filled.

        Of every rung the share that its bracket planned, one at least.
        """
        under_way = {self.space.key(p.architecture) for p in pending}
        for place in sorted(self._open):
            found = self._going_on(self._open[place], under_way) or self._hastened(self._open[place], under_way)
            if found is not None:
                return found
        return None

    def _places(self) -> Iterator[Place]:
        round_ = self._first
        while True:
            yield from ((round_, kind) for kind in range(len(self.kinds)))
            round_ += 1

    def _going_on(self, members: _Members, under_way: set[str]) -> Proposal | None:
        for rung in reversed(range(len(members.told) - 1)):
            for trial in members.chosen[rung] or ():
                if self._waits(trial, rung, under_way):
                    return goes_on(trial, members.bracket.epochs[rung + 1])
        return None

    def _hastened(self, members: _Members, under_way: set[str]) -> Proposal | None:
        sizes = members.bracket.sizes
        for rung in reversed(range(len(sizes) - 1)):
            if members.chosen[rung] is not None:
                continue
            share = max(1, len(members.told[rung]) * sizes[rung + 1] // sizes[rung])
            best = members.best(rung)
            gone = sum(not self._waits(t, rung, under_way) for t in best)
            for trial in best if gone < share else ():
                if self._waits(trial, rung, under_way):
                    return goes_on(trial, members.bracket.epochs[rung + 1])
        return None

    def _waits(self, trial: Trial, rung: int, under_way: set[str]) -> bool:
        key = key_of(trial, self.space)
        return self._at[key][1] == rung and key not in under_way
