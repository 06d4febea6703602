import gc
import json

import numpy as np
import pytest
import torch
from torch import nn

from archwright import cost
from archwright.cost import Latency
from archwright.cost.timing import median_interval
from archwright.errors import BudgetError

SMALL = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 26 * 26, 10))


def test_a_latency_is_a_median_inside_its_interval_with_its_conditions():
    found = cost.latency(SMALL, (1, 28, 28), batch=2, repeats=40)
    assert 0 < found.low_ms <= found.median_ms <= found.high_ms
    assert found.repeats == 40
    conditions = found.conditions
    assert conditions["input_shape"] == [1, 28, 28]
    assert (conditions["batch"], conditions["threads"], conditions["dtype"]) == (2, 1, "float32")
    assert conditions["torch"] == torch.__version__
    assert conditions["device"] == "cpu"
    assert conditions["reference_ms"] > 0
    assert conditions["processor"]
    assert conditions["date"].endswith("+00:00")
    assert json.loads(json.dumps(found.to_json()))["median_ms"] == found.median_ms


def test_threads_are_those_asked_for_and_put_back_even_after_an_error():
    before = torch.get_num_threads()
    seen = []

    class Looks(nn.Module):
        def forward(self, x):
            seen.append((torch.get_num_threads(), torch.is_inference_mode_enabled(), self.training, gc.isenabled()))
            return x

    class Raises(nn.Module):
        def forward(self, x):
            raise RuntimeError("no")

    cost.latency(Looks().train(), 3, threads=2)
    assert {s[0] for s in seen} == {2}
    assert not any(s[2] for s in seen)
    # All but the first, which lets lazy layers see a shape; and the timed ones with collection off.
    assert all(s[1] and not s[3] for s in seen[1:])
    with pytest.raises(Exception, match="no"):
        cost.latency(Raises(), 3, threads=2)
    assert torch.get_num_threads() == before
    assert gc.isenabled()


def test_every_repeat_is_one_forward():
    class Counts(nn.Module):
        runs = 0

        def forward(self, x):
            type(self).runs += 1
            return x

    cost.latency(Counts(), 3, repeats=33, warmup=5)
    # One to see the shape, the warm-up, two before each of the four later blocks.
    assert Counts.runs == 1 + 5 + 4 * 2 + 33


def test_a_network_of_half_precision_gets_inputs_of_its_kind():
    assert cost.latency(nn.Linear(8, 8).bfloat16(), 8).conditions["dtype"] == "bfloat16"
    assert cost.latency(nn.Embedding(8, 8), 3, dtype=torch.int64).conditions["dtype"] == "int64"


@pytest.mark.parametrize(
    "options", [{"repeats": 29}, {"batch": 0}, {"threads": 0}, {"warmup": 0}, {"repeats": 30.0}, {"batch": -1}]
)
def test_counts_that_make_no_sense_are_refused_by_name(options):
    with pytest.raises(BudgetError, match=next(iter(options))):
        cost.latency(nn.Linear(2, 2), 2, **options)


def test_drift_beyond_the_limit_is_flagged_and_said():
    steady, unsteady = (Latency(1.0, 0.9, 1.1, 30, drift) for drift in (0.02, -0.3))
    assert not steady.drifted
    assert unsteady.drifted
    assert "unsteady: the reference drifted by -30%" in str(unsteady)
    assert str(steady) == "1 ms (95% interval 0.9 to 1.1, 30 repeats)"


def test_the_interval_of_the_median_has_the_tabled_ranks():
    # Table of Conover 1999, and theorem 2.1 of Le Boudec 2010, for 95%.
    ranks = {n: median_interval(range(1, n + 1)) for n in (6, 10, 20, 30, 50, 100)}
    assert ranks == {6: (1, 6), 10: (2, 9), 20: (6, 15), 30: (10, 21), 50: (18, 33), 100: (40, 61)}
    assert median_interval([3.0]) == (3.0, 3.0)


def test_the_interval_covers_the_true_median_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(2000):
        low, high = median_interval(rng.exponential(size=30))
        covered += low <= np.log(2) <= high
    # At least 95% (exactly 95.7%), less four standard errors of 2,000 draws.
    assert covered / 2000 > 0.957 - 4 * 0.0046
