"""Metrics agree with scikit-learn and say their direction."""

import numpy as np
import pytest
import torch
from sklearn import metrics as reference

from archwright.errors import DataError
from archwright.task import metrics


@pytest.fixture
def scored():
    generator = torch.Generator().manual_seed(3)
    target = torch.randint(0, 4, (200,), generator=generator)
    output = torch.randn(200, 4, generator=generator) + 1.5 * torch.nn.functional.one_hot(target, 4)
    return output, target


def test_each_classification_metric_is_scikit_learns(scored):
    output, target = scored
    truth, called = target.numpy(), output.argmax(1).numpy()
    shares = torch.softmax(output.double(), 1).numpy()
    expected = {
        "accuracy": reference.accuracy_score(truth, called),
        "balanced_accuracy": reference.balanced_accuracy_score(truth, called),
        "precision": reference.precision_score(truth, called, average="macro"),
        "recall": reference.recall_score(truth, called, average="macro"),
        "f1": reference.f1_score(truth, called, average="macro"),
        "roc_auc": reference.roc_auc_score(truth, shares, multi_class="ovr"),
        "log_loss": reference.log_loss(truth, shares),
    }
    got = {n: metric(output, target) for n, metric in metrics.classification_metrics().items() if n != "ece"}
    assert got == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", [n for n, m in metrics.classification_metrics().items() if m.each is not None])
def test_a_classification_metric_is_the_function_it_says_of_a_mean_over_samples(scored, name):
    metric, (output, target) = metrics.classification_metrics()[name], scored
    for rows in (slice(None), target != 2, torch.arange(3)):  # a class that is never called, or absent
        whole = metric(output[rows], target[rows])
        assert metric.after(metric.each(output[rows], target[rows]).double().mean(0)) == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize("name", ["rmse", "mae", "r2"])
def test_a_regression_metric_is_the_function_it_says_of_a_mean_over_samples(name):
    generator = torch.Generator().manual_seed(0)
    output, target = torch.randn(2, 50, 3, generator=generator)
    metric = metrics.regression_metrics(mean=(5.0, 0.0, -2.0), std=(2.0, 1.0, 0.1))[name]
    assert metric.after(metric.each(output, target).double().mean(0)) == pytest.approx(metric(output, target), abs=1e-6)


def test_two_classes_have_the_usual_roc_auc():
    output = torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 1.5], [0.3, 0.0]])
    target = torch.tensor([0, 1, 0, 1])
    assert metrics.roc_auc(output, target) == pytest.approx(
        reference.roc_auc_score([0, 1, 0, 1], [-2.0, 1.0, 0.5, -0.3])
    )


def test_a_class_that_is_absent_does_not_break_the_score(scored):
    output, target = scored
    kept = target != 2
    values = {n: m(output[kept], target[kept]) for n, m in metrics.classification_metrics().items()}
    assert all(np.isfinite(v) for v in values.values())
    assert values["balanced_accuracy"] == pytest.approx(
        np.mean([(output[target == c].argmax(1) == c).double().mean() for c in (0, 1, 3)])
    )


def test_outputs_that_are_not_numbers_do_not_raise():
    output = torch.full((4, 3), float("nan"))
    assert metrics.roc_auc(output, torch.tensor([0, 1, 2, 0])) == 0.5


def test_per_class_names_every_class(scored):
    output, target = scored
    rows = metrics.per_class(output, target, ["a", "b", "c", "d"])
    assert [r["class"] for r in rows] == ["a", "b", "c", "d"]
    assert sum(r["count"] for r in rows) == 200
    assert np.mean([r["f1"] for r in rows]) == pytest.approx(metrics.f1(output, target))


def test_regression_metrics_are_in_the_targets_own_units():
    rng = np.random.default_rng(0)
    truth = rng.normal(150, 40, 50)
    guess = truth + rng.normal(0, 10, 50)
    mean, std = 140.0, 35.0
    scaled = [torch.tensor((v - mean) / std).float()[:, None] for v in (guess, truth)]
    got = {name: metric(*scaled) for name, metric in metrics.regression_metrics((mean,), (std,)).items()}
    assert got["rmse"] == pytest.approx(reference.root_mean_squared_error(truth, guess), rel=1e-5)
    assert got["mae"] == pytest.approx(reference.mean_absolute_error(truth, guess), rel=1e-5)
    assert got["r2"] == pytest.approx(reference.r2_score(truth, guess), rel=1e-5)


def test_directions_say_which_way_is_better():
    both = {**metrics.classification_metrics(), **metrics.regression_metrics()}
    assert {n for n, m in both.items() if m.direction == "minimize"} == {"log_loss", "ece", "rmse", "mae"}


def test_tied_outputs_count_half_in_the_roc_auc():
    output = torch.tensor([[0.0, s] for s in (1.0, 1.0, 2.0, 2.0, 0.0)])
    target = torch.tensor([0, 1, 1, 0, 0])
    assert metrics.roc_auc(output, target) == pytest.approx(reference.roc_auc_score([0, 1, 1, 0, 0], [1, 1, 2, 2, 0]))


def test_an_unknown_average_is_refused(scored):
    with pytest.raises(DataError, match=r"average is 'weighted': allowed are 'macro'"):
        metrics.f1(*scored, average="weighted")
