"""scikit-learn estimators: a search that fits and predicts, in pipelines, cross-validation and grid searches.

>>> from archwright.sklearn import ArchwrightClassifier
>>> ArchwrightClassifier(budget="30 s", max_params="5k")
ArchwrightClassifier(budget='30 s', max_params='5k')
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import assert_all_finite, check_array, check_consistent_length, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from archwright.errors import EvaluationError
from archwright.evaluator import Recipe
from archwright.objective import Goal, at_most, parse_cost
from archwright.run import search

if TYPE_CHECKING:
    from torch import Tensor

    from archwright.task import Task

__all__ = ["ArchwrightClassifier", "ArchwrightRegressor"]

BATCH = 4096


class _Estimator(BaseEstimator):
    """What both share: parameters, the search, and the network's outputs."""

    def __init__(
        self,
        budget: str | float | None = "1 min",
        *,
        trials: int | None = None,
        epochs: int | None = None,
        metric: str | None = None,
        max_params: int | str | None = None,
        max_macs: int | str | None = None,
        max_bytes: int | str | None = None,
        max_latency_ms: float | str | None = None,
        space: Any = None,
        strategy: Callable[..., Any] | None = None,
        workers: int = 0,
        categorical: Sequence[Any] | None = None,
        validation_share: float = 0.2,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.budget = budget
        self.trials = trials
        self.epochs = epochs
        self.metric = metric
        self.max_params = max_params
        self.max_macs = max_macs
        self.max_bytes = max_bytes
        self.max_latency_ms = max_latency_ms
        self.space = space
        self.strategy = strategy
        self.workers = workers
        self.categorical = categorical
        self.validation_share = validation_share
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Any:
        """Search for a network on these samples, and train it on all of them.

        Args:
            X: (n, columns) array of numbers, or a DataFrame of numbers and categories; NaN and None are missing values.
            y: Labels (n,), or quantities (n,) or (n, targets).

        Returns:
            The estimator itself.

        Raises:
            DataError: The samples cannot be learnt from. A `ValueError`.
            EvaluationError: No network could be trained.
        """
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        table = self._table(X, reset=True)
        targets = self._targets(y)
        check_consistent_length(table, targets)
        table, targets = self._divisible(table, targets)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        task = self._task(table, targets, self._settings(table, seed))
        result = search(
            task,
            space=self._space(task),
            objectives=[Goal(task.metric, task.metrics[task.metric].direction), *self._ceilings()],
            strategy=self.strategy,
            budget=self.budget,
            trials=self.trials,
            workers=self.workers,
            seed=seed,
            recipe=self._recipe(),
            progress=False,
        )
        if result.best is None or result.best.model is None:
            last = result.trials[-1].reason if result.trials else "there was no trial"
            raise EvaluationError(f"no network could be trained ({result.why_it_ended}): {last}")
        self.result_ = result
        self.task_ = task
        self.model_ = result.best.model
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.non_deterministic = self.budget is not None  # how many trials fit into a time is never quite the same
        return tags

    def _table(self, X: Any, reset: bool) -> pd.DataFrame:
        """The samples as a table whose columns are named by texts; checked as scikit-learn's own estimators do."""
        if not isinstance(X, pd.DataFrame):
            numbers = validate_data(
                self,
                X,
                reset=reset,
                dtype="numeric",
                ensure_all_finite="allow-nan",
                ensure_min_samples=2 if reset else 1,
            )
            return pd.DataFrame(numbers, columns=self._names())
        validate_data(self, X, reset=reset, skip_check_array=True)
        if len(X) < (2 if reset else 1):
            raise ValueError(f"Found a table with {len(X)} sample(s) (n_samples={len(X)}): more are needed")
        return X.set_axis(self._names(), axis=1).reset_index(drop=True)

    def _names(self) -> list[str]:
        named = getattr(self, "feature_names_in_", None)
        return [f"x{i}" for i in range(self.n_features_in_)] if named is None else [str(n) for n in named]

    def _settings(self, table: pd.DataFrame, seed: int) -> dict[str, Any]:
        """Arguments of the task. What measures the estimator at the end is scikit-learn's: no test part is kept."""
        given = [table.columns[c] if isinstance(c, (int, np.integer)) else str(c) for c in self.categorical or ()]
        typed = [c for c in table.columns if isinstance(table[c].dtype, pd.CategoricalDtype)]
        return {
            "name": type(self).__name__,
            "categorical": tuple(dict.fromkeys((*given, *typed))),
            "metric": self.metric,
            "test_share": 0.0,
            "validation_share": self.validation_share,
            "split_seed": seed,
        }

    def _space(self, task: Task) -> Any:
        if self.space is None or isinstance(self.space, str):
            return task.space(self.space)
        return self.space(task.input_shape, task.n_outputs) if callable(self.space) else self.space

    def _ceilings(self) -> list[Any]:
        limits = {
            "params": self.max_params,
            "macs": self.max_macs,
            "bytes": self.max_bytes,
            "latency_ms": self.max_latency_ms,
        }
        return [at_most(**{cost: parse_cost(cost, limit)}) for cost, limit in limits.items() if limit is not None]

    def _recipe(self) -> Recipe | None:
        """How to train. Without a time, nothing may depend on how fast this machine is today, nor precision."""
        if self.budget is None:
            return Recipe(epochs=self.epochs or Recipe().epochs, precision="float32", layout="contiguous")
        return None if self.epochs is None else Recipe(epochs=self.epochs)

    def _outputs(self, X: Any) -> Tensor:
        """What the network gives for samples: (n, n_outputs) float64, which no size of batch can be seen in."""
        import torch

        check_is_fitted(self, "model_")
        inputs = self.task_.preparation.inputs(self._table(X, reset=False)).double()
        model = copy.deepcopy(self.model_).double()
        with torch.inference_mode():
            return torch.cat([model(batch) for batch in inputs.split(BATCH)])

    def _divisible(self, table: pd.DataFrame, targets: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
        """The samples, such that training and validation can both have their share."""
        return table, targets

    @abstractmethod
    def _targets(self, y: Any) -> np.ndarray:
        """Checked."""

    @abstractmethod
    def _task(self, table: pd.DataFrame, targets: np.ndarray, settings: dict[str, Any]) -> Task:
        """The learning problem."""


_PARAMETERS = """
    Args:
        budget: Time of one fit, as ``"30 s"`` or seconds; None for as long as the trials take.
        trials: At most so many networks are tried. With ``budget=None`` the same `random_state` gives the same network.
        epochs: How long each is trained; by default 60, or fewer where the time is short.
        metric: What the search makes best on its validation part{metric}.
        max_params: Ceiling on trainable parameters: ``5000``, ``"5k"``.
        max_macs: Ceiling on the multiply-adds of one prediction.
        max_bytes: Ceiling on the size of the weights: ``"20KB"``.
        max_latency_ms: Ceiling on the milliseconds of one prediction here.
        space: A `Space`, or a function ``(input_shape, n_outputs) -> Space``; by default that of tables.
        strategy: A class of `archwright.strategy`, or a function that makes one from the space.
        workers: 0 trains in this process, n in n others.
        categorical: Columns of numbers that name categories, by name or place; texts and pandas categories always do.
        validation_share: Of the samples, for choosing between networks. The chosen one is trained on all.
        random_state: All randomness is a function of it.

    Attributes:
        task_: The learning problem that the samples made; its `preparation` turns samples into the network's inputs.
        model_: The trained network: a plain `torch.nn.Module` of prepared inputs.
        result_: The whole search, an `archwright.Result`; ``result_.save("out/")`` writes files and report. It has no
            test figures: every sample was learnt from, and scikit-learn measures on others.
        n_features_in_: Columns.
        feature_names_in_: Their names, where they are texts."""


class ArchwrightClassifier(ClassifierMixin, _Estimator):  # noqa: D101 - it has one, made of a part that both share
    __doc__ = f"""Search for a network that tells classes apart, as a scikit-learn classifier.
{_PARAMETERS.format(metric="; accuracy by default")}
        classes_: The labels, sorted; columns of `predict_proba`.
    """

    classes_: np.ndarray

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest label of each sample."""
        outputs = self._outputs(X)
        return self.classes_[outputs.argmax(1).numpy()]

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, classes): the probability of each class by softmax; the network's own, not calibrated."""
        return self._outputs(X).softmax(1).numpy()

    def _targets(self, y: Any) -> np.ndarray:
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        return codes

    def _divisible(self, table: pd.DataFrame, targets: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
        # A fold of a cross-validation may hold one sample of a class: it then trains and validates.
        alone: Any = np.flatnonzero(np.bincount(targets)[targets] == 1) if len(self.classes_) > 1 else []
        rows = np.concatenate([np.arange(len(targets)), alone]).astype(int)
        return table.iloc[rows].reset_index(drop=True), targets[rows]

    def _task(self, table: pd.DataFrame, targets: np.ndarray, settings: dict[str, Any]) -> Task:
        from archwright.task import TabularClassification

        return TabularClassification(table, targets, class_weight=None, **settings)


class ArchwrightRegressor(RegressorMixin, _Estimator):  # noqa: D101
    __doc__ = f"""Search for a network that predicts one or more quantities, as a scikit-learn regressor.
{_PARAMETERS.format(metric="; rmse by default")}
    """

    def predict(self, X: Any) -> np.ndarray:
        """(n,) or (n, targets), in the units of `y`."""
        outputs = self._outputs(X)
        return np.asarray(self.task_.preparation.answers(outputs))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _targets(self, y: Any) -> np.ndarray:
        y = check_array(y, ensure_2d=False, dtype="numeric", input_name="y")
        return y if y.ndim == 2 and y.shape[1] > 1 else column_or_1d(y, warn=True)

    def _task(self, table: pd.DataFrame, targets: np.ndarray, settings: dict[str, Any]) -> Task:
        from archwright.task import TabularRegression

        return TabularRegression(table, targets, **settings)
