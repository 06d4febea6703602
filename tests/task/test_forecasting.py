"""Forecasting: no future in what is learnt from, the field's figures, and forecasts of what comes after a table."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import mean_absolute_error, mean_squared_error

from archwright import task as tasks
from archwright.errors import DataError
from archwright.evaluator import Recipe, Training
from archwright.export import export, predict
from archwright.export.card import Card
from archwright.task import Forecasting
from archwright.task.forecasts import NAIVE, SCALE, TRUTH
from archwright.testing import TaskContract
from archwright.trial import Proposal


def waves(n=120, season=6, groups=("a", "b"), seed=0):
    """Two shops: a season, a trend, noise; days without gaps, a covariate, and a calendar known beforehand."""
    rng = np.random.default_rng(seed)
    rows = np.arange(n)
    frames = []
    for i, group in enumerate(groups):
        sold = 50 * (i + 1) + 10 * (i + 1) * np.sin(2 * np.pi * rows / season) + 0.1 * rows + rng.normal(0, 1, n)
        frames.append(
            pd.DataFrame(
                {
                    "day": pd.date_range("2024-01-01", periods=n, freq="D"),
                    "shop": group,
                    "visitors": rng.normal(size=n),
                    "holiday": (rows % 10 == 0).astype(float),
                    "sold": sold,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def of_waves(frame, **options):
    settings = {"group": "shop", "covariates": ["visitors"], "known": ["holiday"], "season": 6, "horizon": 4}
    return Forecasting(frame, **{"target": "sold", "context": 12, **settings, **options})


class TestForecasting(TaskContract):
    def make(self):
        return of_waves(waves())

    def make_of(self, n):
        return of_waves(waves().groupby("shop").head(n))

    def library(self, task, output, target):
        """From the table itself: what came, what a season before says, and what that errs in training."""
        frame = waves()
        mean, std = task.preparation.targets.mean[0], task.preparation.targets.std[0]
        made = output.numpy().astype(float) * std + mean
        n = len(frame) // 2
        end = round(n * 0.8)
        middle = round(end * 0.8)
        true, naive, scale = [], [], []
        for _, shop in frame.groupby("shop"):
            values = shop["sold"].to_numpy()
            step = np.abs(values[6:middle] - values[: middle - 6]).mean()
            for origin in range(middle, end - 4 + 1):
                true.append(values[origin : origin + 4])
                naive.append(values[origin - 6 : origin - 2])
                scale.append(step)
        true, naive, scale = np.array(true), np.array(naive), np.array(scale)[:, None]
        assert true == pytest.approx(target[:, TRUTH].numpy() * std + mean, rel=1e-4)
        errors = np.abs(made - true) / scale
        return {
            "mae": mean_absolute_error(true, made),
            "rmse": mean_squared_error(true, made) ** 0.5,
            "smape": 100 * np.mean(2 * np.abs(made - true) / (np.abs(made) + np.abs(true))),
            "mase": errors.mean(),
            "beats_naive": np.mean(errors.mean(1) < (np.abs(naive - true) / scale).mean(1)),
        }


class TestForecastingOfTwoTargets(TestForecasting):
    def make(self):
        return of_waves(waves(), target=["sold", "visitors"], covariates=[])

    def make_of(self, n):
        return of_waves(waves().groupby("shop").head(n), target=["sold", "visitors"], covariates=[])

    def library(self, task, output, target):
        """Each target's figures apart, and their mean; the share of windows is of both together."""
        single = [task.score(output, target, [name])[name] for name in ("mae", "mase", "smape")]
        units = torch.tensor(task.preparation.targets.std).repeat_interleave(4)
        errors = ((output - target[:, TRUTH]) * units).double().reshape(-1, 2, 4).abs()
        assert single[0] == pytest.approx(errors.mean((0, 2)).mean().item(), rel=1e-5)
        return task.score(output, target)


def test_the_future_leaves_no_trace_in_what_is_learnt_from():
    frame = waves()
    days = np.sort(frame["day"].unique())
    end = round(len(days) * 0.8)
    middle = round(end * 0.8)
    before = of_waves(frame)

    later = frame.copy()
    later.loc[later["day"] >= days[middle], ["sold", "visitors", "holiday"]] += 1000.0
    after = of_waves(later)
    assert torch.equal(before.train.inputs, after.train.inputs)
    assert torch.equal(before.train.targets, after.train.targets)
    assert before.preparation == after.preparation, "and no statistic"
    assert not torch.equal(before.validation.inputs, after.validation.inputs)

    last = frame.copy()
    last.loc[last["day"] >= days[end], ["sold", "visitors", "holiday"]] += 1000.0
    at_the_end = of_waves(last)
    assert torch.equal(before.validation.inputs, at_the_end.validation.inputs)
    assert torch.equal(before.validation.targets, at_the_end.validation.targets)
    assert not torch.equal(before.open_test().targets, at_the_end.open_test().targets)


def test_no_row_is_forecast_in_two_parts_and_series_are_cut_at_the_same_time():
    frame = waves(80, groups=("a",))
    late = waves(40, groups=("b",))
    late["day"] += pd.Timedelta(days=40)  # begins when the other is half over
    frame["sold"], late["sold"] = np.arange(80.0), 1000 + np.arange(40.0)
    task = of_waves(pd.concat([frame, late]), known=[], covariates=[])
    mean, std = task.preparation.targets.mean[0], task.preparation.targets.std[0]

    def days(part):
        values = (part.targets[:, TRUTH] * std + mean).round().int().flatten().tolist()
        return {v if v < 500 else v - 1000 + 40 for v in values}

    train, validation, test = days(task.train), days(task.validation), days(task.open_test())
    assert max(train) < min(validation)
    assert max(validation) < min(test)
    assert max(test) == 79


def test_what_is_known_beforehand_is_read_up_to_the_end_of_the_horizon_and_the_rest_up_to_the_origin():
    frame = waves(60, groups=("a",))
    frame["sold"], frame["visitors"], frame["holiday"] = np.arange(60.0) ** 2, np.arange(60.0), np.arange(60.0)
    task = of_waves(frame)
    mean, std = (np.array(v)[:, None] for v in (task.preparation.features.mean, task.preparation.features.std))
    first = task.train.inputs[0].numpy() * std + mean
    assert first[1].round().tolist() == list(range(12)), "visitors: rows 0 to 11"
    assert first[2].round().tolist() == list(range(4, 16)), "holidays: to the horizon's end, row 15"
    target = task.train.targets[0, TRUTH].numpy() * std[0] + mean[0]
    assert target == pytest.approx(np.arange(12, 16) ** 2, rel=1e-4)


def test_gaps_are_carried_on_in_what_is_read_and_never_forecast():
    frame = waves(80, groups=("a",))
    frame.loc[30, "sold"] = np.nan
    task = of_waves(frame, known=[], covariates=[])
    whole = of_waves(waves(80, groups=("a",)), known=[], covariates=[])
    assert len(whole.train) - len(task.train) == 4, "the four horizons with row 30 in them"
    assert task.describe()["gaps"] == 1
    assert all(torch.isfinite(p.inputs).all() for p in (task.train, task.validation))


def test_the_naive_forecast_is_the_season_before():
    task = of_waves(waves(), season=6, horizon=8, context=12)
    k, window, targets = 0, task.validation.inputs, task.validation.targets
    for step in range(8):
        assert torch.equal(targets[:, NAIVE, step], window[:, k, 12 - 6 + step % 6])
    references = task.references(task.train, task.validation)
    assert references["seasonal naive"]["beats_naive"] == 0.0
    assert references["seasonal naive"]["mase"] < references["naive"]["mase"]
    assert references["linear regression"]["mase"] < 1.2 * references["seasonal naive"]["mase"]
    assert (targets[:, SCALE] > 0).all()


def test_seasons_and_columns_are_found_by_what_is_usual():
    def season(freq, n=200):
        index = pd.date_range("2020-01-01", periods=n, freq=freq, name="when")
        return Forecasting(pd.Series(np.random.default_rng(0).normal(size=n).cumsum(), index), horizon=2).season

    assert [season(f) for f in ("30min", "h", "D", "B", "W", "MS", "QS", "10s")] == [48, 24, 7, 5, 52, 12, 4, 1]
    task = Forecasting(waves(groups=("a",)).drop(columns="shop"))
    assert task.preparation.features.columns.time == "day"
    assert task.describe()["target"] == ["sold"]
    assert Forecasting(np.random.default_rng(0).normal(size=(90, 2)), target="x0").input_shape == (1, 36)
    assert Forecasting(np.random.default_rng(0).normal(size=90).tolist()).n_outputs == 12


def test_rows_may_come_in_any_order():
    frame = waves()
    mixed = frame.sample(frac=1.0, random_state=1)
    assert of_waves(frame).fingerprint == of_waves(mixed).fingerprint


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (lambda f: f, {"group": None}, "name the column that tells series apart"),
        (lambda f: f.assign(sold=f["sold"].astype(object).where(f.index != 7, "many")), {}, "'many' in row 7"),
        (lambda f: f, {"target": "sale"}, "did you mean 'sold'"),
        (lambda f: f.assign(sold=3.0), {}, "nothing to learn"),
        (lambda f: f, {"context": 4}, "shorter than a season"),
        (lambda f: f, {"horizon": 0}, "horizon is 0"),
        (lambda f: f, {"horizon": 100, "context": 100}, "training part holds 0 forecasts"),
        (lambda f: f, {"covariates": ["sold"]}, "named for two things"),
        (lambda f: f.assign(day="soon"), {"time": "day"}, "no date and no number"),
        (lambda f: f.assign(sold=np.inf), {}, "infinite"),
    ],
)
def test_what_cannot_be_forecast_is_said_with_what_to_do(change, options, said):
    with pytest.raises(DataError) as raised:
        of_waves(change(waves()), **options)
    assert said.lower() in str(raised.value).lower()


def test_a_network_written_down_forecasts_what_comes_after_a_table(tmp_path):
    frame = waves()
    task = of_waves(frame)
    space = task.space()
    architecture = space.sample(np.random.default_rng(3))
    recipe = Recipe(epochs=2, precision="float32", layout="contiguous")
    module, _ = Training(space, task, recipe, device="cpu").fit(architecture, 0)
    card = Card(name="sold", preparation=task.preparation.to_json())
    export(module, tmp_path, input_shape=task.input_shape, forms=["source"], card=card)

    future = pd.DataFrame({"day": pd.date_range("2024-04-30", periods=4), "holiday": 0.0})
    table = pd.concat([frame, *(future.assign(shop=s) for s in ("a", "b"))], ignore_index=True)
    table.to_csv(tmp_path / "new.csv", index=False)
    answers = predict(tmp_path, tmp_path / "new.csv")
    assert [a.sample for a in answers] == ["a", "b"]
    assert [list(a.value) for a in answers] == [["sold"], ["sold"]]
    with torch.no_grad():
        output = module(task.preparation.inputs(table))
    for i, answer in enumerate(answers):
        assert answer.value["sold"] == pytest.approx(task.preparation.answers(output)[i]["sold"], rel=1e-4)
    with pytest.raises(DataError, match="4 are needed, with 'holiday' filled in"):
        predict(tmp_path, frame)
    with pytest.raises(DataError, match="give more of its past"):
        predict(tmp_path, table.tail(9))


def test_the_default_space_beats_the_seasonal_naive_forecast_soon():
    task = of_waves(waves(300))
    space = task.space()
    training = Training(space, task, Recipe.suiting(task, epochs=15, precision="float32", layout="contiguous"))
    architecture = next(a for a in map(space.sample, map(np.random.default_rng, range(50))) if a["kind"] == "mixer")
    measured = training(Proposal(architecture), 0)
    naive = task.references(task.train, task.validation)["seasonal naive"]["mase"]
    assert measured.metrics["mase"] < min(0.95, naive)


def test_series_of_packages_go_by_name():
    pytest.importorskip("pmdarima", reason="needs the extra 'series'")
    electricity, carbon, share = (tasks.load(name) for name in ("electricity", "co2", "msft"))
    assert (electricity.season, electricity.horizon, electricity.input_shape) == (48, 48, (1, 336))
    assert (carbon.season, carbon.describe()["gaps"]) == (52, 59)
    assert (share.season, share.horizon, share.input_shape) == (5, 5, (5, 30))


def test_smape_is_that_of_pmdarima():
    metrics = pytest.importorskip("pmdarima.metrics", reason="needs the extra 'series'")
    task = of_waves(waves())
    targets = task.preparation.targets
    output = task.validation.targets[:, TRUTH] + 0.3 * torch.randn(task.validation.targets[:, TRUTH].shape)
    made, true = (np.array([a["sold"] for a in targets.decode(v)]) for v in (output, task.validation.targets[:, TRUTH]))
    library = metrics.smape(true.ravel(), made.ravel())
    assert task.score(output, task.validation.targets, ["smape"])["smape"] == pytest.approx(library, rel=1e-5)
