"""In Dagster's own pages, as a user clicks: lineage, a materialization, its log, a download."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from vp_pipeline.storage import artifacts
from vp_pipeline_tests.e2e.conftest import Running

pytestmark = [pytest.mark.platform, pytest.mark.browser, pytest.mark.timeout(1800)]

SLOW = 60_000


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1500, "height": 1000}, accept_downloads=True)
    context.set_default_timeout(SLOW)
    yield context.new_page()
    context.close()


@pytest.fixture
def offline(browser: Browser) -> Iterator[Page]:
    """A page of its own without a network: Dagster's page would complain of losing its server."""
    context = browser.new_context(viewport={"width": 1500, "height": 1000}, offline=True)
    yield context.new_page()
    context.close()


def test_lineage_leads_from_the_wire_to_the_profile(running: Running, page: Page) -> None:
    upstream = "view=lineage&lineageScope=upstream&lineageDepth=5"
    page.goto(f"{running.dagster}/assets/volume_profile/btc?{upstream}")
    for shown in ("candles", "btc_usdt", "coverage", "aggregate"):
        expect(page.get_by_text(shown, exact=True).first).to_be_visible(timeout=SLOW)
    page.goto(f"{running.dagster}/assets/tearsheets/mean_reversion?{upstream}")
    for shown in ("daily_returns", "strategies", "mean_reversion"):
        expect(page.get_by_text(shown, exact=True).first).to_be_visible(timeout=SLOW)


def test_a_click_materializes_and_the_log_tells_rows_and_reasons(running: Running, page: Page) -> None:
    page.goto(f"{running.dagster}/assets/candles/kraken/btc_usdc?view=partitions")
    page.get_by_role("button", name="Materialize").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Latest").click()
    dialog.get_by_role("button", name="Launch 1 run").click()
    expect(dialog).to_be_hidden(timeout=SLOW)
    page.goto(f"{running.dagster}/runs")
    newest = page.locator("a[href^='/runs/']").first
    page.goto(f"{running.dagster}{newest.get_attribute('href')}")
    expect(page.get_by_text("RUN_SUCCESS")).to_be_visible(timeout=SLOW)
    log = page.get_by_text("1 of 1 markets fetched")
    expect(log).to_contain_text(re.compile(r"kraken BTC/USDC( +\d+)+ +the exchange has no candle"))
    expect(page.get_by_text("minutes_missing").first).to_be_visible()


def test_the_tearsheet_is_downloaded_by_its_link(
    running: Running, page: Page, offline: Page, tmp_path: Path
) -> None:
    page.goto(f"{running.dagster}/assets/tearsheets/mean_reversion")
    link = page.locator("a[href*='/artifacts/tearsheets/mean_reversion']").first
    address = link.get_attribute("href")
    assert address is not None
    with page.expect_download() as download:
        page.evaluate("address => { location.href = address }", address)
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert file.name == "tearsheets-mean_reversion.html"
    with psycopg.connect(running.database_url) as connection:
        artifact = artifacts.find(connection, "tearsheets/mean_reversion")
    assert artifact is not None
    assert hashlib.sha256(file.read_bytes()).hexdigest() == artifact.sha256
    _opens(offline, file, "evidence of skill")
    report = offline.frame_locator("iframe").get_by_text("Key Performance Metrics").first
    expect(report).to_be_attached(timeout=SLOW)


def test_a_profile_opens_without_a_network(running: Running, offline: Page, tmp_path: Path) -> None:
    with psycopg.connect(running.database_url) as connection:
        content = artifacts.content(connection, "volume_profile/btc", "2023-03-11")
    assert content is not None
    file = tmp_path / "profile.html"
    file.write_bytes(content)
    _opens(offline, file, "Point of control")
    assert offline.locator(".main-svg").count() > 0, "nothing is drawn"


def test_the_site_shows_the_recording_as_such(running: Running, page: Page) -> None:
    page.goto(f"{running.site}/?period=all")
    expect(page.get_by_text("RECORDED DATA").first).to_be_visible()
    expect(page.locator(".main-svg").first).to_be_visible()


def _opens(page: Page, file: Path, text: str) -> None:
    """The file shows the text, asks for nothing and complains of nothing."""
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(file.as_uri())
    expect(page.get_by_text(text).first).to_be_visible(timeout=SLOW)
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert complaints == []
