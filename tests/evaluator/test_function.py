import functools
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from archwright.errors import EvaluationError
from archwright.evaluator import Context, Evaluator, Function, StopTrial
from archwright.space import Architecture
from archwright.trial import Measurement, Proposal

X4 = Proposal(Architecture({"x": 4}), epochs=7)


class Built:
    """A space that counts how often it builds."""

    def __init__(self):
        self.times = 0

    def build(self, architecture):
        self.times += 1
        return torch.nn.Linear(architecture["x"], 2)


def test_a_function_of_the_architecture_will_do():
    assert Function(lambda architecture: architecture["x"] / 2)(X4, 0).metrics == {"score": 2.0}
    assert Function(lambda a: a["x"] / 2)(X4, 0).metrics == {"score": 2.0}
    assert isinstance(Function(lambda a: 1), Evaluator)


def test_only_what_the_signature_asks_for_is_passed():
    def train(epochs, *, seed, patience=3):
        return {"epochs": epochs, "seed": seed, "patience": patience}

    assert Function(train)(X4, 11).metrics == {"epochs": 7, "seed": 11, "patience": 3}


def test_the_model_is_built_only_when_it_is_asked_for():
    space = Built()
    Function(lambda architecture: 1.0, space)(X4, 0)
    assert space.times == 0
    assert Function(lambda model, architecture: model.in_features, space)(X4, 0).metrics == {"score": 4.0}
    assert space.times == 1


def test_the_models_weights_are_a_function_of_the_seed_and_global_random_numbers_stay():
    evaluate = Function(lambda model: model.weight.sum() + torch.rand(()), Built())
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = evaluate(X4, 3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert evaluate(X4, 3) == first != evaluate(X4, 4)


def test_keyword_arguments_of_any_name_get_everything():
    seen = {}

    def train(**everything):
        seen.update(everything)
        return 1

    Function(train, Built())(X4, 5)
    assert set(seen) == {"model", "architecture", "epochs", "seed", "report"}


def test_positional_only_partial_and_callable_objects_work():
    def f(architecture, /, seed):
        return architecture["x"] + seed

    class Scaled:
        def __call__(self, architecture):
            return architecture["x"] * 10

    assert Function(f)(X4, 1).metrics["score"] == 5
    assert Function(functools.partial(lambda architecture, k: architecture["x"] * k, k=3))(X4, 0).metrics["score"] == 12
    assert Function(Scaled())(X4, 0).metrics["score"] == 40
    assert Function(len)(X4, 0).metrics["score"] == 1


def test_reports_make_the_curve_and_are_passed_on():
    heard = []

    def train(report):
        report(accuracy=0.5)
        report({"accuracy": 0.75, "loss": float("nan")})
        return {"accuracy": 0.8}

    measured = Function(train)(X4, 0, Context(report=heard.append))
    assert [p["accuracy"] for p in measured.curve] == [0.5, 0.75]
    assert [p["epoch"] for p in measured.curve] == [1, 2]
    assert heard == list(measured.curve)
    assert measured.epochs == 2


def test_a_stopped_function_keeps_its_last_report():
    def stop(point):
        if point["accuracy"] > 0.6:
            raise StopTrial("good enough")

    def train(report):
        for accuracy in (0.5, 0.7, 0.9):
            report(accuracy=accuracy)
        return {"accuracy": 1.0}

    measured = Function(train)(X4, 0, Context(report=stop))
    assert measured.metrics == {"accuracy": 0.7}
    assert measured.extra["stopped"] == "good enough"


def test_a_deadline_is_obeyed_at_the_next_report():
    def train(report):
        while True:
            report(0.5)

    measured = Function(train)(X4, 0, Context(deadline=time.monotonic() + 0.05))
    assert measured.metrics == {"score": 0.5}
    assert measured.extra["stopped"] == "deadline"


@pytest.mark.parametrize("value", [3, 0.25, np.float32(0.25), np.int64(2), torch.tensor(0.5), np.array(1.5)])
def test_numbers_of_all_kinds_are_numbers(value):
    assert Function(lambda a: value)(X4, 0).metrics == {"score": float(value)}
    assert Function(lambda a: {"b": value})(X4, 0).metrics == {"b": float(value)}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "returned None, of type NoneType"),
        ("0.9", "'0.9', of type str"),
        (True, "of type bool"),
        ([0.9], "of type list"),
        (np.zeros(2), "of type ndarray"),
        (1j, "of type complex"),
        ({"accuracy": "high"}, "accuracy='high', of type str"),
        ({}, "an empty mapping"),
        (float("nan"), "returned nan: a result must be finite"),
        ({"loss": float("inf")}, "loss=inf: a result must be finite"),
    ],
)
def test_anything_else_is_an_error_that_says_what_came(value, says):
    def train(architecture):
        return value

    with pytest.raises(EvaluationError, match=r"train\(\) returned") as error:
        Function(train)(X4, 0)
    assert says in str(error.value)


def test_a_report_that_is_no_number_is_an_error_too():
    with pytest.raises(EvaluationError, match="reported 'high', of type str"):
        Function(lambda report: report("high"))(X4, 0)
    with pytest.raises(EvaluationError, match="reported nothing"):
        Function(lambda report: report())(X4, 0)


def test_what_the_function_raises_comes_through():
    with pytest.raises(ZeroDivisionError):
        Function(lambda a: 1 / 0)(X4, 0)


def test_arguments_that_nobody_can_give_are_told_at_once():
    with pytest.raises(EvaluationError, match=r"needs optimiser.*Allowed: model, architecture"):
        Function(lambda model, optimiser: 1, Built())
    with pytest.raises(EvaluationError, match="give Function the space"):
        Function(lambda model: 1)
    with pytest.raises(EvaluationError, match="can be called"):
        Function(3)


def test_a_measurement_passes_as_it_is():
    made = Measurement(metrics={"a": 1.0}, costs={"joules": 3.0})
    assert Function(lambda a: made)(X4, 0) is made


def test_costs_are_there_only_where_they_can_be_known():
    assert not hasattr(Function(lambda a: 1), "costs")
    assert not hasattr(Function(lambda a: 1, Built()), "costs")
    assert Function(lambda a: 1, Built(), input_shape=(4,)).costs(X4.architecture, ("params",)) == {"params": 10}


def test_a_function_that_wants_no_model_loads_no_torch():
    code = (
        "import sys; from archwright.evaluator import Function, Recipe; from archwright.trial import Proposal\n"
        "from archwright.space import Architecture\n"
        "print(Function(lambda a: a['x'])(Proposal(Architecture({'x': 1})), 0).metrics, 'torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "{'score': 1.0} False\n"
