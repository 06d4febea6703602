"""How much a search may spend: seconds, trials, epochs, whichever ends first."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from archwright.errors import BudgetError
from archwright.objective import format_seconds, parse_count, parse_seconds

__all__ = ["Budget"]

_COUNTED = re.compile(r"^\s*([\d.,_]+\s*[kKM]?)\s*(trials?|epochs?)\s*$")


@dataclass(frozen=True)
class Budget:
    """What a search may spend. What is None is not limited; at least one limit is there.

    Args:
        seconds: Wall time for everything: the search, the final choice, and the final training.
        trials: Evaluations that were trained (done or failed); infeasible ones cost nothing and do not count.
        epochs: Epochs trained, over all trials of the search.
    """

    seconds: float | None = None
    trials: int | None = None
    epochs: int | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
                raise BudgetError(f"a budget of {value!r} {name} cannot be spent: give a number above zero")
        if self.seconds is None and self.trials is None and self.epochs is None:
            raise BudgetError("there is no budget: give a time ('10 min'), a number of trials, or of epochs")

    @classmethod
    def of(
        cls, budget: Budget | str | float | None, *, trials: int | str | None = None, epochs: int | str | None = None
    ) -> Budget:
        """A budget as people write it.

        >>> Budget.of("10 min")
        Budget(seconds=600.0, trials=None, epochs=None)
        >>> Budget.of("100 trials", epochs="2k")
        Budget(seconds=None, trials=100, epochs=2000)
        """
        if isinstance(budget, Budget):
            return budget
        seconds = None
        counted = _COUNTED.match(budget) if isinstance(budget, str) else None
        if counted:
            n = _whole(counted[1].replace(" ", ""), counted[2])
            trials, epochs = (n, epochs) if counted[2].startswith("trial") else (trials, n)
        elif budget is not None:
            seconds = parse_seconds(budget, where="budget", error=BudgetError)
        return cls(seconds, _whole(trials, "trials"), _whole(epochs, "epochs"))

    def to_json(self) -> dict[str, float | None]:
        """As a mapping of JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Budget:
        """Read what `to_json` gave."""
        return cls(**values)

    def __str__(self) -> str:
        parts = [format_seconds(self.seconds)] if self.seconds else []
        parts += [f"{n:,} {name}" for name, n in (("trials", self.trials), ("epochs", self.epochs)) if n]
        return " or ".join(parts)


def _whole(value: int | str | None, name: str) -> int | None:
    return None if value is None else int(parse_count(value, where=name, error=BudgetError))
