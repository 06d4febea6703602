"""Take the picture of a report that the README shows.

    archwright search digits --budget 2m --max-params 50k --out runs/digits
    python docs/make_pictures.py runs/digits/report.html docs/report.png

Needs Debian's chromium and the playwright package.
"""

from __future__ import annotations

import argparse
from pathlib import Path

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def take(report: Path, picture: Path, *, width: int, height: int, scheme: str, chromium: str) -> None:
    """Draw the top `height` pixels of a report (all of it with 0) as a PNG, enlarged by half for sharp screens."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium, args=FLAGS)
        view = {"width": width, "height": height or 900}
        page = browser.new_page(viewport=view, color_scheme=scheme, device_scale_factor=1.5)
        page.goto(report.resolve().as_uri())
        page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
        page.screenshot(path=picture, full_page=height == 0)
        browser.close()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path, help="a report.html")
    parser.add_argument("picture", type=Path, nargs="?", default=Path(__file__).with_name("report.png"))
    parser.add_argument("--width", type=int, default=1180)
    parser.add_argument("--height", type=int, default=1900, help="0 for the whole page")
    parser.add_argument("--scheme", choices=["light", "dark"], default="light")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    given = parser.parse_args()
    take(given.report, given.picture, **{k: getattr(given, k) for k in ("width", "height", "scheme", "chromium")})
    print(given.picture)


if __name__ == "__main__":
    main()
