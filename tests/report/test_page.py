"""The page as text: what it says, that it says it safely, and that odd runs have one too."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import networkx as nx
import numpy as np
import pytest

from archwright.errors import ExportError
from archwright.objective import Objectives, at_most, maximize, minimize
from archwright.report import RunRecord, page, write_page
from archwright.report.outcome import sentence
from archwright.space import Architecture
from archwright.trial import Measurement, Proposal, Trial

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Reader(HTMLParser):
    """Collects ids, text and figures, and complains of tags that do not match."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.said, self.outside, self.tags = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        self.ids += [found["id"]] if found.get("id") else []
        self.outside += [found[k] for k in ("src", "href", "action", "srcset") if found.get(k)]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.said.append(data)

    @property
    def words(self):
        return re.sub(r"\s+", " ", " ".join(self.said))


def read(record):
    return parsed(page(record))


def parsed(text):
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids)), "an id stands twice"
    return reader


@pytest.fixture(scope="module")
def seen(record):
    return read(record)


def test_it_holds_every_part_of_a_finished_run(seen):
    parts = {"outcome", "figures", "ceilings", "network", "search", "tradeoffs", "leaderboard", "curves", "decisions",
             "lineage", "choice", "candidates", "test", "files", "rest", "failures", "infeasible", "survey", "repeat",
             "command", "versions", "anytime-seconds", "anytime-trials", "pareto-params",
             "learning-curves"}  # fmt: skip
    assert parts <= set(seen.ids)


def test_the_outcome_is_one_sentence_of_measured_figures(record, seen):
    test = record.final["test"]["accuracy"]
    said = sentence(record)
    assert said in seen.words
    assert f"reaches {test['mean']:.4f} test accuracy (±{test['deviation']:.4f}, 95% interval" in said
    assert f"{record.winner.measurement.costs['params']:,} parameters" in said
    assert "3 seeds" in said
    assert said.count(". ") == 0


def test_nothing_on_it_points_outside(seen, record):
    assert all(u.startswith(("#", "data:")) for u in seen.outside)
    assert "iframe" not in seen.tags
    assert "default-src 'none'" in page(record)[:1000]


def test_names_from_outside_are_text_and_never_markup(record):
    evil = "<img src=x onerror=alert(1)>\"'&</script><script>alert(2)</script>"
    a = Architecture({evil: evil, "n": 1})
    trials = tuple(
        Trial(i, Proposal(Architecture({**a, "n": i, evil: f"{evil}{i % 2}"}),
                          parents=(i - 1,) * (i > 0), origin=evil),
              "done", Measurement({evil: i / 10}, {"params": i + 1.0}, ({"epoch": 1, evil: 0.5},)), (-i / 10,))
        for i in range(6)
    )  # fmt: skip
    failed = Trial(6, Proposal(a), "failed", reason=evil)
    graph = nx.DiGraph([("input", evil)])
    graph.nodes[evil]["label"] = f"Block({evil})"
    final = {"chosen": 5, "seeds": [0], "test": {evil: {"per_seed": [0.5], "mean": 0.5}},
             "files": [{"name": evil, "form": evil, "bytes": 1, "load": evil}], "left_out": {evil: evil}}  # fmt: skip
    text = page(
        RunRecord(evil, Objectives.of(maximize(evil)), (*trials, failed), {"task": {"name": evil}, "note": evil}, graph,
                  final, {"name": evil, "curve": [[0.0, 1, 0.1]]}, {"feasible": 1.0}, evil, {evil: evil})
    )  # fmt: skip
    assert "<img" not in text
    assert "<script>alert" not in text
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    assert evil in "".join(reader.said)


def test_figures_in_the_page_are_json_that_a_script_element_cannot_leave(record):
    found = re.findall(r'<script type="application/json" id="([\w-]+)-data">(.*?)</script>', page(record), re.S)
    assert len(found) >= 8
    for _, text in found:
        assert "<" not in text
        assert json.loads(text)["data"]


def test_a_run_without_a_trial_says_so(objectives):
    seen = read(RunRecord("empty", objectives, ()))
    assert "No trial has ended yet." in seen.words
    assert "leaderboard" not in seen.ids
    assert "ceilings" in seen.ids


def test_a_run_in_which_all_failed_says_why(record, objectives):
    failed = tuple(t for t in record.trials if t.status != "done")
    seen = read(RunRecord("bad", objectives, failed))
    assert "No network was measured" in seen.words
    assert {"failures", "infeasible"} <= set(seen.ids)
    assert "hidden_layer_sizes must be" in seen.words


def test_one_trial_is_enough_for_a_page(record, objectives):
    seen = read(RunRecord("one", objectives, record.done[:1]))
    assert "1 trial in" in seen.words
    assert "1 measured trial, best first" in seen.words
    assert "decisions" not in seen.ids


def test_without_a_final_choice_the_best_so_far_is_told_and_no_test_figure(record):
    seen = read(replace(record, final=None))
    assert "no final choice has been made" in seen.words
    assert "choice" not in seen.ids
    assert f"{max(t.measurement.metrics['accuracy'] for t in record.done):.4f} validation accuracy" in seen.words


def test_several_goals_are_all_told(record):
    objectives = Objectives.of([minimize("log_loss"), minimize("params")])
    trials = tuple(replace(t, scores=objectives.scores(t.measurement)) for t in record.done)
    seen = read(RunRecord("two", objectives, trials))
    assert "validation log loss" in seen.words
    assert "(minimized)" in seen.words
    assert "pareto-params" in seen.ids


def test_a_minimised_goal_improves_downwards(record):
    from archwright.report.record import improvements

    objectives = Objectives.of(minimize("log_loss"))
    trials = tuple(replace(t, scores=objectives.scores(t.measurement)) for t in record.done)
    losses = [t.measurement.metrics["log_loss"] for _, t in improvements(trials, objectives.goals[0])]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == min(t.measurement.metrics["log_loss"] for t in trials)
    assert f"{losses[-1]:.4f} validation log loss" in read(RunRecord("down", objectives, trials)).words


def test_thousands_of_trials_with_hundreds_of_decisions_are_thinned_with_a_note(record):
    rng = np.random.default_rng(0)
    trials = tuple(
        replace(
            _t := record.done[i % len(record.done)],
            number=i,
            finished=float(i),
            proposal=Proposal(
                Architecture({f"block{k}/width": int(v) for k, v in enumerate(rng.integers(3, size=300))})
            ),
        )
        for i in range(4000)
    )
    text = page(RunRecord("large", record.objectives, trials))
    seen = parsed(text)
    assert re.search(r"1,5\d\d of 4,000 trials drawn", text)
    assert "288 more decisions" in seen.words
    assert "The best 200 of 4,000 measured trials" in seen.words
    assert len(text) < 12_000_000


def test_a_ceiling_that_was_passed_is_said_to_be_passed(record):
    tight = Objectives.of([maximize("accuracy"), at_most(params=1000)])
    assert "✗ exceeded" in read(replace(record, objectives=tight)).words
    assert "✓ held" in read(record).words


def test_a_trial_that_overflows_a_ceiling_after_training_is_never_the_winner(record):
    over = tuple(replace(t, violation=0.5) for t in record.done[:-1])
    fine = record.done[-1]
    assert replace(record, trials=(*over, fine), final=None).winner == fine


def test_the_page_is_written_whole_and_a_place_that_cannot_be_written_is_named(record, tmp_path):
    target = write_page(record, tmp_path / "report.html")
    assert target.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(ExportError, match="nowhere"):
        write_page(record, tmp_path / "nowhere" / "report.html")


def test_plots_without_anything_to_draw_cost_no_script(objectives):
    assert len(page(RunRecord("empty", objectives, ()))) < 60_000
