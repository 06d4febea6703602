import json
import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archwright.errors import StoreError
from archwright.space import Architecture
from archwright.store import Run, Store
from archwright.store.records import decode, dumps, encode, encode_curve
from archwright.trial import Measurement, Proposal, Trial

names = st.text(max_size=12)
whole = st.integers(-(2**70), 2**70)
finite = st.floats(allow_nan=False)  # infinities too
json_values = st.recursive(
    st.none() | st.booleans() | whole | finite | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
architectures = st.builds(
    Architecture,
    st.dictionaries(
        names, st.none() | st.booleans() | whole | finite | names | st.lists(names, max_size=3).map(tuple), max_size=5
    ),
)
numbers = st.dictionaries(names, finite | whole, max_size=3)
measurements = st.builds(
    Measurement,
    metrics=numbers,
    costs=numbers,
    curve=st.lists(numbers, max_size=3).map(tuple),
    seconds=finite,
    epochs=st.integers(0, 10**6),
    extra=st.dictionaries(names, json_values, max_size=3),
)
trials = st.builds(
    Trial,
    number=st.integers(0, 2**31 - 1),
    proposal=st.builds(
        Proposal,
        architecture=architectures,
        epochs=st.none() | st.integers(1, 1000),
        continues=st.none() | st.integers(0, 1000),
        parents=st.lists(st.integers(0, 1000), max_size=3).map(tuple),
        origin=names,
    ),
    status=st.sampled_from(["done", "failed", "infeasible"]),
    measurement=st.none() | measurements,
    scores=st.none() | st.lists(finite, max_size=3).map(tuple),
    violation=finite,
    reason=names,
    key=names,
    seed=whole,
    finished=finite,
)


def again(trial):
    return decode(trial.number, trial.status, json.loads(encode(trial)), encode_curve(trial))


def everything(trial):
    """Equality of trials leaves out times and extras; this does not."""
    measured = trial.measurement
    return repr(trial), None if measured is None else (measured.seconds, measured.extra)


@given(trials)
def test_a_trial_read_back_equals_the_one_written(trial):
    read = again(trial)
    assert read == trial
    assert hash(read.architecture) == hash(trial.architecture)
    if all(value != 0 for value in (trial.violation, trial.finished)):  # -0.0 and 0 are left out as defaults
        assert everything(read)[1] == everything(trial)[1]
        assert (read.finished, type(read.scores)) == (trial.finished, type(trial.scores))


def test_a_trial_read_back_has_every_field_that_a_trial_has():
    written = Trial(0, Proposal(Architecture({})), "done", Measurement())
    read = again(written)
    assert vars(read).keys() == {field.name for field in fields(Trial)}
    assert vars(read.proposal).keys() == {field.name for field in fields(Proposal)}
    assert vars(read.measurement).keys() == {field.name for field in fields(Measurement)}


@given(trials)
def test_the_database_changes_nothing_either(trial):
    with Store(":memory:") as store:
        run = store.create(Run("r"))
        store.add(run.id, trial, told=0, asked_after=0)
        assert store.trials(run.id, curves=True)[0].trial == trial


def test_what_is_not_a_finite_number_comes_back_too():
    metrics = {"a": math.nan, "b": math.inf, "c": -math.inf, "d": -0.0}
    read = again(Trial(0, Proposal(Architecture({})), "failed", Measurement(metrics, curve=(metrics,))))
    assert repr(read.measurement.metrics) == repr(metrics) == repr(read.measurement.curve[0])


def test_numbers_of_numpy_are_stored_as_numbers():
    measured = Measurement({"a": np.float32(0.5), "b": np.int64(3)}, extra={"c": np.bool_(True)})
    read = again(Trial(0, Proposal(Architecture({"w": np.int64(16)})), "done", measured, (np.float64(-0.5),)))
    assert read.measurement.metrics == {"a": 0.5, "b": 3}
    assert read.measurement.extra == {"c": True}
    assert read.architecture["w"] == 16


def test_what_json_cannot_say_is_refused_by_name():
    with pytest.raises(StoreError, match=r"trial 7 cannot be stored: \{1, 2\} is a set, not a JSON value"):
        encode(Trial(7, Proposal(Architecture({})), "done", Measurement(extra={"x": {1, 2}})))
    circle: dict = {}
    circle["self"] = circle
    with pytest.raises(StoreError, match="the description of run 'r' cannot be stored"):
        dumps(circle, "the description of run 'r'")
