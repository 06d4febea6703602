"""What a terminal shows: tables, and progress live or line by line."""

import io
import json
import re

import pytest
from rich.console import Console

from archwright.objective import Objectives, minimize
from archwright.report import Progress, RunRecord, rows, tables


class Clock:
    """Time that passes only when told to."""

    now = 100.0

    def __call__(self):
        return self.now


def shown(*renderables, width=120):
    console = Console(record=True, width=width, file=io.StringIO())
    for one in renderables:
        console.print(one)
    return console.export_text()


@pytest.fixture
def console():
    return Console(record=True, width=140, file=io.StringIO(), force_terminal=False)


def test_the_leaderboard_is_best_first_with_costs(record, objectives):
    text = shown(tables.leaderboard(record.trials, objectives, 5))
    scores = [float(s) for s in re.findall(r"^\d+ +\d+ +(0\.\d{4})", text, re.M)]
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)
    assert f"{record.ranked[0].measurement.costs['params']:,}" in text


def test_a_leaderboard_of_nothing_says_so(record, objectives):
    failed = [t for t in record.trials if t.status == "failed"]
    assert "No measured trial among 4 trials." in shown(tables.leaderboard(failed, objectives))


def test_one_trial_is_told_in_full_whatever_its_status(record, objectives):
    for trial in record.trials:
        text = shown(tables.trial(trial, objectives))
        assert f"Trial {trial.number}" in text
        assert trial.status in text
        assert all(name in text for name in trial.architecture)
    text = shown(tables.trial(record.winner, objectives))
    assert "of at most 6,000" in text
    assert "Learning curve" in text


def test_square_brackets_in_names_are_not_taken_for_markup(record, objectives):
    from dataclasses import replace

    assert "[red]boom[/nonsense]" in shown(
        tables.trial(replace(record.trials[5], status="failed", reason="[red]boom[/nonsense]"), objectives)
    )
    assert "[bold]run[/x]" in shown(tables.runs([{"name": "[bold]run[/x]", "status": "done"}]))


def test_the_survey_shows_the_share_and_each_cost_beside_its_ceiling(record, objectives):
    text = shown(tables.survey(record.survey, objectives))
    assert "of 400 sampled architectures meet every ceiling" in text
    assert re.search(r"parameters +[\d,]+ +[\d,]+ +[\d,]+ +6,000", text)


def test_the_outcome_panel_has_the_sentence_the_ceilings_and_the_files(record):
    text = shown(tables.outcome(record), width=200)
    assert "test accuracy" in text
    assert "held with" in text
    assert "model.pkl" in text
    assert "left out: scikit-learn" in text


def test_the_runs_of_an_empty_store_tell_how_to_begin():
    assert "archwright search" in shown(tables.runs([]))


def test_rows_are_json_that_any_program_reads(record, objectives):
    text = json.dumps(
        [rows.outcome_row(record), rows.leaderboard_rows(record.trials, objectives), rows.survey_rows(record.survey),
         [rows.trial_row(t, objectives) for t in record.trials]], allow_nan=False,
    )  # fmt: skip
    outcome, leaders, *_ = json.loads(text)
    assert outcome["chosen"] == record.final["chosen"]
    assert outcome["ceilings"] == [
        {"cost": "params", "limit": 6000, "found": record.winner.measurement.costs["params"], "holds": True}
    ]
    assert leaders[0]["rank"] == 1
    assert leaders[0]["architecture"] == dict(record.ranked[0].architecture)


def test_numbers_that_are_not_finite_become_null(record, objectives):
    from dataclasses import replace

    from archwright.trial import Measurement

    odd = replace(record.trials[0], measurement=Measurement({"accuracy": float("nan")}), scores=(float("inf"),))
    assert json.loads(json.dumps(rows.trial_row(odd, objectives), allow_nan=False))["metrics"] == {"accuracy": None}


def test_plain_lines_come_on_improvement_and_now_and_then(record, objectives, console):
    clock = Clock()
    with Progress(objectives, trials=48, console=console, every_s=10, clock=clock) as progress:
        progress.phase("search")
        for trial in record.trials:
            clock.now += 1
            progress.told(trial)
    lines = console.export_text().splitlines()
    best = [line for line in lines if line.endswith("new best")]
    from archwright.report.record import improvements

    assert len(best) == len(improvements(record.trials, objectives.goals[0]))
    assert len(best) < len(lines) < len(best) + 7
    assert "30 done, 4 failed, 14 infeasible" in lines[-1]
    assert "best accuracy 0.9375" in lines[-1]


def test_rate_and_time_left_follow_from_what_was_told(record, objectives, console):
    clock = Clock()
    progress = Progress(objectives, trials=40, seconds=100, epochs=10_000, console=console, clock=clock, quiet=True)
    with progress:
        for trial in record.trials[:20]:
            clock.now += 2
            progress.told(trial)
        assert progress.rate() == pytest.approx(30)
        assert progress.left() == pytest.approx(40)
        assert progress.share() == pytest.approx(0.5)
        clock.now += 40
        assert progress.share() == pytest.approx(0.8)
        assert progress.left() == pytest.approx(20)


def test_quiet_writes_nothing(record, objectives, console):
    with Progress(objectives, trials=48, console=console, quiet=True) as progress:
        for trial in record.trials:
            progress.told(trial)
        progress.note("something")
        progress.phase("final choice", total=3)
        progress.step()
    assert console.export_text() == ""


def test_the_live_display_shows_budget_best_counts_and_what_runs(record, objectives):
    console = Console(record=True, width=140, file=io.StringIO(), force_terminal=True)
    clock = Clock()
    with Progress(objectives, trials=48, console=console, clock=clock) as progress:
        for trial in record.trials[:24]:
            clock.now += 1
            progress.told(trial)
        progress.reported(30, {"epoch": 3, "epochs": 10, "accuracy": 0.5})
        progress.reported(31, {"epoch": 1})
        view = shown(progress._view())
        progress.note("a note that stays")
    assert "50%" in view
    assert "best accuracy 0.9375 (3,466 parameters)  trial 22" in view
    assert "24 s left" in view
    assert "30: epoch 3/10 0.5000  ·  31: epoch 1" in view
    assert "a note that stays" in console.export_text()


def test_a_trial_that_was_told_runs_no_longer(record, objectives, console):
    progress = Progress(objectives, console=console, quiet=True)
    progress.reported(0, {"epoch": 1})
    progress.told(record.trials[0])
    assert "running" not in shown(progress._view())


def test_a_resumed_search_counts_what_came_before(record, objectives, console):
    clock = Clock()
    with Progress(objectives, trials=48, console=console, clock=clock) as progress:
        progress.resumed(record.trials[:12], 30.0)
        assert progress.share() == 0.25
        assert progress.elapsed == 30.0
        assert progress.rate() is None
    assert "resumed: 12 trials from earlier" in console.export_text()


def test_another_phase_is_measured_by_its_steps(objectives, console):
    clock = Clock()
    with Progress(objectives, console=console, clock=clock) as progress:
        progress.phase("final choice", total=9)
        for i in range(3):
            clock.now += 6
            progress.step(f"run {i}")
        assert "33%" in shown(progress._view())
    assert console.export_text().splitlines() == [
        "final choice (9 steps)",
        *(f"final choice {i + 1}/9  run {i}" for i in range(3)),
    ]


def test_lines_of_a_minimised_goal_name_the_smallest(record, console):
    from dataclasses import replace

    objectives = Objectives.of(minimize("log_loss"))
    with Progress(objectives, console=console) as progress:
        for trial in record.done:
            progress.told(replace(trial, scores=objectives.scores(trial.measurement)))
    smallest = min(t.measurement.metrics["log_loss"] for t in record.done)
    assert f"best log loss {smallest:.4f}" in console.export_text().splitlines()[-1]


def test_a_run_record_without_trials_has_a_panel(objectives):
    assert "No trial has ended yet." in shown(tables.outcome(RunRecord("new", objectives, ())))


def test_trials_of_another_phase_are_not_counted_as_the_searchs(record, objectives, console):
    with Progress(objectives, console=console, every_s=0) as progress:
        progress.told(record.trials[0])
        progress.phase("random search for comparison")
        for trial in record.trials[1:]:
            progress.told(trial)
        assert progress.told_count == 1
        assert progress.best == record.trials[0]
    assert "random search for comparison 47" in console.export_text()


def test_a_deviation_is_shown_only_where_there_are_several_seeds(record):
    from dataclasses import replace

    test = {"accuracy": {"per_seed": [0.9], "mean": 0.9, "deviation": 0.0}, "f1": {"per_seed": [0.8], "mean": 0.8}}
    assert "±" not in shown(tables.outcome(replace(record, final={**record.final, "test": test})))
