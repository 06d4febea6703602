"""The estimators keep scikit-learn's contract, in its own checks and in its own tools."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from archwright import Space, choice, nn, strategy
from archwright.errors import DataError, NothingFitsError
from archwright.sklearn import ArchwrightClassifier, ArchwrightRegressor


def small(input_shape, n_outputs):
    return Space(nn.Sequential(nn.LinearBlock(choice(16, 24), activation="relu"), nn.Classifier(n_outputs)))


BRIEF = {"budget": None, "trials": 1, "epochs": 30, "space": small, "strategy": strategy.Random, "random_state": 0}


@pytest.fixture(scope="module")
def blobs():
    x, y = make_blobs(90, 3, centers=3, cluster_std=0.5, random_state=0)
    return x, np.array(["ant", "bee", "cat"])[y]


@pytest.fixture(scope="module")
def fitted(blobs):
    return ArchwrightClassifier(**BRIEF).fit(*blobs)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
@pytest.mark.parametrize("kind", [ArchwrightClassifier, ArchwrightRegressor])
def test_every_check_of_scikit_learn_passes_without_an_exception(kind):
    found = check_estimator(kind(**{**BRIEF, "epochs": 8}), on_fail=None)
    assert {c["check_name"]: c["exception"] for c in found if c["status"] in ("failed", "xfail")} == {}
    # Skipped is what asks for an environment variable of scipy's, and nothing else.
    assert {c["check_name"] for c in found if c["status"] == "skipped"} <= {"check_array_api_input"}
    assert sum(c["status"] == "passed" for c in found) > 40


def test_a_classifier_answers_in_the_labels_that_it_was_given(fitted, blobs):
    x, y = blobs
    assert fitted.classes_.tolist() == ["ant", "bee", "cat"]
    assert fitted.n_features_in_ == 3
    assert fitted.score(x, y) > 0.9
    probability = fitted.predict_proba(x)
    assert probability.shape == (90, 3)
    assert np.allclose(probability.sum(1), 1)
    assert (fitted.classes_[probability.argmax(1)] == fitted.predict(x)).all()


def test_the_search_is_kept_and_claims_no_test_figures(fitted):
    assert len(fitted.result_.trials) == 1
    assert fitted.result_.test == {}
    assert sum(p.numel() for p in fitted.model_.parameters()) == fitted.result_.best.costs["params"]


def test_every_sample_was_trained_on_at_the_end(fitted):
    assert fitted.result_.task.sizes["train"] + fitted.result_.task.sizes["validation"] == 90


def test_a_fitted_estimator_survives_pickling(fitted, blobs):
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict_proba(blobs[0]), fitted.predict_proba(blobs[0]))


def test_the_same_random_state_gives_the_same_network(fitted, blobs):
    again = clone(fitted).fit(*blobs)
    assert np.array_equal(again.predict_proba(blobs[0]), fitted.predict_proba(blobs[0]))


def test_it_works_at_the_end_of_a_pipeline_under_cross_validation(blobs):
    scores = cross_val_score(make_pipeline(StandardScaler(), ArchwrightClassifier(**BRIEF)), *blobs, cv=2)
    assert scores.shape == (2,)
    assert scores.min() > 0.6


def test_a_grid_search_tries_its_parameters(blobs):
    grid = GridSearchCV(ArchwrightClassifier(**BRIEF), {"epochs": [1, 30]}, cv=2).fit(*blobs)
    assert grid.best_params_ == {"epochs": 30}


def test_numbers_categories_and_missing_values_of_a_frame_are_learnt_from():
    rng = np.random.default_rng(0)
    town = rng.choice(["Bath", "York"], 80)
    frame = pd.DataFrame(
        {
            "town": pd.Categorical(town),
            "zone": rng.integers(1, 4, 80),
            "age": np.where(rng.random(80) < 0.2, np.nan, rng.normal(40, 9, 80)),
        }
    )
    model = ArchwrightClassifier(**{**BRIEF, "epochs": 40}, categorical=["zone"]).fit(frame, town == "York")
    assert model.feature_names_in_.tolist() == ["town", "zone", "age"]
    kinds = model.result_.task.describe()["columns"]
    assert kinds == {"town": "category", "zone": "category", "age": "number"}
    assert model.score(frame, town == "York") > 0.95
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"age": "years"}))


def test_a_regressor_answers_in_the_units_of_its_targets():
    x = np.random.default_rng(0).normal(size=(120, 2))
    y = 1000 + 50 * x[:, 0]
    model = ArchwrightRegressor(**{**BRIEF, "epochs": 40}).fit(x, y)
    assert model.predict(x).shape == (120,)
    assert model.score(x, y) > 0.8
    both = ArchwrightRegressor(**BRIEF).fit(x, np.stack([y, -y], 1))
    assert both.predict(x).shape == (120, 2)


def test_a_ceiling_holds(blobs):
    model = ArchwrightClassifier(**BRIEF, max_params=130).fit(*blobs)
    assert sum(p.numel() for p in model.model_.parameters()) <= 130
    with pytest.raises(NothingFitsError, match="10"):
        ArchwrightClassifier(**BRIEF, max_params=10).fit(*blobs)


def test_a_class_with_one_sample_in_a_fold_does_not_stop_it(blobs):
    x, y = blobs
    model = ArchwrightClassifier(**BRIEF).fit(np.vstack([x, [[50, 50, 50]]]), [*y, "dog"])
    assert model.classes_.tolist() == ["ant", "bee", "cat", "dog"]


def test_one_class_alone_is_told(blobs):
    with pytest.raises(DataError, match="only one class"):
        ArchwrightClassifier(**BRIEF).fit(blobs[0], np.zeros(90, dtype=int))
