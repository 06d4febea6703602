"""What a search looks at before it begins: costs, and architectures to begin with."""

import numpy as np
import pytest

from archwright import nn, task
from archwright.errors import NothingFitsError
from archwright.evaluator import Training
from archwright.objective import Objectives, at_most, maximize
from archwright.run.survey import survey
from archwright.space import Space, choice, integer

WIDTHS = [2, 4, 8, 16, 32, 64]


@pytest.fixture(scope="module")
def digits():
    return task.load("digits")


@pytest.fixture(scope="module")
def families():
    """Narrow networks of one kind fit, of the other only the narrowest."""
    deep = nn.Sequential(
        nn.ConvBlock(width=choice(*WIDTHS, name="first"), kernel=5),
        nn.ConvBlock(width=choice(*WIDTHS, name="second"), kernel=5),
    )
    shallow = nn.ConvBlock(width=integer(2, 12, name="only"), kernel=choice(1, 3))
    return Space(nn.Sequential(choice(deep, shallow, name="family"), nn.GlobalPool(), nn.Classifier(10)))


def surveyed(space, digits, ceiling, seed=0):
    objectives = Objectives.of([maximize("accuracy"), at_most(params=ceiling)])
    training = Training(space, digits, tune=False)
    return training, survey(space, training, objectives, seed=seed, n=30)


@pytest.mark.parametrize("seed", range(5))
def test_under_a_ceiling_the_first_examples_are_of_every_kind_and_fit(families, digits, seed):
    training, found = surveyed(families, digits, 1200, seed)
    costs = [training.costs(a, ["params"])["params"] for a in found.examples]
    assert max(costs) <= 1200
    assert len(set(found.examples)) == len(found.examples)
    kinds = [dict(a)["family"] for a in found.examples]
    deep = [a for a, kind in zip(found.examples, kinds, strict=True) if kind == "Sequential"]
    assert "Sequential" in kinds[:4]
    assert "ConvBlock" in kinds[:4]
    # As wide as they may be: one step more on both widths is over the ceiling.
    for architecture in deep[:2]:
        values = dict(architecture)
        names = [n for n in values if n.endswith(("first", "second"))]
        if all(values[n] < WIDTHS[-1] for n in names):
            wider = {**values, **{n: WIDTHS[WIDTHS.index(values[n]) + 1] for n in names}}
            assert training.costs(families.architecture(wider), ["params"])["params"] > 1200


def test_without_a_ceiling_samples_are_left_as_they_are(families, digits):
    training = Training(families, digits, tune=False)
    found = survey(families, training, Objectives.of(maximize("accuracy")), n=10)
    drawn = dict.fromkeys(families.sample(np.random.default_rng([0, 2**31]), 10))
    assert set(found.examples) == set(drawn)


def test_where_not_even_the_narrowest_fits_an_error_names_it(families, digits):
    with pytest.raises(NothingFitsError, match="cheapest had"):
        surveyed(families, digits, 10)
