"""The sampled methods: what all promise, and what each paper says of its own."""

from collections import Counter

import numpy as np
import pytest

from archwright import nn
from archwright.oneshot import enas, fairnas, progressive, sandwich, spos
from archwright.oneshot.progressive import stages
from archwright.oneshot.sampling import extreme, fair, uniform
from archwright.space import Space, choice, integer, repeat
from archwright.testing import OneShotContract
from archwright.testing.oneshot import toy_space, toy_task


class TestSpos(OneShotContract):
    def run(self, space, task, **options):
        return spos(space, task, candidates=8, **options)


class TestFairNas(OneShotContract):
    def run(self, space, task, **options):
        return fairnas(space, task, candidates=8, **options)


class TestSandwich(OneShotContract):
    def run(self, space, task, **options):
        return sandwich(space, task, candidates=8, **options)


class TestProgressive(OneShotContract):
    def run(self, space, task, **options):
        return progressive(space, task, candidates=8, **options)


class TestEnas(OneShotContract):
    def run(self, space, task, **options):
        return enas(space, task, candidates=8, episodes=3, **options)


SPACE = Space({"a": choice("x", "y", "z"), "b": choice(1, 2, 3), "c": choice(1, 2, 3, 4)})


def test_fair_paths_take_every_value_equally_often():
    paths = [fair(SPACE, seed=1, number=n) for n in range(36)]
    for name in SPACE.decisions:
        counts = Counter(p[name.name] for p in paths)
        assert set(counts.values()) == {36 // name.size}


def test_each_turn_of_fair_paths_takes_every_value_once():
    for step in range(10):
        paths = [fair(SPACE, seed=2, number=3 * step + k) for k in range(3)]
        assert {p["a"] for p in paths} == {"x", "y", "z"}
        assert {p["b"] for p in paths} == {1, 2, 3}


def test_fair_paths_do_not_tie_decisions_together():
    pairs = {(p["a"], p["b"]) for p in (fair(SPACE, seed=3, number=n) for n in range(90))}
    assert len(pairs) == 9


def test_uniform_paths_are_uniform():
    counts = Counter(uniform(SPACE, seed=0, step=step)["c"] for step in range(2000))
    # Binomial with p = 1/4: five deviations of 19 each side, so four counts fail by chance once in 400,000 runs.
    assert all(abs(n - 500) < 97 for n in counts.values())


def test_fairnas_steps_train_every_candidate(trained):
    fairnas(toy_space(), toy_task(), epochs=1, candidates=4)
    operations = [a["operation"] for a in trained]
    assert len(operations) % 3 == 0
    assert all(len(set(operations[i : i + 3])) == 3 for i in range(0, len(operations), 3))


def test_sandwich_always_trains_the_largest_and_the_smallest(trained):
    result = sandwich(toy_space(), toy_task(), epochs=1, candidates=4, between=1)
    costs = result.evaluator().costs
    sizes = {a: costs(a, ["macs"])["macs"] for a in toy_space()}
    steps = [trained[i : i + 3] for i in range(0, len(trained), 3)]
    assert len(steps) >= 4
    for largest, smallest, _ in steps:
        assert sizes[largest] == max(sizes.values())
        assert sizes[smallest] == min(sizes.values())


def test_spos_trains_one_architecture_a_step(trained):
    result = spos(toy_space(), toy_task(), epochs=2, candidates=4)
    steps = 2 * round(len(toy_task().train) / 32)
    assert len(trained) == steps
    assert len(result.history) == 2
    assert len(set(trained)) > 1


def test_progressive_begins_with_the_largest_alone_and_ends_with_all(trained):
    progressive(toy_space(), toy_task(), epochs=20, candidates=4, largest_share=0.25)
    whole = trained[0]
    leading = next(i for i, a in enumerate(trained) if a != whole)
    assert leading >= 5
    assert {a["0/width"] for a in trained[leading : leading + 4]} == {8}
    assert {a["0/width"] for a in trained[-60:]} == {4, 6, 8}


def test_stages_let_kernels_shrink_first_then_depths_then_widths():
    block = nn.ConvBlock(width=choice(8, 16, 32, name="width"), kernel=choice(3, 5, 7, name="kernel"))
    space = Space(nn.Sequential(repeat(block, integer(1, 2, name="depth")), nn.Classifier(2)))
    largest = space.architecture({
        "depth": 2, "0/width": 32, "0/kernel": 7, "1/width": 32, "1/kernel": 7
    })  # fmt: skip
    found = stages(space, space.codes([largest])[0].tolist())
    names = [d.name for d in space.decisions]

    def open_ones(stage):
        return {names[i]: len(codes) for i, codes in stage.items()}

    assert open_ones(found[0]) == {"depth": 1, "0/width": 1, "0/kernel": 2, "1/width": 1, "1/kernel": 2}
    assert open_ones(found[2])["depth"] == 2
    assert open_ones(found[2])["0/width"] == 1
    assert open_ones(found[-1]) == {"depth": 2, "0/width": 3, "0/kernel": 3, "1/width": 3, "1/kernel": 3}


def test_extremes_are_those_of_the_whole_space():
    space = toy_space()
    from archwright.cost import measure

    def costs(architecture, names):
        return measure(space.build(architecture), toy_task().input_shape, names)

    sizes = {a: costs(a, ["macs"])["macs"] for a in space}
    assert sizes[extreme(space, costs, largest=True)] == max(sizes.values())
    assert sizes[extreme(space, costs, largest=False)] == min(sizes.values())


def test_enas_learns_which_operation_matters():
    operation = choice(
        nn.Identity(), nn.Pool("avg", 3, 1, "same"), nn.ConvBlock(kernel=3), nn.ConvBlock(kernel=1), name="operation"
    )
    space = Space(nn.Sequential(nn.ConvBlock(8, kernel=1), operation, nn.Classifier(2)))
    result = enas(space, toy_task(), epochs=30, controller_lr=2e-2, candidates=4)
    assert space.codes([result.architecture])[0].tolist() == [2]
    assert result.history[-1].losses["reward"] > result.history[0].losses["reward"]
    assert result.history[-1].entropy < result.history[0].entropy


def test_the_best_by_shared_weights_comes_first():
    result = spos(toy_space(), toy_task(), epochs=5, candidates=20)
    losses = [r.metrics["log_loss"] for r in result.top]
    assert losses == sorted(losses)


@pytest.mark.parametrize(
    ("method", "settings"),
    [(sandwich, {"between": -1}), (progressive, {"paths": 0}), (enas, {"share": 1.0}), (enas, {"episodes": 0})],
)
def test_settings_that_make_no_sense_are_errors(method, settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        method(toy_space(), toy_task(), **settings)


def test_rules_of_the_space_are_kept(trained):
    space = toy_space().where(lambda a: a["0/width"] != 6)
    for method in (spos, fairnas, sandwich, progressive):
        result = method(space, toy_task(), epochs=1, candidates=4)
        assert result.architecture in space
    assert all(a["0/width"] != 6 for a in trained)
    assert np.unique([a["0/width"] for a in trained]).tolist() == [4, 8]
