"""Live progress of a search in a terminal, or a line now and then where nobody watches.

.. code-block:: python

    with Progress(objectives, seconds=120, trials=500) as progress:
        progress.phase("search")
        progress.reported(7, {"epoch": 3, "epochs": 10})      # trial 7 is running
        progress.told(trial)
        progress.phase("final choice", total=9)
        progress.step("trial 57, seed 0")
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from archwright.report.record import value
from archwright.report.wording import cost, cost_name, duration, metric, plural
from archwright.trial import Trial

if TYPE_CHECKING:
    from archwright.objective import Objectives

__all__ = ["Progress"]

MOST_RUNNING = 4
RECENT = 50
SEARCH = "search"


class Progress:
    """What a search shows while it runs. Nothing here changes what the search does.

    Args:
        objectives: Which trial is best, and which costs to show with it.
        seconds: The budget of search time, or None.
        trials: The budget in trials, or None.
        epochs: The budget in epochs over all trials, or None. The bar shows whichever budget is nearest its end.
        console: Where to write; standard error by default, so that standard output stays for results.
        quiet: Write nothing at all.
        interactive: A live display or plain lines; by default whether the console is a terminal.
        every_s: In plain lines, at least this long between two lines that tell of no improvement.
        clock: Seconds that only go forward.
    """

    def __init__(
        self,
        objectives: Objectives,
        *,
        seconds: float | None = None,
        trials: int | None = None,
        epochs: int | None = None,
        console: Console | None = None,
        quiet: bool = False,
        interactive: bool | None = None,
        every_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.objectives = objectives
        self.seconds, self.trials, self.epochs = seconds, trials, epochs
        self.console = console or Console(stderr=True)
        self.quiet = quiet
        self.interactive = self.console.is_terminal if interactive is None else interactive
        self.every_s = every_s
        self.clock = clock
        self.counts = {"done": 0, "failed": 0, "infeasible": 0}
        self.best: Trial | None = None
        self._spent_epochs = 0
        self._running: dict[int, Mapping[str, Any]] = {}
        self._ends: list[float] = []
        self._phase, self._steps, self._step_text = SEARCH, 0, ""
        self._total: int | None = None
        self._began = self._phase_began = clock()
        self._earlier = 0.0
        self._last_line = -math.inf
        self._live: Live | None = None

    def __enter__(self) -> Self:
        self._began = self._phase_began = self.clock()
        if self.interactive and not self.quiet:
            self._live = Live(console=self.console, get_renderable=self._view, refresh_per_second=4, transient=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.clear()
        if self._live is not None:
            self._live.stop()
            self._live = None
        elif self._phase == SEARCH:
            self._print_totals()

    @property
    def told_count(self) -> int:
        """How many trials have been told."""
        return sum(self.counts.values())

    @property
    def elapsed(self) -> float:
        """Search time so far in seconds, that of a resumed run's earlier sessions included."""
        return self._earlier + self.clock() - self._began

    def resumed(self, trials: Iterable[Trial], seconds: float) -> None:
        """Count what earlier sessions of this run did, without a line for each."""
        for trial in trials:
            self._count(trial)
        self._earlier = seconds
        self.note(f"resumed: {plural(self.told_count, 'trial')} from earlier")

    def reported(self, number: int, point: Mapping[str, Any]) -> None:
        """A running trial's latest point, e.g. ``{"epoch": 3, "accuracy": 0.9}``; ``epochs`` says out of how many."""
        self._running[number] = point

    def told(self, trial: Trial) -> None:
        """A trial has ended. Outside the phase ``"search"`` it is a step of that phase, not a trial of the search."""
        if self._phase != SEARCH:
            self._running.pop(trial.number, None)
            self.step(f"trial {trial.number}")
            return
        improved = self._count(trial)
        now = self.clock()
        self._ends.append(now)
        del self._ends[:-RECENT]
        if self.quiet or self._live is not None:
            return
        if improved or now - self._last_line >= self.every_s:
            self._last_line = now
            self.console.print(self._line("new best" if improved else ""), soft_wrap=True)

    def phase(self, name: str, total: int | None = None) -> None:
        """Begin another phase. ``"search"`` is measured against the budget, any other against `total` steps."""
        if self._phase == SEARCH and name != SEARCH:
            self._print_totals()
        self._phase, self._total, self._steps, self._step_text = name, total, 0, ""
        self._phase_began = self.clock()
        self._running.clear()
        if not self.quiet and self._live is None and name != SEARCH:
            self.console.print(Text(name + (f" ({plural(total, 'step')})" if total else "")), soft_wrap=True)

    def step(self, text: str = "") -> None:
        """One step of the phase is done; `text` says what it is at now."""
        self._steps += 1
        self._step_text = text
        now = self.clock()
        if not self.quiet and self._live is None and now - self._last_line >= self.every_s:
            self._last_line = now
            of = f"/{self._total}" if self._total else ""
            self.console.print(Text(f"{self._phase} {self._steps}{of}  {text}".rstrip()), soft_wrap=True)

    def note(self, text: str) -> None:
        """A line that stays, above the live display."""
        if not self.quiet:
            self.console.print(Text(text), soft_wrap=True)

    def share(self) -> float | None:
        """How much of the budget nearest its end is used, 0..1; None without a budget."""
        used = [(self.elapsed, self.seconds), (self.told_count, self.trials), (self._spent_epochs, self.epochs)]
        shares = [min(1.0, spent / limit) for spent, limit in used if limit]
        return max(shares, default=None)

    def rate(self) -> float | None:
        """Trials a minute over the latest ones; None before there are two."""
        if len(self._ends) < 2:
            return None
        span = max(self.clock(), self._ends[-1]) - self._ends[0]
        return 60 * (len(self._ends) - 1) / span if span > 0 else None

    def left(self) -> float | None:
        """Seconds until the first budget ends, as far as the rate so far tells; None where nothing can be told."""
        guesses = [max(0.0, self.seconds - self.elapsed)] if self.seconds else []
        rate = self.rate()
        if self.trials and rate:
            guesses.append(max(0, self.trials - self.told_count) / rate * 60)
        if self.epochs and self._spent_epochs:
            guesses.append(max(0, self.epochs - self._spent_epochs) * self.elapsed / self._spent_epochs)
        return min(guesses, default=None)

    def _count(self, trial: Trial) -> bool:
        """Count a trial; whether it is the best so far (by the first goal, among those within the ceilings)."""
        self._running.pop(trial.number, None)
        self.counts[trial.status] += 1
        self._spent_epochs += trial.measurement.epochs if trial.measurement else 0
        if trial.status != "done" or not trial.scores or trial.violation > 0 or not math.isfinite(trial.scores[0]):
            return False
        if self.best is not None and self.best.scores and trial.scores >= self.best.scores:
            return False
        self.best = trial
        return True

    def _print_totals(self) -> None:
        if not self.quiet and self._live is None and self.told_count:
            self.console.print(self._line(), soft_wrap=True)

    def _best_text(self) -> str:
        trial = self.best
        if trial is None:
            return "none measured yet"
        parts = []
        for goal in self.objectives.goals:
            found = value(trial, goal.metric)
            is_metric = trial.measurement is not None and goal.metric in trial.measurement.metrics
            shown = metric(found) if is_metric else cost(goal.metric, found)
            parts.append(f"{goal.metric.replace('_', ' ') if is_metric else cost_name(goal.metric)} {shown}")
        costs = trial.measurement.costs if trial.measurement else {}
        wanted = dict.fromkeys((*(c.cost for c in self.objectives.ceilings), "params"))
        goals = {g.metric for g in self.objectives.goals}
        shown_costs = [f"{cost(k, costs[k])} {cost_name(k)}" for k in wanted if k in costs and k not in goals]
        return ", ".join(parts) + (f" ({', '.join(shown_costs)})" if shown_costs else "")

    def _counts_text(self) -> str:
        return ", ".join(f"{n:,} {s}" for s, n in self.counts.items() if n or s == "done")

    def _pace_text(self) -> str:
        rate, left = self.rate(), self.left()
        told = [f"{rate:,.0f} trials/min" if rate >= 10 else f"{rate:.2g} trials/min"] if rate else []
        return ", ".join(told + ([f"{duration(_whole(left))} left"] if left is not None else []))

    def _line(self, mark: str = "") -> Text:
        said = [
            duration(_whole(self.elapsed)),
            f"best {self._best_text()}",
            self._counts_text(),
            self._pace_text(),
            mark,
        ]
        return Text("  ".join(s for s in said if s))

    def _view(self) -> RenderableType:
        """The live display: a bar, the best, how it goes, what runs."""
        searching = self._phase == SEARCH
        part = self.share() if searching else self._steps / self._total if self._total else None
        head = Table.grid(padding=(0, 2), expand=False)
        bar = ProgressBar(total=1.0, completed=part or 0.0, width=34, pulse=part is None)
        words = f"{part:.0%}" if part is not None else ""
        timing = self._pace_text() if searching else self._step_text
        spent = Text(duration(_whole(self.elapsed if searching else self.clock() - self._phase_began)))
        name, pace = Text(self._phase, style="bold"), Text(timing, style="dim", no_wrap=True, overflow="ellipsis")
        head.add_row(name, bar, Text(words), spent, pace)
        lines: list[RenderableType] = [head]
        if self.told_count:
            best = Text.assemble(("best ", "dim"), (self._best_text(), "bold green" if self.best else ""))
            if self.best is not None:
                best.append(f"  trial {self.best.number}", style="dim")
            lines += [best, Text.assemble(("trials ", "dim"), self._counts_text())]
        if searching and self._running:
            shown = list(self._running.items())[:MOST_RUNNING]
            texts = [self._running_text(number, point) for number, point in shown]
            more = len(self._running) - len(shown)
            lines.append(Text("running " + "  ·  ".join(texts) + (f"  and {more} more" if more else ""), style="dim"))
        for line in lines:
            if isinstance(line, Text):
                line.no_wrap, line.overflow = True, "ellipsis"
        return Group(*lines)

    def _running_text(self, number: int, point: Mapping[str, Any]) -> str:
        of = f"/{point['epochs']}" if "epochs" in point else ""
        goal = self.objectives.goals[0].metric
        reached = f" {metric(point[goal])}" if isinstance(point.get(goal), (int, float)) else ""
        return f"{number}: epoch {point.get('epoch', '?')}{of}{reached}"


def _whole(seconds: float) -> float:
    """Whole seconds from ten up: a clock that runs needs no fractions."""
    return round(seconds) if seconds >= 10 else round(seconds, 1)
