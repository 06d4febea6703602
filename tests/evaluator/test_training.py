import copy
import pickle
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from archwright import nn, task
from archwright.errors import EvaluationError
from archwright.evaluator import Context, Evaluator, Recipe, StopTrial, Training
from archwright.evaluator.randomness import derived
from archwright.space import Architecture, Space, choice, searchable
from archwright.trial import Proposal

FIXED = {"precision": "float32", "layout": "contiguous"}


def test_learning_happens(space, digits):
    measured = Training(space, digits, Recipe(epochs=6, batch_size=32, augment=False, **FIXED))(
        Proposal(Architecture({"0/width": 16, "4/dropout": 0.0})), seed=0
    )
    assert measured.metrics["accuracy"] > 0.9
    assert set(measured.metrics) == set(digits.metrics)
    assert measured.epochs == 6
    assert measured.costs["params"] == 16 * 9 + 32 + 16 * 16 * 9 + 32 + 170


def test_the_curve_has_a_point_for_each_epoch(training, small):
    curve = training(Proposal(small), seed=0).curve
    assert [p["epoch"] for p in curve] == [1, 2, 3]
    assert {"train_loss", "lr", "accuracy", "log_loss"} <= set(curve[0])
    assert curve[-1]["train_loss"] < curve[0]["train_loss"]


def test_the_same_seed_gives_the_same_measurement_and_another_seed_another(training, small):
    first, again, other = (training(Proposal(small), seed=seed) for seed in (5, 5, 6))
    assert first == again
    assert first.curve != other.curve


def test_a_copy_in_another_process_would_measure_the_same(training, small):
    copy = pickle.loads(pickle.dumps(training))
    assert copy(Proposal(small, epochs=1), seed=1) == training(Proposal(small, epochs=1), seed=1)


def test_torchs_global_random_numbers_are_left_alone(training, small):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    measured = training(Proposal(small, epochs=1), seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)
    assert training(Proposal(small, epochs=1), seed=1) == measured, "the caller's seed must not matter"


def test_the_templates_of_the_space_stay_untrained(digits):
    template = torch.nn.Linear(64, 10)
    before = template.weight.detach().clone()
    space = Space(
        nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.0), template, choice(nn.Identity(), nn.Dropout(0.1)))
    )
    training = Training(space, digits, Recipe(epochs=1, **FIXED))
    training(Proposal(space.sample(np.random.default_rng(0))), seed=0)
    assert torch.equal(template.weight, before)


def test_a_deadline_within_an_epoch_keeps_the_best_so_far(space, digits, small):
    training = Training(space, digits, Recipe(epochs=10_000, **FIXED))
    deadline = []

    def report(point):
        deadline.append(point)

    started = time.monotonic()
    measured = training(Proposal(small), 0, Context(deadline=started + 1.5, report=report))
    assert measured.extra["stopped"] == "deadline"
    assert 1 <= measured.epochs == len(measured.curve) == len(deadline) < 10_000
    assert measured.metrics["accuracy"] == measured.curve[measured.extra["best_epoch"] - 1]["accuracy"]


def test_a_deadline_before_the_first_step_is_an_error(training, small):
    with pytest.raises(EvaluationError, match=r"deadline came before epoch 1 began"):
        training(Proposal(small), 0, Context(deadline=time.monotonic()))


def test_a_deadline_in_the_first_epoch_cuts_it_and_what_was_learnt_is_measured(digits, small):
    """A step is slow, and there are dozens of them."""

    class Slow(torch.nn.Module):
        steps = 0

        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(64, 10)

        def forward(self, x):
            Slow.steps += 1
            time.sleep(0.02)
            return self.linear(x.flatten(1))

    space = Space(nn.Sequential(searchable(Slow)(), nn.Dropout(p=choice(0.0, 0.1, name="end"))))
    training = Training(space, digits, Recipe(batch_size=8, **FIXED))
    points = []
    context = Context(deadline=time.monotonic() + 0.5, report=points.append)
    measured = training(Proposal(Architecture({"end": 0.0})), 0, context)
    assert Slow.steps < len(digits.train) // 8
    assert measured.extra["stopped"] == "deadline"
    assert 0 < measured.extra["part_of_epoch"] < 0.8
    assert (measured.epochs, len(measured.curve), len(points)) == (1, 1, 1)
    assert 0 < measured.metrics["accuracy"] < 1
    module, final = training.fit(Architecture({"end": 0.0}), 0, "train+validation", deadline=time.monotonic() + 0.5)
    assert isinstance(module, torch.nn.Module)
    assert final.extra["stopped"] == "deadline"


def test_with_seconds_each_network_trains_for_as_many_epochs_as_its_pace_allows(digits):
    """One step takes ten times as long as the other's."""

    class Slow(torch.nn.Module):
        def __init__(self, times):
            super().__init__()
            self.times = times
            self.linear = torch.nn.Linear(64, 10)

        def forward(self, x):
            began = time.thread_time()
            while time.thread_time() - began < 0.0005 * self.times:
                pass
            return self.linear(x.flatten(1))

    space = Space(nn.Sequential(searchable(Slow)(times=choice(1, 10, name="times"))))
    training = Training(space, digits, Recipe(seconds=0.3, batch_size=64, epochs=50, **FIXED))
    fast, slow = (training(Proposal(Architecture({"times": times})), 0) for times in (1, 10))
    assert slow.epochs == 2, "two at least"
    assert slow.epochs < fast.epochs < 50
    assert training(Proposal(Architecture({"times": 1}), epochs=fast.epochs), 0) == fast
    assert training(Proposal(Architecture({"times": 10}), epochs=3), 0).epochs == 3
    long = replace(training.recipe, seconds=600.0, epochs=3)
    assert Training(space, digits, long)(Proposal(Architecture({"times": 1})), 0).epochs == 3


def test_with_folds_a_network_is_measured_on_several_divisions_and_told_their_mean(space, digits, small):
    recipe = Recipe(epochs=2, folds=3, **FIXED)
    training = Training(space, digits, recipe)
    measured = training(Proposal(small), seed=7)
    assert measured.extra["folds"] == 3
    assert measured.epochs == 6
    assert len(measured.curve) == 2
    once = Training(space, digits, replace(recipe, folds=1))(Proposal(small), seed=7)
    others = [training.fit(small, derived(7, 2, fold), fold=fold)[1] for fold in (1, 2)]
    assert len({m.metrics["log_loss"] for m in (once, *others)}) == 3
    for name in digits.metrics:
        mean = sum(m.metrics[name] for m in (once, *others)) / 3
        assert measured.metrics[name] == pytest.approx(mean)
    assert training(Proposal(small, epochs=2), seed=7) == once, "a proposal that says its epochs is trained once"
    soon = training(Proposal(small), 7, Context(deadline=time.monotonic() + 1.5 * once.seconds))
    assert soon.extra.get("folds", 1) < 3


def test_an_epoch_of_some_samples_draws_others_each_time_and_measures_the_same_ones(space, digits, small):
    recipe = Recipe(epochs=6, batch_size=32, samples=100, **FIXED)
    seen = []

    class Watched(type(digits)):
        def augmented(self, inputs, targets, generator=None):
            seen.append(inputs.flatten(1).sum(1))
            return super().augmented(inputs, targets, generator)

    watched = copy.copy(digits)
    watched.__class__ = Watched
    measured = Training(space, watched, recipe)(Proposal(small), 0)
    epochs = [torch.cat(seen[i : i + 3]) for i in range(0, len(seen), 3)]
    assert [len(e) for e in epochs] == [99] * 6
    assert len(torch.cat(epochs).unique()) > 300, "most are new in each epoch"
    assert "measured_on" not in measured.extra, "no more than a thousand are there"
    many = Recipe(epochs=1, samples=400, **FIXED)
    wide = copy.copy(digits)
    wide.validation = task.Part(digits.validation.inputs.repeat(9, 1, 1, 1), digits.validation.targets.repeat(9))
    trained = Training(space, wide, many)
    assert trained(Proposal(small), 0).extra["measured_on"] == 1000 < len(wide.validation)
    assert torch.equal(
        trained._on_device("validation").targets, Training(space, wide, many)._on_device("validation").targets
    )


@pytest.mark.parametrize("samples", [0, -5])
def test_an_epoch_of_no_samples_makes_no_sense(samples):
    with pytest.raises(ValueError, match="allowed is 1 or more, or None"):
        Recipe(samples=samples)


def test_a_loss_that_is_not_finite_names_its_epoch(space, digits, small):
    training = Training(space, digits, Recipe(epochs=4, optimizer="sgd", lr=1e30, warmup=0.0, **FIXED))
    with pytest.raises(EvaluationError, match=r"^non-finite loss at epoch 1$"):
        training(Proposal(small), seed=0)


def test_the_best_epochs_weights_are_kept_and_measured(space, digits, small):
    recipe = Recipe(epochs=6, batch_size=32, lr=0.1, schedule="constant", warmup=0.0, **FIXED)
    training = Training(space, digits, recipe)
    for seed in range(8):  # a high, constant rate: soon there is a run whose last epoch is not its best
        module, measured = training.fit(small, seed)
        accuracies = [p["accuracy"] for p in measured.curve]
        if max(accuracies) > accuracies[-1]:
            break
    assert max(accuracies) > accuracies[-1]
    assert accuracies[measured.extra["best_epoch"] - 1] == max(accuracies)
    with torch.no_grad():
        said = digits.score(module(digits.validation.inputs), digits.validation.targets)
    assert said["accuracy"] == measured.metrics["accuracy"] == max(accuracies)

    last = Training(space, digits, replace(recipe, keep="last"))(Proposal(small), seed)
    assert last.metrics["accuracy"] == accuracies[-1]


def test_one_lucky_epoch_in_a_long_training_is_not_the_best(digits, space, small):
    """Thirty epochs are smoothed over three: the epoch kept is the one whose last three are best on average."""
    recipe = Recipe(epochs=30, batch_size=575, augment=False, lr=0.05, schedule="constant", **FIXED)
    measured = Training(space, digits, recipe)(Proposal(small), seed=0)
    accuracies = [p["accuracy"] for p in measured.curve]
    smooth = [np.mean(accuracies[max(0, i - 2) : i + 1]) for i in range(30)]
    kept = measured.extra["best_epoch"] - 1
    assert smooth[kept] == pytest.approx(max(smooth))
    assert measured.metrics["accuracy"] == accuracies[kept]


def test_best_is_least_where_the_metric_is_an_error():
    diabetes = task.load("diabetes")
    assert diabetes.metrics[diabetes.metric].direction == "minimize"
    space = Space(
        nn.Sequential(nn.Linear(diabetes.input_shape[0], choice(8, 16, name="width")), nn.ReLU(), nn.LazyLinear(1))
    )
    measured = Training(space, diabetes, Recipe(epochs=5, batch_size=32, **FIXED))(
        Proposal(Architecture({"width": 8})), seed=0
    )
    assert measured.metrics[diabetes.metric] == pytest.approx(min(p[diabetes.metric] for p in measured.curve))


def test_averaged_weights_are_measured_and_kept_when_the_recipe_says_so(space, digits, small):
    recipe = Recipe(epochs=4, batch_size=32, lr=0.1, schedule="constant", warmup=0.0, **FIXED)
    plain, averaged = (Training(space, digits, replace(recipe, ema=ema)) for ema in (0.0, 0.98))
    (_, rough), (module, smooth) = plain.fit(small, seed=0), averaged.fit(small, seed=0)
    assert [p["train_loss"] for p in rough.curve] == [p["train_loss"] for p in smooth.curve], "the training is the same"
    assert smooth.metrics["log_loss"] < rough.metrics["log_loss"], "at a high, constant rate the average is better"
    with torch.no_grad():
        said = digits.score(module(digits.validation.inputs), digits.validation.targets)
    assert said["accuracy"] == smooth.metrics["accuracy"]


def test_report_hears_each_epoch_and_may_stop_the_trial(training, small):
    heard = []

    def report(point):
        heard.append(point)
        if len(heard) == 2:
            raise StopTrial("no hope")

    measured = training(Proposal(small), 0, Context(report=report))
    assert len(heard) == len(measured.curve) == measured.epochs == 2
    assert measured.extra["stopped"] == "no hope"
    assert measured.metrics["accuracy"] == max(p["accuracy"] for p in measured.curve)


def test_what_report_raises_otherwise_is_not_swallowed(training, small):
    def report(point):
        raise KeyError("broken pipe")

    with pytest.raises(KeyError):
        training(Proposal(small), 0, Context(report=report))


def test_fit_gives_a_plain_network(space, digits, small):
    recipe = Recipe(epochs=1, precision="bfloat16", layout="channels_last", ema=0.9)
    module, measured = Training(space, digits, recipe).fit(small, seed=0)
    assert not module.training
    assert not any(torch.nn.parameter.is_lazy(p) for p in module.parameters())
    for tensor in module.parameters():
        assert tensor.dtype == torch.float32
        assert tensor.device.type == "cpu"
        assert tensor.is_contiguous()
        assert tensor.requires_grad
    output = module(torch.zeros(2, *digits.input_shape))
    assert output.dtype == torch.float32
    assert measured.metrics["accuracy"] > 0


def test_fit_on_both_parts_learns_from_more_and_measures_nothing(training, digits, small):
    module, measured = training.fit(small, seed=0, part="train+validation", epochs=2)
    assert measured.metrics == {}
    assert [set(p) for p in measured.curve] == [{"epoch", "train_loss", "lr"}] * 2
    alone, _ = training.fit(small, seed=0, part="train", epochs=2)
    assert not torch.equal(next(module.parameters()), next(alone.parameters()))


def test_fit_on_a_fold_learns_and_is_measured_on_that_division(training, digits, small):
    train, validation = digits.fold(1)
    module, measured = training.fit(small, seed=0, epochs=2, fold=1)
    with torch.no_grad():
        output = module(validation.inputs)
    assert measured.metrics["accuracy"] == pytest.approx(digits.score(output, validation.targets)["accuracy"])
    assert len(train) + len(validation) == len(digits.train) + len(digits.validation)
    own, _ = training.fit(small, seed=0, epochs=2)
    assert not torch.equal(next(module.parameters()), next(own.parameters()))


def test_a_part_that_fit_does_not_know_is_refused(training, small):
    with pytest.raises(EvaluationError, match=r"'test'.*allowed are 'train'"):
        training.fit(small, seed=0, part="test")


def test_the_test_part_is_never_opened(training, digits):
    assert digits.test_openings == 0


def test_costs_need_no_training(training, small):
    costs = training.costs(small, ("params", "macs"))
    assert costs == {"params": training(Proposal(small, epochs=1), 0).costs["params"], "macs": costs["macs"]}
    assert costs["macs"] > costs["params"]


def test_latency_is_a_cost_too(training, small):
    assert training.costs(small, ("latency_ms",))["latency_ms"] > 0


def test_a_network_with_the_wrong_number_of_outputs_is_told_so(digits):
    space = Space(nn.Sequential(nn.Flatten(), nn.LazyLinear(choice(7, 10, name="outputs"))))
    training = Training(space, digits, Recipe(epochs=1, **FIXED))
    with pytest.raises(EvaluationError, match=r"made \(31, 7\) of 31 inputs.*needs \(31, 10\)"):
        training(Proposal(Architecture({"outputs": 7})), seed=0)


def test_a_space_of_something_else_than_networks_is_told_so(digits):
    training = Training(Space({"x": choice(1, 2, name="x")}), digits, Recipe(epochs=1, **FIXED))
    with pytest.raises(EvaluationError, match="builds a dict"):
        training(Proposal(Architecture({"x": 1})), seed=0)


def test_training_is_an_evaluator(training):
    assert isinstance(training, Evaluator)
