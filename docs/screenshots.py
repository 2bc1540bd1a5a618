"""Takes the pictures of the README from a running platform.

Start it on recorded data in one terminal (`make demo REPLAY=DIR`), then, with the addresses it prints:

    .venv/bin/python docs/screenshots.py --site http://127.0.0.1:8080 --dagster http://127.0.0.1:3000

Chromium must be on the PATH. The pictures go to docs/images, each below 200 kB.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
LARGEST = 200_000
PICTURES = {
    "market": ("site", "/?instrument=BTC&period=1d", 1050),
    "sessions": ("site", "/sessions?series=BTCUSDT-5m", 800),
    "strategies": ("site", "/strategies", 670),
    "dagster": ("dagster", "/assets/candles/kraken/btc_usdt?view=events", 620),
}


def take(page: Page, url: str, height: int, file: Path) -> None:
    """One picture of a page once everything on it is drawn."""
    page.set_viewport_size({"width": 1280, "height": height})
    page.goto(url, wait_until="networkidle")
    if page.locator(".js-plotly-plot, .figure, [data-figure]").count():
        page.wait_for_selector(".js-plotly-plot .main-svg")
    page.wait_for_timeout(1500)
    page.screenshot(path=file, animations="disabled")
    if file.stat().st_size > LARGEST:
        sys.exit(f"{file} has {file.stat().st_size:,} bytes, more than {LARGEST:,}: show less of the page")


def main() -> None:
    """Take all pictures, or those named."""
    parser = argparse.ArgumentParser(description="Take the pictures of the README from a running platform.")
    parser.add_argument("--site", default="http://127.0.0.1:8080", help="the website's address")
    parser.add_argument("--dagster", default="http://127.0.0.1:3000", help="the address of Dagster's UI")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(PICTURES)}; all if none is named")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or sys.exit("chromium is not on the PATH: install it")
    unknown = set(options.names) - PICTURES.keys()
    if unknown:
        sys.exit(f"no picture {', '.join(sorted(unknown))}: there are {', '.join(PICTURES)}")
    with sync_playwright() as playwright:
        # As root Chromium runs without its sandbox only.
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page(color_scheme="light")
        for name in options.names or PICTURES:
            server, path, height = PICTURES[name]
            take(page, vars(options)[server].rstrip("/") + path, height, IMAGES / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
