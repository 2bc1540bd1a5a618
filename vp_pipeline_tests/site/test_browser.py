"""The site in a real browser: charts draw, nothing leaves the origin, keyboard and phone work."""

import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser

from vp_pipeline.settings import Settings
from vp_pipeline.storage.artifacts import Artifact
from vp_pipeline.storage.connection import transaction
from vp_pipeline_tests.browsers import chromium
from vp_pipeline_tests.site import seed
from vp_pipeline_tests.site.visits import Visit

pytestmark = pytest.mark.browser

END = datetime(2023, 3, 12, tzinfo=UTC)
PROFILE = "volume_profile/btc/2023-03-11"
WITH_CHARTS = ("/", "/?period=all", "/strategies")
PAGES = (*WITH_CHARTS, "/sessions", "/artifacts/", f"/preview/{PROFILE}", "/status")


@pytest.fixture(scope="module", autouse=True)
def stored(settings: Settings, database_url: str) -> dict[str, Artifact]:
    frame = seed.fill_market(settings, END, 3000)
    with transaction(database_url) as connection:
        seed.fill_reports(connection, END)
        kept = seed.fill_artifacts(connection, frame)
    return {f"{one.name}/{one.partition}".rstrip("/"): one for one in kept}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield Visit(context.new_page(), address)
    context.close()


@pytest.fixture
def phone(browser: Browser, address: str) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    yield Visit(context.new_page(), address)
    context.close()


@pytest.mark.parametrize("path", WITH_CHARTS)
def test_charts_draw_without_a_complaint_or_a_foreign_request(visit: Visit, path: str) -> None:
    page = visit.open(path)
    page.wait_for_selector(".chart .barlayer path, .chart .scatterlayer path", state="attached")
    visit.was_clean()


def test_growth_is_written_in_full_between_powers_of_ten(visit: Visit) -> None:
    page = visit.open("/strategies")
    page.wait_for_selector(".chart .ytick text")
    page.evaluate("Plotly.relayout(document.querySelector('.chart'), {'yaxis.range': [-0.5, 1.5]})")
    assert page.locator(".chart .ytick text").all_text_contents() == ["0.5", "1", "2", "5", "10", "20"]


@pytest.mark.parametrize("path", ["/sessions", "/artifacts/", "/status", "/missing"])
def test_pages_without_charts_are_clean_and_do_not_load_plotly(visit: Visit, path: str) -> None:
    visit.open(path)
    if path == "/missing":
        visit.complaints.clear()  # the 404 itself
    visit.was_clean()
    assert not any("plotly" in url for url in visit.requested)


def test_candles_and_profile_share_the_price_axis(visit: Visit) -> None:
    page = visit.open("/")
    page.wait_for_selector(".chart .barlayer path")
    axes = page.evaluate(
        "() => document.querySelector('.chart')._fullData.map(one => [one.type, one.yaxis || 'y'])"
    )
    assert {kind for kind, _ in axes} >= {"candlestick", "bar"}
    assert {axis for _, axis in axes} == {"y"}


def test_period_links_work(visit: Visit) -> None:
    page = visit.open("/")
    for period, first in {"1h": "2023-03-11 23:00 UTC", "1d": "2023-03-11 00:00 UTC"}.items():
        page.get_by_role("link", name=period, exact=True).click()
        page.wait_for_selector(f'.periods a[aria-current]:text-is("{period}")')
        assert first in page.inner_text("main")
    visit.was_clean()


def test_the_keyboard_reaches_the_controls(visit: Visit) -> None:
    page = visit.open("/?period=4h")
    reached = []
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim()"))
        if reached[-1] == "12h":
            break
    assert reached[0] == "Skip to content"
    assert {"Market", "Status", "BTC", "ETH", "1h"} <= set(reached)
    page.keyboard.press("Enter")
    page.wait_for_url("**period=12h")


def test_it_works_without_javascript(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    page.get_by_role("link", name="1h", exact=True).click()
    assert "period=1h" in page.url
    assert "POC" in page.inner_text("main")
    assert "needs JavaScript" in page.inner_text(".chart")
    context.close()


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_does_not_scroll_sideways(phone: Visit, path: str) -> None:
    page = phone.open(path)
    if path in WITH_CHARTS:
        page.wait_for_selector(".chart .main-svg")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    phone.was_clean()


def test_the_page_follows_the_colour_scheme(browser: Browser, address: str) -> None:
    seen = []
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)
        page = context.new_page()
        page.goto(f"{address}/status")
        seen.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        context.close()
    assert seen[0] != seen[1]


def test_an_artifact_draws_in_its_sandbox_and_cannot_act(visit: Visit) -> None:
    page = visit.open(f"/artifacts/{PROFILE}")
    page.wait_for_selector(".figure .barlayer path")
    visit.was_clean()
    assert page.evaluate("window.origin") == "null"
    assert page.evaluate("fetch('/healthz').then(() => 'answered', () => 'refused')") == "refused"
    with pytest.raises(Exception, match="sandboxed"):
        page.evaluate("document.cookie")


def test_a_preview_shows_the_document_and_its_neighbours(visit: Visit) -> None:
    page = visit.open("/artifacts/")
    page.get_by_role("link", name=f"Preview {PROFILE}").click()
    frame = page.frame_locator("iframe")
    frame.locator(".figure .barlayer path").first.wait_for(state="attached")
    assert page.frames[1].evaluate("window.origin") == "null"
    page.get_by_role("link", name="2023-03-10").click()
    page.wait_for_url("**/preview/volume_profile/btc/2023-03-10")
    frame.locator(".figure .barlayer path").first.wait_for(state="attached")
    visit.was_clean()


def test_no_other_site_shows_an_artifact_in_a_frame(visit: Visit, browser: Browser) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Framing) as foreign:
        foreign.RequestHandlerClass.target = f"{visit.address}/artifacts/{PROFILE}"  # type: ignore[attr-defined]
        threading.Thread(target=foreign.serve_forever).start()
        try:
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{foreign.server_address[1]}/")
            page.wait_for_function("document.querySelector('iframe').dataset.loaded")
            assert not page.frames[1].url.startswith(visit.address)
            page.close()
        finally:
            foreign.shutdown()


class _Framing(BaseHTTPRequestHandler):
    """Somebody else's page around one of ours."""

    target = ""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(f"<iframe src='{self.target}' onload='this.dataset.loaded = 1'></iframe>".encode())

    def log_message(self, *_: object) -> None:
        pass


def test_a_download_has_the_exact_bytes(visit: Visit, stored: dict[str, Artifact]) -> None:
    page = visit.open("/artifacts/")
    with page.expect_download() as started:
        page.get_by_role("link", name=f"Download {PROFILE}").click()
    download = started.value
    assert download.suggested_filename == "volume_profile-btc-2023-03-11.html"
    content = download.path().read_bytes()
    assert hashlib.sha256(content).hexdigest() == stored[PROFILE].sha256
