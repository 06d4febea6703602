"""The drawing of a supernet that becomes a network: all candidates at the start, what was kept at the end."""

import re
import shutil
from dataclasses import replace

import pytest

from archwright.objective import Objectives, maximize
from archwright.report import RunRecord, write_page
from archwright.report.growth import MOST_OPTIONS, MOST_ROWS, draw_growth, growth_of

CHROMIUM = "/usr/bin/chromium"


def phase(epochs=3):
    """A supernet of three decisions: one goes to its second option, one lives under what was not chosen."""
    start, end = [0.5, 0.5], [0.1, 0.9]
    shares = [[a + (b - a) * e / epochs for a, b in zip(start, end, strict=True)] for e in range(1, epochs + 1)]
    return {
        "algorithm": "darts",
        "metric": "accuracy",
        "seconds": 2.0,
        "read_from": epochs,
        "soft": 0.8,
        "gap": -0.1,
        "values": {"op": ["skip", "<conv>"], "width": ["4", "8", "16"], "inside": ["a", "b"]},
        "chosen": {"op": 1, "width": 0, "lr": 7},
        "top": [
            {"architecture": {"op": "<conv>", "width": 4}, "metrics": {"accuracy": 0.9}, "costs": {"params": 120.0}}
        ],
        "history": [
            {
                "epoch": e,
                "losses": {"loss": 1 / e, "gate_loss": 1.1 / e},
                "metric": 0.5 + 0.1 * e,
                "entropy": 1 - 0.2 * e,
                "probabilities": {"op": shares[e - 1], "inside": [0.5, 0.5]},
            }
            for e in range(1, epochs + 1)
        ],
    }  # fmt: skip


def test_it_begins_with_all_candidates_and_ends_with_one_of_each_decision():
    grown = growth_of(phase())
    assert grown.names == ("op", "width")
    names = [name for name, _ in grown.frames]
    assert names == ["all candidates", "epoch 1", "epoch 2", "epoch 3", "what was read out"]
    assert grown.frames[0][1] == ((0.5, 0.5), pytest.approx((1 / 3, 1 / 3, 1 / 3)))
    assert grown.frames[3][1][0] == pytest.approx((0.1, 0.9))
    assert grown.frames[-1][1] == ((0.0, 1.0), (1.0, 0.0, 0.0))
    for _, shares in grown.frames:
        assert all(sum(row) == pytest.approx(1) for row in shares)


def test_what_was_not_decided_is_not_drawn_and_what_cannot_be_is_counted():
    grown = growth_of(phase())
    assert "inside" not in grown.names  # not live in what was read out
    assert grown.left_out == 1  # lr, whose values were not kept
    many = phase() | {"values": {"op": [str(k) for k in range(MOST_OPTIONS + 1)]}, "chosen": {"op": 3}}
    assert growth_of(many) is None
    assert growth_of({}) is None


def test_of_many_decisions_those_that_changed_most_are_drawn():
    names = [f"d{i}" for i in range(MOST_ROWS + 5)]
    rising = {n: [0.5 - i / 200, 0.5 + i / 200] for i, n in enumerate(names)}
    large = phase() | {
        "values": {n: ["x", "y"] for n in names},
        "chosen": dict.fromkeys(names, 1),
        "history": [{**phase()["history"][0], "probabilities": rising}],
    }
    grown = growth_of(large)
    assert grown.names == tuple(names[5:])
    assert grown.left_out == 5


def test_paths_that_were_drawn_have_a_start_and_an_end_alone():
    sampled = phase()
    sampled["history"] = [{**p, "probabilities": {}} for p in sampled["history"]]
    assert [name for name, _ in growth_of(sampled).frames] == ["all candidates", "what was read out"]


def test_each_option_is_a_box_with_lines_and_the_kept_ones_are_marked():
    svg = draw_growth(growth_of(phase()))
    assert len(re.findall(r"<rect ", svg)) == 5
    assert len(re.findall(r'<path class="edge', svg)) == 10
    assert len(re.findall(r'<g class="node h\d kept"', svg)) == 2
    assert "&lt;conv&gt;" in svg
    assert "<conv>" not in svg


def record():
    goals = Objectives.of([maximize("accuracy")])
    return RunRecord(name="net", objectives=goals, trials=(), meta={"oneshot": phase()})


def test_a_supernet_without_a_search_has_a_page_of_its_own(tmp_path):
    page = write_page(record(), tmp_path / "report.html").read_text("utf-8")
    assert "A supernet, trained by darts for 3 epochs" in page
    assert "validation accuracy" in page
    assert "0.9000" in page
    assert "No trial has ended" not in page
    assert 'id="growth"' in page
    without = replace(record(), meta={})
    assert 'id="growth"' not in write_page(without, tmp_path / "other.html").read_text("utf-8")


@pytest.mark.browser
@pytest.mark.skipif(not shutil.which(CHROMIUM), reason="Debian's chromium is not installed: apt install chromium")
def test_the_slider_moves_it_from_the_first_epoch_to_the_last(tmp_path):
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    address = write_page(record(), tmp_path / "report.html").as_uri()
    with driver.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--headless", "--no-sandbox", "--disable-gpu"])
        page, complaints = browser.new_page(), []
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: complaints.append(str(e)))
        page.goto(address)
        page.wait_for_selector("html[data-ready=yes]", timeout=60_000)

        def width(k):
            line = page.locator(f'svg.growth path[data-r="0"][data-k="{k}"]').first
            return float(line.evaluate("e => parseFloat(getComputedStyle(e).strokeWidth)"))

        def move(to):
            page.locator("#growth input").evaluate(
                "(e, to) => { e.value = to; e.dispatchEvent(new Event('input')); }", to
            )
            return page.locator("#growth output").text_content()

        assert page.locator("#growth output").text_content() == "what was read out"
        assert width(1) > 3 * width(0)
        assert move(0) == "all candidates"
        assert width(0) == width(1)
        assert move(2) == "epoch 2"
        assert width(0) < width(1)
        page.locator("#growth .play").click()
        page.wait_for_function("document.querySelector('#growth output').textContent === 'what was read out'")
        assert complaints == []
        browser.close()
