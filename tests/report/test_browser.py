"""The page in a real browser: it draws, answers, asks nothing of the network, and fits where it is read."""

import re
import shutil

import pytest

from archwright.report import write_page

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not shutil.which(CHROMIUM), reason="Debian's chromium is not installed: apt install chromium"),
]


@pytest.fixture(scope="module")
def browser():
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    with driver.sync_playwright() as p:
        opened = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def address(record, tmp_path_factory):
    return write_page(record, tmp_path_factory.mktemp("page") / "report.html").as_uri()


@pytest.fixture(scope="module")
def visit(browser, address):
    """Open the page and wait until its plots are drawn; what it logged and asked for is on the page object."""
    opened = []

    def go(width=1280, height=900, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        opened.append(context)
        page = context.new_page()
        page.complaints, page.asked = [], []
        page.on("console", lambda m: page.complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: page.complaints.append(str(e)))
        page.on("request", lambda r: page.asked.append(r.url))
        page.goto(address)
        page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
        return page

    yield go
    for context in opened:
        context.close()


@pytest.fixture(scope="module")
def page(visit):
    """One window for the tests that touch different parts of the page."""
    return visit()


def test_it_draws_every_plot_without_complaint_and_asks_nothing_of_the_network(page, address):
    places = page.locator(".plot").count()
    assert places >= 8
    assert page.locator(".plot .main-svg >> nth=0").count() == 1
    assert page.evaluate(
        "[...document.querySelectorAll('.plot')].every(p => p.querySelector('.plotly .cartesianlayer'))"
    )
    assert page.complaints == []
    assert [u for u in page.asked if u != address and not u.startswith(("data:", "blob:"))] == []


def test_pointing_at_a_trial_tells_what_it_was(page, record):
    place = page.locator("#pareto-params")
    place.scroll_into_view_if_needed()
    star = page.locator("#pareto-params .scatterlayer .trace").last.locator(".point").first.bounding_box()
    page.mouse.move(star["x"] + star["width"] / 2, star["y"] + star["height"] / 2)
    page.wait_for_selector("#pareto-params .hoverlayer .hovertext")
    told = page.locator("#pareto-params .hoverlayer").text_content()
    trial = record.by_number[int(re.match(r"trial (\d+)", told)[1])]  # the chosen one, or one that hides it
    assert f"accuracy {trial.measurement.metrics['accuracy']:.4f}" in told
    assert f"parameters {trial.measurement.costs['params']:,}" in told
    assert f"activation = {trial.architecture['activation']}" in told


def test_a_click_in_the_legend_hides_a_line(page):
    page.locator("#learning-curves").scroll_into_view_if_needed()
    toggle = page.locator("#learning-curves .legendtoggle").first
    shown = "document.querySelectorAll('#learning-curves .scatterlayer .trace').length"
    before = page.evaluate(shown)
    toggle.click()
    page.wait_for_function(f"{shown} === {before - 1}")


def test_nothing_in_the_plots_menu_uploads(page):
    titles = page.evaluate("[...document.querySelectorAll('.modebar-btn')].map(b => b.dataset.title || '')")
    assert titles
    assert not [t for t in titles if "cloud" in t.lower() or "share" in t.lower() or "studio" in t.lower()]


def test_the_leaderboard_sorts_both_ways_by_a_click(page):
    numbers = "[...document.querySelectorAll('#leaders tbody tr')].map(r => Number(r.cells[4].dataset.v))"
    head = page.locator("#leaders th button", has_text="parameters")
    head.click()
    rising = page.evaluate(numbers)
    assert rising == sorted(rising)
    head.click()
    assert page.evaluate(numbers) == sorted(rising, reverse=True)
    assert page.locator("#leaders th[aria-sort=descending]").count() == 1


def test_all_rows_are_shown_when_asked_for(page, record):
    visible = "[...document.querySelectorAll('#leaders tbody tr')].filter(r => r.offsetHeight > 0).length"
    assert page.evaluate(visible) == 15
    page.locator("button.more").click()
    assert page.evaluate(visible) == len(record.done)


def test_no_window_scrolls_sideways_and_plots_stay_in_their_cards(visit):
    page = visit(width=360, is_mobile=True, has_touch=True)
    outside = (
        "[...document.querySelectorAll('.plot')].filter(p => p.querySelector('.main-svg').getBoundingClientRect().right"
        " > p.parentElement.getBoundingClientRect().right + 1).length"
    )
    for width in (360, 768, 1100):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function(f"{outside} === 0")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_each_colour_scheme_can_be_read_and_changing_it_recolours_the_plots(visit):
    page = visit(color_scheme="light")
    look = """() => { const c = (e, k) => getComputedStyle(e)[k].match(/[\\d.]+/g).slice(0, 3).map(Number);
      return [c(document.body, 'backgroundColor'), c(document.querySelector('h1'), 'color'),
              c(document.querySelector('#anytime-seconds .xtick text'), 'fill')]; }"""
    light = page.evaluate(look)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "getComputedStyle(document.querySelector('#anytime-seconds .xtick text')).fill !== 'rgb(27, 32, 39)'"
    )
    dark = page.evaluate(look)
    for back, ink, tick in (light, dark):
        assert contrast(back, ink) > 7
        assert contrast(back, tick) > 7
    assert sum(light[0]) > 600 > 200 > sum(dark[0])
    assert page.complaints == []


def test_no_edge_of_the_drawing_passes_through_a_label(page):
    assert (
        page.evaluate(
            """() => { const boxes = [...document.querySelectorAll('.network rect')].map(r => r.getBBox());
        const hit = [];
        for (const p of document.querySelectorAll('.network .edge')) { const n = p.getTotalLength();
          for (let d = 3; d < n - 3; d += 2) { const q = p.getPointAtLength(d);
            if (boxes.some(b => q.x > b.x + 1 && q.x < b.x + b.width - 1 && q.y > b.y + 1 && q.y < b.y + b.height - 1))
              hit.push([q.x, q.y]); } }
        return hit; }"""
        )
        == []
    )


def test_it_prints_in_light_colours_whatever_the_scheme(visit):
    page = visit(color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--ink').trim()") == "#1b2027"
    assert len(page.pdf()) > 20_000


def contrast(a, b):
    """The contrast ratio of two colours as WCAG 2.1 defines it."""

    def luminance(rgb):
        parts = [c / 255 for c in rgb]
        parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)
