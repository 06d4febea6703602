"""What every algorithm promises that trains weights and gates together."""

from __future__ import annotations

import copy
import functools
import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest

from archwright.errors import NothingFitsError, ObjectiveError, ResumeError, SpaceError
from archwright.objective import at_most, maximize, minimize

if TYPE_CHECKING:
    from pathlib import Path

    from archwright.oneshot import Result
    from archwright.space import Space
    from archwright.task import Task

__all__ = ["OneShotContract", "same", "toy_space", "toy_task", "waves"]

EPOCHS = 3


def waves(n: int = 240, length: int = 16, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Slow and fast waves of any phase: told apart by neighbours in time, and by nothing that looks at one moment."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    speed = np.where(labels, 2.2, 0.6)[:, None]
    phase = rng.uniform(0, 2 * np.pi, (n, 1))
    return np.sin(speed * np.arange(length) + phase) + 0.1 * rng.normal(size=(n, length)), labels


@functools.cache
def toy_task() -> Task:
    """Waves as a task of some hundred samples."""
    from archwright.task import SequenceClassification

    return SequenceClassification(*waves(), name="waves")


@functools.cache
def toy_space() -> Space:
    """Operations, a width, a kernel, a depth: 144 small networks."""
    from archwright import nn
    from archwright.space import Space, choice, integer, repeat

    operation = choice(
        nn.Identity(), nn.Pool("avg", 3, 1, "same"), nn.ConvBlock(kernel=choice(3, 5, name="kernel")), name="operation"
    )
    block = nn.ConvBlock(kernel=1)
    return Space(
        nn.Sequential(
            nn.ConvBlock(choice(4, 6, 8, name="width"), kernel=1),
            operation,
            repeat(block, integer(0, 2, name="depth")),
            nn.Dropout(choice(0.0, 0.1, name="dropout")),
            nn.Classifier(2),
        )
    )


class Interrupted(Exception):
    """Raised in the midst of a run."""


def interrupted(task: Task, after: int) -> Task:
    """The same task, whose loss fails after it has been asked for so often."""
    found, asked = copy.copy(task), [0]

    def loss(*args: Any, **kwargs: Any) -> Any:
        asked[0] += 1
        if asked[0] > after:
            raise Interrupted
        return task.loss(*args, **kwargs)

    found.loss = loss  # type: ignore[method-assign]
    return found


def same(a: Result, b: Result) -> bool:
    """Whether two results are equal to the last bit, time left out."""
    import torch

    one, other = a.supernet.state_dict(), b.supernet.state_dict()
    return (
        (a.top, a.history, a.logits, a.soft, a.read_from, a.stopped)
        == (b.top, b.history, b.logits, b.soft, b.read_from, b.stopped)
        and one.keys() == other.keys()
        and all(torch.equal(one[name], other[name]) for name in one)
    )


class OneShotContract(ABC):
    """Subclass it, name the class ``Test...``, and say in `run` how to call your algorithm."""

    @abstractmethod
    def run(self, space: Space | None, task: Task, **options: Any) -> Result:
        """Call the algorithm; `options` are those of `archwright.oneshot.Options`."""

    def short(self, **options: Any) -> Result:
        """A brief run on the toys."""
        options = {"epochs": EPOCHS, "top": 3, **options}
        return self.run(toy_space(), toy_task(), **options)

    def usual(self) -> Result:
        """The brief run with nothing said; made once, for tests that only look at it."""
        if self._usual.get(type(self)) is None:
            self._usual[type(self)] = self.short()
        return self._usual[type(self)]

    _usual: ClassVar[dict[type, Any]] = {}

    def test_the_result_is_complete(self) -> None:
        result, space = self.usual(), toy_space()
        space.check(result.architecture)
        assert [p.epoch for p in result.history] == [1, 2, 3]
        assert all(math.isfinite(loss) for p in result.history for loss in p.losses.values())
        assert all("loss" in p.losses or "smaller_loss" in p.losses for p in result.history)
        assert 0 <= result.metrics["accuracy"] <= 1
        assert result.costs["params"] > 0
        assert 1 <= len(result.top) <= 3
        assert len({r.architecture for r in result.top}) == len(result.top)
        assert result.seconds > 0
        assert result.stopped == ""
        assert result.algorithm in repr(result)

    def test_what_is_read_out_is_what_its_subnet_measures(self) -> None:
        from archwright.trial import Proposal

        result = self.usual()
        assert (
            result.evaluator(batch_size=128)(Proposal(result.architecture), 0).metrics.keys() == result.metrics.keys()
        )
        from archwright.evaluator.loop import outputs

        task = toy_task()
        module = result.subnet()
        scored = task.score(outputs(module, task.validation.inputs), task.validation.targets)
        assert scored == pytest.approx(dict(result.metrics))

    def test_probabilities_sum_to_one(self) -> None:
        for point in self.usual().history:
            for name, values in point.probabilities.items():
                assert sum(values) == pytest.approx(1, abs=1e-5), name
                assert min(values) >= 0

    def test_the_same_seed_is_the_same_run(self) -> None:
        assert same(self.short(), self.usual())

    def test_another_seed_is_another_run(self) -> None:
        assert not same(self.short(seed=4), self.usual())

    def test_torchs_generator_is_left_alone(self) -> None:
        import torch

        before = torch.get_rng_state()
        self.short()
        assert torch.equal(before, torch.get_rng_state())

    @pytest.mark.parametrize("after", [2, 7])
    def test_a_resumed_run_is_the_uninterrupted_one(self, after: int, tmp_path: Path) -> None:
        whole = self.short(seed=5)
        options = {"epochs": EPOCHS, "top": 3, "seed": 5, "folder": tmp_path, "save_every": 2}
        with pytest.raises(Interrupted):
            self.run(toy_space(), interrupted(toy_task(), after), **options)
        assert same(self.run(toy_space(), toy_task(), **options), whole)

    def test_a_run_that_has_ended_gives_the_same_result_again(self, tmp_path: Path) -> None:
        assert same(self.short(folder=tmp_path), self.usual())
        assert same(self.short(folder=tmp_path), self.usual())

    def test_a_folder_of_another_run_is_refused(self, tmp_path: Path) -> None:
        self.short(folder=tmp_path)
        with pytest.raises(ResumeError, match="seed"):
            self.short(folder=tmp_path, seed=1)

    def test_what_is_read_out_meets_the_ceiling(self) -> None:
        from archwright.cost import measure

        space, task = toy_space(), toy_task()
        sizes = [measure(space.build(a), task.input_shape, ["params"])["params"] for a in space]
        limit = int(np.quantile(sizes, 0.2))
        result = self.short(objectives=at_most(params=limit))
        for ranked in result.top:
            assert measure(space.build(ranked.architecture), task.input_shape, ["params"])["params"] <= limit

    def test_a_ceiling_that_nothing_meets_is_an_error(self) -> None:
        with pytest.raises(NothingFitsError, match="no architecture meets the ceilings"):
            self.short(objectives=at_most(params=3))

    def test_a_deadline_ends_it_with_a_result(self) -> None:
        result = self.short(deadline=1e-4)
        assert result.stopped == "deadline"
        assert result.architecture in toy_space()

    def test_a_space_without_a_choice_is_an_error(self) -> None:
        from archwright import nn
        from archwright.space import Space

        with pytest.raises(SpaceError, match="no choice"):
            self.run(Space(nn.Sequential(nn.ConvBlock(4), nn.Classifier(2))), toy_task())

    @pytest.mark.parametrize("objectives", [[maximize("accuracy"), minimize("params")], minimize("latency_ms")])
    def test_other_goals_than_one_metric_are_an_error(self, objectives: Any) -> None:
        with pytest.raises(ObjectiveError, match="one goal"):
            self.run(toy_space(), toy_task(), objectives=objectives)

    def test_an_unknown_goal_is_an_error_with_a_suggestion(self) -> None:
        with pytest.raises(ObjectiveError, match="Did you mean 'accuracy'"):
            self.run(toy_space(), toy_task(), objectives=maximize("acuracy"))
