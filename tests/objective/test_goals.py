import pytest

from archwright.errors import ObjectiveError
from archwright.objective import Ceiling, Goal, Objectives, at_most, maximize, minimize
from archwright.trial import Measurement

THREE = Objectives.of([maximize("accuracy"), [minimize("latency_ms"), at_most(params="50k", latency_ms=5)]])


def test_nested_lists_are_flattened_in_order():
    assert THREE.goals == (Goal("accuracy", "maximize"), Goal("latency_ms", "minimize"))
    assert THREE.ceilings == (Ceiling("params", 50_000), Ceiling("latency_ms", 5))


def test_one_goal_alone_and_objectives_themselves_are_accepted():
    assert Objectives.of(maximize("r2")).goals == (Goal("r2", "maximize"),)
    assert Objectives.of(THREE) is THREE
    assert Objectives.of([THREE]) == THREE
    assert Objectives.of(g for g in [minimize("rmse")]).goals == (Goal("rmse", "minimize"),)


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([], "no goal"),
        ([at_most(params=1)], "no goal"),
        ([maximize("a"), minimize("a")], "more than one goal on 'a'"),
        ([maximize("a"), at_most(params=1), at_most(params=2)], "more than one ceiling on 'params'"),
        ("accuracy", r"maximize\('accuracy'\)"),
        ([maximize("a"), 5], "got 5"),
        ([{"accuracy": 1}], "maximize"),
        (None, "got None"),
    ],
)
def test_objectives_that_make_no_sense_are_refused(items, words):
    with pytest.raises(ObjectiveError, match=words):
        Objectives.of(items)


@pytest.mark.parametrize("value", [0, -5, "0", "-1k", float("nan"), float("inf"), "lots", None, True])
@pytest.mark.parametrize("cost", ["params", "macs", "bytes", "peak_bytes", "latency_ms"])
def test_a_limit_that_is_no_positive_number_is_refused_by_the_name_of_its_cost(cost, value):
    with pytest.raises(ObjectiveError, match=cost):
        at_most(**{cost: value})


def test_an_unknown_cost_gets_the_nearest_name():
    with pytest.raises(ObjectiveError, match=r"Did you mean 'params'\?"):
        at_most(parms=5)
    with pytest.raises(ObjectiveError, match=r"Did you mean 'latency_ms'\?"):
        Ceiling("latency", 5)
    with pytest.raises(ObjectiveError, match="names no cost"):
        at_most()


def test_a_direction_is_one_of_two():
    with pytest.raises(ObjectiveError, match="Did you mean 'maximize'"):
        Goal("accuracy", "maximise")
    with pytest.raises(ObjectiveError):
        maximize("")


@pytest.mark.parametrize(("value", "ms"), [("5ms", 5), ("250us", 0.25), ("5", 5), (5, 5), ("0.1s", 100), (0.5, 0.5)])
def test_a_latency_without_a_unit_is_milliseconds(value, ms):
    assert at_most(latency_ms=value)[0].limit == pytest.approx(ms)


def test_sizes_may_be_written_with_units():
    limits = [c.limit for c in at_most(params="50k", macs="1.5M", bytes="200KB", peak_bytes="1MiB")]
    assert limits == [50_000, 1_500_000, 200_000, 1_048_576]


def test_scores_are_turned_so_that_smaller_is_better():
    assert THREE.scores(Measurement(metrics={"accuracy": 0.9}, costs={"latency_ms": 2.0})) == (-0.9, 2.0)


def test_a_metric_wins_over_a_cost_of_the_same_name():
    measured = Measurement(metrics={"accuracy": 1, "latency_ms": 7.0}, costs={"latency_ms": 2.0})
    assert THREE.scores(measured) == (-1, 7.0)


def test_a_missing_metric_is_an_error_that_lists_what_there_is():
    with pytest.raises(
        ObjectiveError, match=r"'accuracy' was not measured\. Allowed: accurcy, r2, params\. Did you mean 'accurcy'"
    ):
        Objectives.of(maximize("accuracy")).scores(Measurement(metrics={"accurcy": 1, "r2": 1}, costs={"params": 3}))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "high"])
def test_a_metric_that_is_no_finite_number_is_an_error(value):
    with pytest.raises(ObjectiveError, match="finite"):
        Objectives.of(maximize("accuracy")).scores(Measurement(metrics={"accuracy": value}))


def test_violation_is_the_sum_of_relative_excesses():
    assert THREE.violation({"params": 50_000, "latency_ms": 5}) == 0
    assert THREE.violation({"params": 75_000, "latency_ms": 4}) == 0.5
    assert THREE.violation({"params": 100_000, "latency_ms": 7.5}) == 1.5
    with pytest.raises(ObjectiveError, match="latency_ms"):
        THREE.violation({"params": 1})
    with pytest.raises(ObjectiveError, match="nan"):
        THREE.violation({"params": float("nan"), "latency_ms": 1})


def test_an_excess_is_told_with_units():
    assert (
        THREE.excess({"params": 75_000, "latency_ms": 6.25})
        == "params 75k is above 50k, latency_ms 6.25ms is above 5ms"
    )
    assert THREE.excess({"params": 1, "latency_ms": 1}) == ""


def test_ceilings_need_their_costs_and_goals_speak_of_theirs():
    objectives = Objectives.of([maximize("accuracy"), minimize("macs"), at_most(params=5)])
    assert objectives.needs == {"params"}
    assert objectives.costs == {"params", "macs"}


def test_json_gives_back_equal_objectives():
    assert Objectives.from_json(THREE.to_json()) == THREE
    for text in ("", "[]", "{}", '{"goals": 5, "ceilings": {}}'):
        with pytest.raises(ObjectiveError, match="cannot be read"):
            Objectives.from_json(text)
    with pytest.raises(ObjectiveError, match="no goal"):
        Objectives.from_json('{"goals": {}, "ceilings": {}}')


def test_objectives_print_as_a_sentence():
    assert str(THREE) == "maximize accuracy, minimize latency_ms, params at most 50k, latency_ms at most 5ms"
