"""The market page in a real browser: every control, keys, a phone, minutes that come in."""

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from vp_pipeline.settings import Settings
from vp_pipeline.site.server import listen, server
from vp_pipeline.storage import latest
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.latest import Minute
from vp_pipeline.windows import MINUTE, Window, floor
from vp_pipeline_tests.browsers import chromium
from vp_pipeline_tests.site import seed
from vp_pipeline_tests.site.visits import DRAWN, Visit

pytestmark = pytest.mark.browser

COUNT = 3_000
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def end() -> datetime:
    """The minute before this one: the page counts how long ago that was."""
    return floor(datetime.now(UTC), MINUTE) - MINUTE


@pytest.fixture(scope="module", autouse=True)
def _stored(settings: Settings, database_url: str, end: datetime) -> None:
    seed.fill_market(settings, end, COUNT)
    with transaction(database_url) as connection:
        seed.fill_days(connection, end)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield Visit(context.new_page(), address)
    context.close()


def _query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def _opened(visit: Visit, path: str) -> Page:
    page = visit.open(path)
    page.wait_for_selector(DRAWN, state="attached")
    return page


def test_every_control_changes_the_view_and_the_address(visit: Visit) -> None:
    page = _opened(visit, "/?instrument=BTC&period=1d")
    page.get_by_text("View: 5m candles").click()
    for name, said in (
        ("timeframe", "1h"),
        ("chart", "line"),
        ("placement", "close"),
        ("rule", "both-sides"),
    ):
        page.locator(f"select[name={name}]").select_option(said)
        page.wait_for_url(f"**{name}={said}*")
        expect(page.locator(f"select[name={name}]")).to_have_value(said)
    expect(page.locator("#options summary")).to_contain_text("1h closes")
    page.get_by_label("binance BTC/USDT").uncheck()
    page.get_by_label("ftx BTC/USD").uncheck()
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_url("**venue=kraken*")
    names = page.evaluate(
        "document.querySelector('.chart').data.filter(one => one.type === 'bar').map(one => one.name)"
    )
    assert names == [seed.KRAKEN]
    page.get_by_role("link", name="2h", exact=True).click()
    page.wait_for_url("**period=2h*")
    assert _query(page)["venue"] == [seed.KRAKEN]
    visit.was_clean()


def test_the_leads_price_comes_between_ticks(visit: Visit, database_url: str, end: datetime) -> None:
    minutes = [
        Minute(end + at * MINUTE, 100.0, 102.0, 99.0, 23_456.5 + at, 3.5, closed=at == 0) for at in (0, 1)
    ]

    def polled(trouble: str = "") -> None:
        async def work() -> None:
            async with await psycopg.AsyncConnection.connect(database_url) as connection:
                if trouble:
                    await latest.note_trouble(connection, "BTC", "kraken BTC/USD", trouble)
                else:
                    now = datetime.now(UTC)
                    await latest.replace(connection, "BTC", "kraken BTC/USD", minutes, now)

        # Playwright's own loop runs in this thread.
        thread = threading.Thread(target=asyncio.run, args=(work(),))
        thread.start()
        thread.join()

    page = _opened(visit, "/?instrument=BTC&period=1h")
    polled()
    expect(page.locator(".now")).to_have_text("23,457.5 now, provisional")
    expect(page.locator(".lead")).to_contain_text("since then kraken BTC/USD alone")
    trace = "document.querySelector('.chart').data.find((one) => one.name === 'Provisional')"
    assert page.evaluate(f"{trace}.y") == [23_456.5, 23_457.5]
    page.get_by_role("link", name="2h", exact=True).click()
    page.wait_for_url("**period=2h*")
    expect(page.locator(".now")).to_have_text("23,457.5 now, provisional")
    polled("it does not answer")
    expect(page.locator(".lead")).to_contain_text("it does not answer")
    page.goto(visit.address + f"/?instrument=BTC&from={end:%Y-%m-%d}T00:00&to={end:%Y-%m-%d}T12:00")
    page.wait_for_selector(DRAWN, state="attached")
    expect(page.locator(".now")).to_have_text("23,457.5 now, provisional")
    assert not page.evaluate(f"!!{trace}")
    visit.was_clean()
    with transaction(database_url) as connection:
        connection.execute("TRUNCATE site.lead_minute, site.lead_read")


def test_dates_of_ones_own(visit: Visit, end: datetime) -> None:
    page = _opened(visit, "/")
    page.locator("#options summary").click()
    first, last = end - timedelta(hours=9), end - timedelta(hours=3)
    page.get_by_label("From, UTC").fill(f"{first:%Y-%m-%dT%H:%M}")
    page.get_by_label("Until, UTC").fill(f"{last:%Y-%m-%dT%H:%M}")
    page.get_by_role("button", name="Show these dates").click()
    page.wait_for_url("**from=*")
    expect(page.locator("main")).to_contain_text(f"{first:%Y-%m-%d %H:%M} UTC")
    expect(page.locator("main")).to_contain_text(f"{last - MINUTE:%Y-%m-%d %H:%M} UTC")
    page.go_back()
    page.wait_for_selector('.periods a[aria-current]:text-is("4h")')
    visit.was_clean()


def test_a_shared_address_shows_the_same(visit: Visit, browser: Browser, address: str) -> None:
    path = "/?instrument=BTC&period=12h&timeframe=15m&venue=kraken+BTC%2FUSD&chart=line"
    page = _opened(visit, path)
    shown = page.inner_text(".facts")
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    other = Visit(context.new_page(), address)
    assert _opened(other, page.url.removeprefix(address)).inner_text(".facts") == shown
    context.close()


def test_keys(visit: Visit) -> None:
    page = _opened(visit, "/?period=4h")
    for key, period in (("ArrowRight", "12h"), ("ArrowRight", "1d"), ("ArrowLeft", "12h")):
        page.keyboard.press(key)
        page.wait_for_selector(f'.periods a[aria-current]:text-is("{period}")')
    summary = page.locator("#options summary")
    expect(summary).to_contain_text("3m candles")
    page.keyboard.press("]")
    expect(summary).to_contain_text("5m candles")
    page.keyboard.press("[")
    expect(summary).to_contain_text("3m candles")
    page.keyboard.press("c")
    expect(summary).to_contain_text("3m closes")
    page.keyboard.press("c")
    expect(summary).to_contain_text("3m candles")
    page.keyboard.press("v")
    expect(page.locator("#options")).to_have_attribute("open", "")
    page.keyboard.press("?")
    expect(page.locator("#help kbd").first).to_be_visible()
    visit.was_clean()


def _add_minute(settings: Settings, end: datetime, number: int) -> float:
    """One more minute at both venues after `end`; its close at the lead."""
    minute = seed.minutes(end + number * MINUTE, 1, 20_500.0 + number)
    parts = {"binance BTC/USDT": minute, seed.KRAKEN: seed.at_kraken(minute)}
    seed.add_minutes(settings, parts, Window(end + number * MINUTE, end + (number + 1) * MINUTE))
    return float(minute["close"].iloc[0])


def _last_bar(page: Page) -> str:
    found: str = page.evaluate("document.querySelector('.chart').data[0].x.at(-1)")
    return found


def test_a_new_minute_comes_by_itself(visit: Visit, settings: Settings, end: datetime) -> None:
    page = _opened(visit, "/?period=1h&timeframe=1m")
    page.wait_for_timeout(300)
    page.evaluate("document.querySelector('.chart').same = true")
    page.locator("#help summary").click()
    assert _last_bar(page) == f"{end - MINUTE:%Y-%m-%dT%H:%M}"
    _add_minute(settings, end, 0)
    expect(page.locator(".age")).to_contain_text(f"Last minute {end:%H:%M} UTC", timeout=8000)
    assert _last_bar(page) == f"{end:%Y-%m-%dT%H:%M}"
    assert page.evaluate("document.querySelector('.chart').same"), "the chart was drawn anew"
    expect(page.locator("#help")).to_have_attribute("open", "")
    visit.was_clean()


def test_no_storm_of_requests(visit: Visit, database_url: str) -> None:
    page = _opened(visit, "/?period=1h")
    page.wait_for_timeout(300)
    before = len(visit.requested)
    again = "UPDATE aggregate SET volume = volume WHERE base = 'BTC' AND open_time > now() - interval '9 min'"
    with psycopg.connect(database_url, autocommit=True) as connection:
        for _ in range(20):
            connection.execute(again)
            page.wait_for_timeout(50)
    page.wait_for_timeout(2500)
    assert 1 <= len(visit.requested) - before <= 4
    page.wait_for_timeout(1500)
    assert len(visit.requested) - before <= 4, "nothing changed any more"


@contextmanager
def _at(settings: Settings, port: int) -> Iterator[int]:
    with listen("127.0.0.1", port) as listener:
        running = server(settings)
        thread = threading.Thread(target=running.run, args=([listener],))
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            running.should_exit = True
            thread.join(10)
            assert not thread.is_alive()


def test_a_site_that_was_away_is_caught_up_with(browser: Browser, settings: Settings, end: datetime) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    with _at(settings, 0) as port:
        page.goto(f"http://127.0.0.1:{port}/?period=1h&timeframe=1m")
        page.wait_for_selector(DRAWN, state="attached")
        page.wait_for_timeout(500)
    expect(page.locator(".link")).to_contain_text("connecting again")
    _add_minute(settings, end, 1)
    with _at(settings, port):
        expect(page.locator(".age")).to_contain_text(f"Last minute {end + MINUTE:%H:%M} UTC", timeout=15_000)
        expect(page.locator(".link")).to_be_empty()
        context.close()


def test_a_database_that_was_away_is_caught_up_with(
    visit: Visit, settings: Settings, database_url: str, end: datetime
) -> None:
    page = _opened(visit, "/?period=1h&timeframe=1m")
    page.wait_for_timeout(500)
    name = urlsplit(database_url).path.removeprefix("/")
    elsewhere = database_url.replace(f"/{name}", "/postgres", 1)
    with psycopg.connect(elsewhere, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        try:
            expect(page.locator(".link")).to_contain_text("The database does not answer", timeout=8000)
        finally:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    _add_minute(settings, end, 2)
    expect(page.locator(".age")).to_contain_text(f"Last minute {end + 2 * MINUTE:%H:%M} UTC", timeout=15_000)
    expect(page.locator(".link")).to_be_empty()


def test_staleness_counts_by_itself(browser: Browser, address: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.clock.install(time=datetime.now(UTC))
    page.goto(address)
    expect(page.locator(".age")).to_contain_text("ago")
    page.clock.fast_forward("02:00:00")
    expect(page.locator(".age")).to_contain_text(re.compile("hours? ago: nothing has come in since"))
    expect(page.locator(".fresh")).to_have_class("fresh warn")
    context.close()


def test_a_phone_shows_everything(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    visit = Visit(context.new_page(), address)
    page = _opened(visit, "/?period=12h")
    page.get_by_role("link", name="1h", exact=True).tap()
    page.wait_for_selector('.periods a[aria-current]:text-is("1h")')
    page.locator("#options summary").tap()
    page.locator("select[name=timeframe]").select_option("5m")
    page.wait_for_url("**timeframe=5m*")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    height = page.evaluate("document.querySelector('.chart')._fullLayout._size.h")
    assert height > 200, "the legend or labels take the chart's room"
    visit.was_clean()
    context.close()


def test_it_works_without_script(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    page.locator("#options summary").click()
    page.locator("select[name=timeframe]").select_option("15m")
    page.get_by_label("binance BTC/USDT").uncheck()
    page.get_by_role("button", name="Show", exact=True).click()
    assert _query(page)["timeframe"] == ["15m"]
    assert "binance BTC/USDT" not in _query(page)["venue"]
    assert "of 15m" in page.inner_text("main")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "path", ["/?period=1d", "/?period=9x", "/sessions", "/strategies", "/artifacts/", "/status"]
)
def test_no_serious_finding_of_axe(browser: Browser, address: str, path: str, scheme: Any) -> None:
    axe = resources.files("axe_playwright_python") / "axe.min.js"
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(address + path)
    if path == "/?period=1d":
        page.wait_for_selector(DRAWN, state="attached")
        for one in ("#options", "#help"):
            page.locator(f"{one} summary").click()
    page.evaluate(axe.read_text())
    found = page.evaluate("axe.run().then(all => all.violations)")
    serious = [
        (one["id"], [node["html"][:120] for node in one["nodes"][:3]])
        for one in found
        if one["impact"] in SERIOUS
    ]
    assert serious == [], json.dumps(serious, indent=1)
    context.close()
