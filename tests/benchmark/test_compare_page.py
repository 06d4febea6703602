"""The page of a comparison in a real browser, and its figures."""

import shutil
from functools import partial

import numpy as np
import pytest

from archwright.benchmark import figures, load
from archwright.benchmark.compare import compare
from archwright.benchmark.comparison import Ranking
from archwright.benchmark.page import page, save
from archwright.benchmark.statistics import cliques, critical_difference, friedman
from archwright.benchmark.tables import sentence
from archwright.strategy import LocalSearch, RegularizedEvolution

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def compared():
    strategies = {
        "evolution <b>&": partial(RegularizedEvolution, population_size=8, tournament_size=3),
        "local": LocalSearch,
    }
    names = [load(name) for name in ("toy", "toy-params", "toy-epochs")]
    return compare(strategies, names, seeds=5, budget=40, workers=1, progress=False, command="archwright <x>")


@pytest.fixture(scope="module")
def browser():
    if not shutil.which(CHROMIUM):
        pytest.skip("Debian's chromium is not installed: apt install chromium")
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    with driver.sync_playwright() as p:
        opened = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def visited(compared, browser, tmp_path_factory):
    address = save(compared, tmp_path_factory.mktemp("page"))["compare.html"].as_uri()
    view = browser.new_page(viewport={"width": 1280, "height": 900})
    view.complaints, view.asked, view.address = [], [], address
    view.on("console", lambda m: view.complaints.append(m.text) if m.type in ("error", "warning") else None)
    view.on("pageerror", lambda e: view.complaints.append(str(e)))
    view.on("request", lambda r: view.asked.append(r.url))
    view.goto(address)
    view.wait_for_selector("html[data-ready=yes]", timeout=60_000)
    yield view
    view.close()


@pytest.mark.browser
def test_it_draws_every_plot_without_complaint_and_asks_nothing_of_the_network(visited):
    drawn = "[...document.querySelectorAll('.plot')].filter(p => p.querySelector('.plotly .cartesianlayer')).length"
    assert visited.locator(".plot").count() == 3 + 2 + 3
    assert visited.evaluate(drawn) == 8
    assert visited.locator("svg.ranks").count() == 4  # a benchmark each, and all together
    assert visited.complaints == []
    assert [u for u in visited.asked if u != visited.address and not u.startswith(("data:", "blob:"))] == []


@pytest.mark.browser
def test_its_tables_sort_by_number(visited):
    visited.locator("#summary-0 th button", has_text="mean rank").click()
    column = "[...document.querySelectorAll('#summary-0 thead th')].findIndex(h => h.textContent.includes('mean rank'))"
    values = f"[...document.querySelectorAll('#summary-0 tbody tr')].map(r => Number(r.cells[{column}].textContent))"
    assert visited.evaluate(values) == sorted(visited.evaluate(values))


@pytest.mark.browser
def test_no_window_scrolls_sideways(visited):
    for width in (360, 800, 1280):
        visited.set_viewport_size({"width": width, "height": 800})
        visited.wait_for_function(f"document.documentElement.scrollWidth <= {width}", timeout=20_000)


def test_names_are_shown_as_they_are_written(compared):
    text = page(compared)
    assert "evolution &lt;b&gt;&amp;" in text
    assert "evolution <b>&" not in text
    assert "archwright &lt;x&gt;" in text
    assert text.count("</script>") == text.count("<script")


def test_the_sentence_names_the_best(compared):
    ranks = dict(zip(compared.strategies, compared.ranking().test.mean_ranks, strict=True))
    assert f"{min(ranks, key=ranks.get)} has the best mean rank" in sentence(compared)


def test_curves_are_those_of_the_runs(compared):
    drawn = [t for t in figures.anytime(compared, "toy", "mean").data if t.name == "local"]
    (line,) = drawn
    gaps = compared.gaps("toy", "local", list(line.x))
    assert np.allclose(np.array(line.customdata)[:, 0], gaps.mean(axis=0))
    centre, low, high = np.array(line.customdata).T
    assert (low <= centre + 1e-12).all()
    assert (centre <= high + 1e-12).all()
    reached = next(t for t in figures.solved(compared, "toy").data if t.name == "local")
    assert reached.y[-1] == np.mean(np.isfinite(compared.to_optimum("toy", "local")))


def test_a_diagram_places_ranks_in_their_order_and_joins_what_is_not_told_apart():
    losses = np.array([[1, 2, 3, 4, 5]] * 10 + [[2, 1, 3, 5, 4]] * 8, dtype=float)
    test = friedman(losses)
    difference = critical_difference(5, 18)
    groups = tuple(cliques(test.mean_ranks, difference))
    ranking = Ranking("seeds", test, difference, groups)
    svg = figures.critical_difference_diagram(ranking, list("abcde"))
    assert svg.count('class="bar"') == len(groups) > 0
    places = [float(part.split('"')[0]) for part in svg.split('<circle cx="')[1:]]
    assert sorted(places) != places  # the right half is drawn from its end
    assert len(set(places)) == 5
    assert all(f"<tspan>{name}</tspan>" in svg for name in "abcde")
