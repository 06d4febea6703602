import itertools
import json

import pytest
import torch

from archwright import nn, task
from archwright.errors import EvaluationError
from archwright.evaluator import Recipe, Training
from archwright.evaluator.optimizer import make_optimizer
from archwright.evaluator.precision import Way, fastest, measure, tuned
from archwright.nn import materialize
from archwright.space import Architecture, Space, choice


@pytest.mark.parametrize("schedule", ["one-cycle", "cosine", "constant"])
def test_the_rate_peaks_once_and_stays_positive_or_zero(schedule):
    recipe = Recipe(schedule=schedule, lr=0.5, warmup=0.3)
    rates = [recipe.lr_at(i / 1000) for i in range(1001)]
    assert max(rates) == pytest.approx(0.5)
    assert rates[300] == pytest.approx(0.5)
    assert all(a <= b for a, b in itertools.pairwise(rates[:301]))
    assert all(a >= b for a, b in itertools.pairwise(rates[300:]))
    assert rates[-1] == pytest.approx({"one-cycle": 0.5e-4, "cosine": 0.0, "constant": 0.5}[schedule])


def test_the_one_cycle_schedule_is_torchs():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=1.0, total_steps=101, pct_start=0.3, final_div_factor=1e4 / 25, cycle_momentum=False
    )
    recipe = Recipe(lr=1.0, warmup=0.293)  # torch counts to the last step of a phase: 0.3 * 101 - 1 of 100
    for step in range(100):
        assert recipe.lr_at(step / 100) == pytest.approx(theirs.get_last_lr()[0], abs=5e-3)
        optimizer.step()
        theirs.step()


def test_biases_and_norms_are_not_decayed():
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten(), torch.nn.Linear(4, 2)
    )
    groups = make_optimizer(module, Recipe(weight_decay=0.5)).param_groups
    assert [(g["weight_decay"], [p.ndim for p in g["params"]]) for g in groups] == [(0.5, [4, 2]), (0.0, [1, 1, 1, 1])]


def test_a_network_without_parameters_is_told_so():
    with pytest.raises(EvaluationError, match="no parameter"):
        make_optimizer(torch.nn.ReLU(), Recipe())


def test_a_recipe_goes_through_json():
    recipe = Recipe(epochs=7, ema=0.9, precision="float32")
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe
    with pytest.raises(EvaluationError, match="Did you mean 'epochs'"):
        Recipe.from_json({"epoch": 3})


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"optimizer": "adam"}, "Did you mean 'adamw'"),
        ({"precision": "float16"}, "auto, float32, bfloat16"),
        ({"epochs": 0}, "1 or more"),
        ({"lr": float("nan")}, "above 0"),
        ({"ema": 1.0}, "below 1"),
    ],
)
def test_nonsense_is_refused_at_once(wrong, says):
    with pytest.raises(ValueError, match=says):
        Recipe(**wrong)


def test_a_tuned_recipe_is_fixed_and_stays_what_it_is(space, digits):
    recipe = tuned(Recipe(), digits, space)
    assert recipe.is_tuned
    assert tuned(recipe, digits, space) is recipe
    assert tuned(Recipe(), digits, space) == recipe, "measured once a process"
    assert Training(space, digits).recipe.is_tuned


def test_what_the_user_fixes_is_kept(space, digits):
    fixed = Recipe(precision="bfloat16", layout="channels_last")
    assert fastest(digits, space, fixed) == Way("bfloat16", "channels_last")
    assert tuned(Recipe(layout="channels_last"), digits, space).layout == "channels_last"


def test_only_images_have_a_layout():
    cancer = task.load("breast_cancer")
    space = Space(nn.Sequential(nn.LazyLinear(choice(8, 16, name="width")), nn.ReLU(), nn.LazyLinear(2)))
    assert tuned(Recipe(), cancer, space).layout == "contiguous"


def test_a_space_in_which_nothing_trains_is_told(digits):
    space = Space(nn.Sequential(nn.Linear(3, choice(8, 16, name="width"))))
    with pytest.raises(EvaluationError, match="none of 6 networks"):
        tuned(Recipe(), digits, space)


def test_all_ways_of_training_learn_alike(space, digits, small):
    ways = [(p, layout) for p in ("float32", "bfloat16") for layout in ("contiguous", "channels_last")]
    module = materialize(space.build(small), digits.input_shape)
    before = [p.detach().clone() for p in module.parameters()]
    timings = measure(module, digits, Recipe(), ways, device=torch.device("cpu"))
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
    plain = timings[0]
    for timing in timings:
        assert timing.step_ms > 0
        assert timing.loss == pytest.approx(plain.loss, rel=0.1)


def test_a_way_that_cannot_run_is_never_the_fastest(digits):
    class OnlyFloat32(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(64, 10)

        def forward(self, x):
            output = self.linear(x.flatten(1))
            if output.dtype != torch.float32:
                raise RuntimeError("not implemented for 'BFloat16'")
            return output

    ways = [("float32", "contiguous"), ("bfloat16", "contiguous")]
    timings = measure(OnlyFloat32(), digits, Recipe(), ways, device=torch.device("cpu"))
    assert timings[1].step_ms == float("inf")


def test_another_architecture_does_not_change_the_choice(space, digits):
    """The choice is of the space, not of the architecture: all trials are trained alike."""
    training = Training(space, digits, Recipe(epochs=1))
    before = training.recipe
    training.fit(Architecture({"0/width": 16, "4/dropout": 0.0}), seed=0)
    assert training.recipe is before
