"""How a time budget is divided: how long each trial trains, and what is kept for the final choice."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

__all__ = ["FinalPlan", "epoch_samples", "final_plan", "search_epochs", "search_share", "trial_folds", "trial_seconds"]

SEARCH_SHARE = 0.5
"""The share of a time budget that trials get; the rest is for retraining candidates and for the final training."""

SMALLEST_SHARE = 0.25
"""Of trials where none would end: a choice among few says little, and a longer training much."""

WANTED_TRIALS = 40
FEW_TRIALS = 20
FEWEST_EPOCHS = 4

SPARSE_TRIALS = 6
"""So many of the shortest fit at least; where an epoch of all samples is too long for that, it is one of some."""

VALIDATED, MOST_FOLDS = 300, 5
"""Samples that a trial is validated on, if that takes no more than so many trainings: accuracies then err by 2 %."""

FEWEST_STEPS = 20
"""Of an epoch of some samples: with fewer, the shortest trial would learn nothing."""

WORTH = 3
"""Full trainings that a final one should be as long as, where so many help at all."""

MOST_FINALS = 4
"""Seeds of the final training: for the spread of its test figures."""

MARGIN = 0.9
"""The share of the time left that is planned for: paces differ, and files are to be written."""

SLOWER = 1.5
"""How many times as long as a usual network's the epochs of the chosen one are expected to be, at most."""

GAIN = 0.3
"""What each thread more brings of the first one's pace, at least: convolutions gain twice as much, recurrence less."""


def search_epochs(full: int, seconds: float, workers: int, epoch_s: float) -> int:
    """Epochs a trial so that about 40 trials fit into the time, at least 4 and at most the full number.

    >>> search_epochs(60, 72, workers=2, epoch_s=0.1), search_epochs(60, 600, workers=2, epoch_s=0.1)
    (36, 60)
    """
    return int(max(min(FEWEST_EPOCHS, full), min(full, seconds * workers / (WANTED_TRIALS * epoch_s))))


def trial_seconds(seconds: float, workers: int, epoch_s: float) -> float:
    """For how long a trial trains so that about 40 fit into the time: for four usual epochs at least.

    >>> trial_seconds(72, workers=2, epoch_s=0.1), trial_seconds(72, workers=2, epoch_s=2)
    (3.6, 8)
    """
    return max(FEWEST_EPOCHS * epoch_s, seconds * workers / WANTED_TRIALS)


def trial_folds(divisions: int, validation: int, trainings: float) -> int:
    """On how many divisions of training and validation part a trial trains: on as many as validate 300 samples.

    Args:
        divisions: How many there are.
        validation: Samples of one validation part.
        trainings: How many full trainings there is time for in a trial.

    >>> trial_folds(6, 13, trainings=8), trial_folds(6, 13, trainings=2.5), trial_folds(6, 800, trainings=8)
    (5, 2, 1)
    """
    wanted = min(MOST_FOLDS, -(-VALIDATED // max(1, validation)))
    return max(1, min(divisions, wanted, int(trainings)))


def epoch_samples(samples: int, seconds: float, workers: int, epoch_s: float, batch: int) -> int | None:
    """How many samples an epoch shall have, of so many, so that six trials of four fit; None for all of them.

    Args:
        samples: Of the training part.
        seconds: The whole budget, half of which is for trials at most.
        workers: Trials at a time.
        epoch_s: What an epoch of all samples takes.
        batch: Samples of a step.

    >>> epoch_samples(32_000, 480, 2, epoch_s=400, batch=64), epoch_samples(32_000, 480, 2, epoch_s=15, batch=64)
    (1600, None)
    >>> epoch_samples(32_000, 60, 2, epoch_s=400, batch=64), epoch_samples(500, 60, 2, epoch_s=400, batch=32)
    (1280, None)
    """
    fitting = SEARCH_SHARE * seconds * workers / (SPARSE_TRIALS * FEWEST_EPOCHS * epoch_s)
    least = FEWEST_STEPS * batch
    return None if fitting >= 1 or least >= samples else max(least, int(fitting * samples))


def search_share(seconds: float, workers: int, epoch_s: float, full: int = 60, stretch: float = 5.0) -> float:
    """The share of `seconds` for trials: half, and less where fewer than 20 of the shortest fit into that.

    But all that a final training cannot use: it is `stretch` full trainings long at most, and where the rest is too
    short to train two candidates in full before it, there is nothing else to spend it on.

    >>> search_share(600, workers=2, epoch_s=0.5), search_share(600, workers=2, epoch_s=15)
    (0.5, 0.375)
    >>> round(search_share(600, workers=1, epoch_s=12, full=12, stretch=1), 2)
    0.6
    """
    trials = SEARCH_SHARE * seconds * workers / (FEWEST_EPOCHS * epoch_s)
    share = SMALLEST_SHARE + (SEARCH_SHARE - SMALLEST_SHARE) * min(1.0, trials / FEW_TRIALS)
    longest = int(stretch * full)
    room = MARGIN * (1 - share) * seconds / epoch_s
    if room < longest + -(-2 // workers) * full:
        share = max(share, 1 - SLOWER * longest / (MARGIN * seconds / epoch_s))
    return share


@dataclass(frozen=True)
class FinalPlan:
    """What the final choice trains.

    Args:
        candidates: How many of the best trials are trained again, on the training part; 0 believes the search.
        seeds: With how many seeds each, and on as many divisions of training and validation part where there are some.
        epochs: How long each of these trainings is.
        finals: With how many seeds the chosen one is trained on training and validation part together.
        final_epochs: How long each of those is.
        stretch: Full trainings that a final one is as long as, at most (`Recipe.stretch`).
        threads: Of each final training: more than one where there are fewer of them than workers, and time is short.
    """

    candidates: int
    seeds: int
    epochs: int
    finals: int
    final_epochs: int
    stretch: float = field(default=5.0, repr=False)
    threads: int = field(default=1, repr=False)

    def fitted(self, seconds: float, workers: int, epoch_s: float | None) -> FinalPlan:
        """The same with final trainings as long as `seconds` allow at this pace, and `stretch` allows.

        >>> FinalPlan(4, 2, 60, 2, 300).fitted(40, workers=2, epoch_s=0.2).final_epochs
        180
        >>> alone = FinalPlan(0, 0, 30, 1, 30).fitted(40, workers=2, epoch_s=2)
        >>> alone.final_epochs, alone.threads
        (23, 2)
        """
        if epoch_s is None or self.epochs < 1:
            return self
        longest, threads = int(self.stretch * self.epochs), 1
        room = MARGIN * seconds / (epoch_s * -(-self.finals // max(1, workers)))
        if self.finals < workers and FEWEST_EPOCHS < room < longest:
            threads = workers // self.finals
            room *= 1 + GAIN * (threads - 1)
        return replace(self, final_epochs=max(FEWEST_EPOCHS, min(longest, int(room))), threads=threads)


def final_plan(full: int, workers: int, seconds: float | None, epoch_s: float, *, stretch: float = 5.0) -> FinalPlan:
    """The final choice that makes the most of `seconds`.

    A final training as long as three full ones comes first: under a tight ceiling that is worth more than a closer look
    at candidates whose validation scores differ by less than their noise. Time that is still left goes into candidates,
    seeds, and a longer training yet.

    >>> final_plan(60, workers=2, seconds=150, epoch_s=0.25)
    FinalPlan(candidates=4, seeds=2, epochs=60, finals=2, final_epochs=300)
    >>> final_plan(60, workers=2, seconds=55, epoch_s=0.1)
    FinalPlan(candidates=4, seeds=2, epochs=60, finals=2, final_epochs=255)
    >>> final_plan(60, workers=2, seconds=5, epoch_s=0.25)
    FinalPlan(candidates=0, seeds=0, epochs=60, finals=1, final_epochs=18)
    """
    workers = max(1, workers)
    if seconds is None:
        return FinalPlan(4, 2, full, MOST_FINALS, full, stretch)
    longest = int(stretch * full)
    room = MARGIN * seconds / epoch_s  # epochs that one worker can train
    for wanted in sorted({min(times * full, longest) for times in range(1, WORTH + 1)}, reverse=True):
        for candidates, seeds, rounds in ((4, 4, 2), (4, 2, 2), (4, 2, 1), (3, 1, 2), (3, 1, 1), (2, 1, 1)):
            spent = -(-candidates * seeds // workers) * full
            epochs = int((room - spent) / rounds)
            # A second round would be for the spread of test figures alone: not at the cost of the network.
            if epochs >= (wanted if rounds == 1 else longest):
                finals = min(MOST_FINALS, rounds * workers)
                return FinalPlan(candidates, seeds, full, finals, min(epochs, longest), stretch)
    return FinalPlan(0, 0, full, 1, max(FEWEST_EPOCHS, min(longest, int(room))), stretch)
