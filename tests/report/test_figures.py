"""Plots, the drawing of a network, how decisions fared: what they claim."""

import itertools
import re
from dataclasses import replace
from xml.etree import ElementTree

import networkx as nx
import numpy as np
import pytest

from archwright.objective import Objectives, maximize
from archwright.report import RunRecord, baseline_from, plots
from archwright.report.drawing import draw
from archwright.report.fared import explained, fared
from archwright.report.outcome import failures, lineage
from archwright.space import Architecture
from archwright.trial import Measurement, Proposal, Trial


def trace(figure, name):
    return next(t for t in figure.data if t.name == name)


def test_the_best_so_far_never_gets_worse_and_ends_at_the_best(record):
    for x in ("seconds", "trials"):
        line = trace(plots.anytime(record, x), "best so far")
        assert list(line.y) == sorted(line.y)
        assert list(line.x) == sorted(line.x)
        assert line.y[-1] == max(t.measurement.metrics["accuracy"] for t in record.done)


def test_random_search_stands_beside_it(record):
    line = trace(plots.anytime(record), "random search")
    assert line.y[-1] == record.baseline["curve"][-1][2]
    assert "random search" not in [t.name for t in plots.anytime(replace(record, baseline=None)).data]


def test_a_baseline_ends_with_all_its_trials(record):
    curve = baseline_from(record.trials, record.goal)["curve"]
    assert curve[-1][:2] == [record.trials[-1].finished, len(record.trials)]


def test_no_trial_beats_the_front_in_both(record):
    front = trace(plots.pareto(record, "params"), "front")
    for trial in record.done:
        p, a = trial.measurement.costs["params"], trial.measurement.metrics["accuracy"]
        assert any(x <= p and y >= a for x, y in zip(front.x, front.y, strict=True))
        assert not any(p <= x and a >= y and (p, a) != (x, y) for x, y in zip(front.x, front.y, strict=True))


def test_the_ceiling_and_the_chosen_one_are_marked(record):
    figure = plots.pareto(record, "params")
    assert [s.x0 for s in figure.layout.shapes] == [6000]
    assert list(trace(figure, "chosen").x) == [record.winner.measurement.costs["params"]]
    assert plots.pareto(record, "no such cost") is None


def test_the_top_learning_curves_are_named_and_whole(record):
    figure = plots.learning_curves(record, top=3)
    named = {t.name for t in figure.data} - {"other trials"}
    assert named == {f"trial {t.number}" for t in record.ranked[:3]}
    line = trace(figure, f"trial {record.ranked[0].number}")
    assert list(line.y) == [p["accuracy"] for p in record.ranked[0].measurement.curve]


def test_there_is_no_figure_where_there_is_nothing_to_draw(objectives):
    empty = RunRecord("empty", objectives, ())
    assert plots.anytime(empty) is plots.pareto(empty, "params") is plots.learning_curves(empty) is None
    assert plots.decisions(empty) == []
    assert plots.decision(empty, "width") is None


def test_the_palette_is_told_apart_by_colour_blind_eyes():
    """Machado et al. 2009: the three dichromacies as matrices on linear RGB; differences in Oklab."""
    simulations = {
        "full sight": np.eye(3),
        "protanopia": [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ],
        "deuteranopia": [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.01182, 0.04294, 0.968881],
        ],
        "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
    }

    def linear(colour):
        c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)

    def oklab(rgb):
        lms = np.array([[0.41222, 0.53633, 0.05145], [0.2119, 0.6807, 0.1074], [0.0883, 0.28172, 0.62998]]) @ rgb.clip(
            0
        )
        return np.array(
            [[0.21045, 0.79362, -0.00407], [1.978, -2.42859, 0.45059], [0.0259, 0.78277, -0.80868]]
        ) @ np.cbrt(lms)

    for name, matrix in simulations.items():
        seen = [oklab(np.array(matrix) @ linear(c)) for c in plots.PALETTE]
        gaps = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
        assert min(gaps) > 0.07, name

    def luminance(colour):
        return linear(colour) @ [0.2126, 0.7152, 0.0722]

    for colour in plots.PALETTE:  # 3:1 is what WCAG 2.1 asks of graphics
        assert 1.05 / (luminance(colour) + 0.05) > 3
        assert (luminance(colour) + 0.05) / (luminance("#1a2027") + 0.05) > 3


def test_what_decides_the_score_comes_first_and_noise_counts_for_nothing():
    rng = np.random.default_rng(3)
    trials = []
    for i in range(200):
        a = Architecture(
            {"noise": int(rng.integers(4)), "op": ["conv", "skip"][rng.integers(2)], "lr": float(rng.uniform(0, 1))}
        )
        score = (a["op"] == "conv") - 0.4 * abs(a["lr"] - 0.5) + 0.01 * rng.normal()
        trials.append(Trial(i, Proposal(a), "done", Measurement({"accuracy": score}), (-score,)))
    found = fared(RunRecord("toy", Objectives.of(maximize("accuracy")), tuple(trials)))
    assert [f.name for f in found] == ["op", "lr", "noise"]
    assert found[0].importance > 0.6
    assert found[-1].importance < 0.05
    assert found[1].continuous
    assert [o.label for o in found[0].options] == ["conv", "skip"]
    assert sum(o.count for o in found[0].options) == 200


@pytest.mark.parametrize("seed", range(5))
def test_groups_drawn_at_random_explain_nothing_on_average(seed):
    rng = np.random.default_rng(seed)
    drawn = [explained(rng.integers(5, size=60), rng.normal(size=60)) for _ in range(200)]
    assert np.mean(drawn) < 0.05  # cut off at zero, so its mean is a little above it


def test_a_decision_that_is_seldom_live_weighs_by_that_share(record):
    def with_branch(t):
        live = t.number % 2 == 0
        return replace(
            t,
            proposal=Proposal(
                Architecture({**t.architecture, **({"branch": t.architecture["width"]} if live else {})})
            ),
        )

    found = {f.name: f for f in fared(replace(record, trials=tuple(map(with_branch, record.trials))))}
    assert len(found["branch"].points) < len(found["width"].points)
    assert found["branch"].importance <= len(found["branch"].points) / len(record.done)


def test_lineage_goes_from_the_first_ancestor_to_the_winner_by_single_changes(record):
    steps = lineage(record)
    assert steps[-1].trial == record.winner
    assert steps[0].trial.proposal.parents == ()
    for before, step in itertools.pairwise(steps):
        assert before.trial.number in step.trial.proposal.parents
        assert [c[0] for c in step.changes] == list(step.trial.architecture.differs(before.trial.architecture))
        assert step.better in (None, step.found > before.found)


def test_failures_that_differ_in_numbers_alone_are_one():
    def failed(i, reason):
        return Trial(i, Proposal(Architecture({"a": i})), "failed", reason=reason)

    reasons = [
        "non-finite loss at epoch 3 of 10",
        "non-finite loss at epoch 12 of 10",
        "out of memory",
        "",
        "out of memory",
    ]
    found = failures(RunRecord("f", Objectives.of(maximize("a")), tuple(failed(i, r) for i, r in enumerate(reasons))))
    assert found == [
        ("non-finite loss at epoch … of 10", 2, 0),
        ("out of memory", 2, 2),
        ("no reason given", 1, 3),
    ]


def test_units_belong_to_the_numbers_that_differ():
    reasons = ["params 22.6k is above 20k", "params 1.2M is above 20k", "params 950 is above 20k"]
    trials = tuple(Trial(i, Proposal(Architecture({"a": i})), "infeasible", reason=r) for i, r in enumerate(reasons))
    record = RunRecord("f", Objectives.of(maximize("a")), trials)
    assert failures(record, "infeasible") == [("params … is above 20k", 3, 0)]


def boxes(svg):
    root = ElementTree.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    return [
        tuple(float(r.get(k)) for k in ("x", "y", "width", "height"))
        for g in root.iter(f"{space}g")
        for r in g.findall(f"{space}rect")
    ]


def ladder(n, seed):
    rng = np.random.default_rng(seed)
    graph = nx.DiGraph()
    for i in range(n):
        graph.add_node(i, label=f"Block{i % 3}(width={i}, kernel=3)")
        for j in {max(0, i - 1), *(int(rng.integers(i)) for _ in range(2) if i)}:
            if j < i:
                graph.add_edge(j, i)
    return graph


@pytest.mark.parametrize(("n", "seed"), [(1, 0), (6, 1), (20, 2), (60, 3)])
def test_boxes_never_overlap_and_stay_inside_the_picture(n, seed):
    svg = draw(ladder(n, seed))
    found = boxes(svg)
    assert len(found) == n
    wide, high = map(float, re.search(r'viewBox="0 0 (\d+) (\d+)"', svg).groups())
    for i, (x, y, w, h) in enumerate(found):
        assert 0 <= x <= x + w <= wide
        assert 0 <= y <= y + h <= high
        assert all(x + w <= a or a + c <= x or y + h <= b or b + d <= y for a, b, c, d in found[:i])


def test_every_edge_leads_down_from_its_source_to_its_target():
    graph = ladder(25, 4)
    ends = []
    for d in re.findall(r'class="edge" d="([^"]+)"', draw(graph)):
        numbers = [float(v) for v in re.findall(r"-?\d+\.\d", d)]
        ends.append((numbers[1], numbers[-1]))
    assert len(ends) == graph.number_of_edges()
    assert all(top < bottom for top, bottom in ends)


def test_labels_are_cut_into_operation_and_arguments():
    graph = nx.DiGraph()
    graph.add_edges_from([("a", "b"), ("b", "c")])
    graph.nodes["b"]["label"] = "ConvBlock(width=16, kernel=3)"
    svg = draw(graph)
    assert ">ConvBlock</text>" in svg
    assert ">width=16, kernel=3</text>" in svg
    assert draw(nx.DiGraph()) == ""
